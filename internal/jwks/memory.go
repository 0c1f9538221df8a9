package jwks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"strconv"
	"strings"
	"time"
)

// Memory keeps the last good key document of each source where a restart does
// not reach it, so that a server whose issuer is down at its start can verify
// for as long as one that was running: an hour from the fetch on. What it gives
// back is trusted like the issuer's answer, so it must be out of reach for
// everybody else.
type Memory interface {
	// Load returns what is kept under a name; ok is false for nothing.
	Load(ctx context.Context, name string) (k Kept, ok bool, err error)
	// Save keeps k under a name, no longer than until.
	Save(ctx context.Context, name string, k Kept, until time.Time) error
}

// Kept is a key document as an endpoint published it.
type Kept struct {
	Document []byte    `json:"document"`
	Fetched  time.Time `json:"fetched"`
}

const (
	// keepEvery is how old the kept document of a set that stays the same may
	// become before it is written again. It comes off the hour.
	keepEvery     = 10 * time.Minute
	memoryTimeout = 2 * time.Second
)

// sourceName is what a source is called in a Memory. All that decides whose
// answer is believed is in it: a set that was fetched under another CA is
// another source's.
func sourceName(kind, url, caPEM string, t TLSConfig) string {
	h := sha256.New()
	for _, part := range []string{kind, url, caPEM, strings.Join(t.ServerNames, "\n"), strings.Join(t.CriticalExtensions, "\n")} {
		h.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// recall returns the set that was kept, unless there is none or it is as old as
// one in memory may not be. The next fetch is due at once.
func (r *remote) recall() *snapshot {
	if r.o.Memory == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, memoryTimeout)
	defer cancel()
	k, ok, err := r.o.Memory.Load(ctx, r.name)
	now := r.o.Now()
	until := k.Fetched.Add(usableFor)
	switch {
	case err != nil:
		r.memoryFailed("load", err)
		return nil
	case !ok || k.Fetched.After(now) || !now.Before(until):
		return nil
	}
	keys, skipped, err := ParseSet(k.Document)
	if err != nil {
		r.memoryFailed("load", err)
		return nil
	}
	return &snapshot{
		set: newKeySet(keys), skipped: skipped, sum: sha256.Sum256(k.Document), doc: k.Document, restored: true,
		fetched: k.Fetched, refreshAt: k.Fetched, freshUntil: k.Fetched, usableUntil: until,
	}
}

// keep has a set that was just fetched kept. Nobody waits for it.
func (r *remote) keep(s *snapshot) {
	r.mu.Lock()
	old := r.kept
	r.mu.Unlock()
	if r.o.Memory == nil || old != nil && old.sum == s.sum && s.fetched.Sub(old.fetched) < keepEvery {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, memoryTimeout)
	defer cancel()
	if err := r.o.Memory.Save(ctx, r.name, Kept{Document: s.doc, Fetched: s.fetched}, s.fetched.Add(usableFor)); err != nil {
		r.memoryFailed("save", err)
		return
	}
	r.mu.Lock()
	r.kept = s
	r.mu.Unlock()
}

func (r *remote) memoryFailed(what string, err error) {
	if r.ctx.Err() == nil {
		r.o.Logger.Warn("the last good keys of an issuer cannot be kept over a restart",
			slog.String("step", what), slog.String("url", Shown(r.url)), slog.String("error", err.Error()))
	}
}
