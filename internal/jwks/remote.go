package jwks

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
)

// The times by which a remote source lives.
const (
	freshFor       = 5 * time.Minute  // without a shorter max-age
	freshAtLeast   = 10 * time.Second // whatever max-age says
	usableFor      = time.Hour        // while fetches fail
	missInterval   = 10 * time.Second // between fetches for unknown kids
	unknownFor     = 30 * time.Second // how long a kid is remembered as unknown
	maxUnknown     = 1024             // kids that are remembered as unknown
	firstBackoff   = time.Second
	longestBackoff = time.Minute
)

// remote is a source that fetches its keys. Readers look at one atomic
// snapshot; everything that decides about fetching is under the mutex, which
// is never held during I/O.
type remote struct {
	o         Options
	kind, url string
	name      string // under which Options.Memory keeps the set
	loc       locator
	forget    func() // tells the client that the source is closed

	snap atomic.Pointer[snapshot]
	gen  atomic.Uint64

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup
	wake   chan struct{} // a fetch has ended

	mu       sync.Mutex
	flight   *flight // the fetch that is under way, if any
	looping  bool
	closed   bool
	failures int
	fetches  uint64
	lastTry  time.Time
	nextTry  time.Time // after a failure
	lastErr  error
	unknown  map[string]time.Time
	kept     *snapshot // what Options.Memory has
}

// flight is one fetch; done is closed when it has ended.
type flight struct {
	done chan struct{}
	err  error
}

// snapshot is a key set and its times. It is immutable.
type snapshot struct {
	set         keySet
	skipped     []Skipped
	etag        string
	sum         [32]byte
	doc         []byte // as published; nil when nobody keeps it
	restored    bool   // from Options.Memory
	fetched     time.Time
	refreshAt   time.Time
	freshUntil  time.Time
	usableUntil time.Time
}

func newRemote(o Options, kind, url, name string, loc locator) *remote {
	r := &remote{o: o, kind: kind, url: url, name: name, loc: loc, wake: make(chan struct{}, 1), unknown: map[string]time.Time{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

func (r *remote) Keys(ctx context.Context, kid string, hasKID bool) ([]*jwt.Key, error) {
	now := r.o.Now()
	s := r.usable(now)
	if s == nil {
		return r.firstKeys(ctx, kid, hasKID, now)
	}
	if !now.Before(s.refreshAt) || now.Before(s.fetched) {
		r.refresh(now)
	}
	if found := s.set.find(kid, hasKID); len(found) > 0 {
		return found, nil
	}
	if !hasKID {
		return nil, jwt.ErrUnknownKey
	}
	if ctx.Err() != nil { // a caller who has gone causes no fetch
		return nil, context.Cause(ctx)
	}
	f := r.missed(kid, now)
	if f == nil {
		return nil, jwt.ErrUnknownKey
	}
	if err := f.wait(ctx); err != nil {
		return nil, err
	}
	if found := r.snap.Load().set.find(kid, true); len(found) > 0 {
		return found, nil
	}
	r.remember(kid)
	return nil, jwt.ErrUnknownKey
}

// usable returns the set in memory unless it is too old.
func (r *remote) usable(now time.Time) *snapshot {
	if s := r.snap.Load(); s != nil && now.Before(s.usableUntil) {
		return s
	}
	return nil
}

// firstKeys answers when nothing usable is in memory.
func (r *remote) firstKeys(ctx context.Context, kid string, hasKID bool, now time.Time) ([]*jwt.Key, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if f := r.first(now); f != nil {
		if err := f.wait(ctx); err != nil {
			return nil, err
		}
	}
	s := r.usable(r.o.Now())
	if s == nil {
		return nil, ErrUnavailable
	}
	if found := s.set.find(kid, hasKID); len(found) > 0 {
		return found, nil
	}
	return nil, jwt.ErrUnknownKey
}

// first joins or starts the fetch that brings the first set. It is nil when the
// last one failed a moment ago, and when one has brought a set meanwhile.
func (r *remote) first(now time.Time) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight == nil && (r.usable(now) != nil || now.Before(r.nextTry)) {
		return nil
	}
	return r.start(now)
}

func (f *flight) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// refresh joins or starts a fetch unless the last one failed a moment ago. It
// does not wait; nil means that there is none.
func (r *remote) refresh(now time.Time) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flight == nil && now.Before(r.nextTry) {
		return nil
	}
	return r.start(now)
}

// missed joins or starts the fetch for a kid that is not in the set; nil when
// none is due. A bad signature under a known kid never comes here.
func (r *remote) missed(kid string, now time.Time) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Before(r.unknown[kid]) {
		return nil
	}
	if r.flight == nil && now.Before(r.lastTry.Add(missInterval)) {
		return nil
	}
	return r.start(now)
}

// remember notes a kid that a fetch has not brought, so that it does not cause
// another one soon. When the memory is full the rate limit alone protects.
func (r *remote) remember(kid string) {
	now := r.o.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.unknown) >= maxUnknown {
		for k, until := range r.unknown {
			if !now.Before(until) {
				delete(r.unknown, k)
			}
		}
	}
	if len(r.unknown) < maxUnknown && len(kid) <= 1<<10 {
		r.unknown[kid] = now.Add(unknownFor)
	}
}

// start returns the fetch that is under way, or a new one; nil after Close.
// The mutex is held.
func (r *remote) start(now time.Time) *flight {
	if r.flight != nil || r.closed {
		return r.flight
	}
	if !r.looping {
		r.looping = true
		r.wg.Go(r.loop)
	}
	f := &flight{done: make(chan struct{})}
	r.flight = f
	r.fetches++
	r.lastTry = now
	r.wg.Go(func() { r.fetch(f) })
	return f
}

func (r *remote) fetch(f *flight) {
	ctx, cancel := context.WithTimeout(r.ctx, totalTimeout)
	defer cancel()
	old := r.snap.Load()
	etag := ""
	if old != nil {
		etag = old.etag
	}
	d, err := r.loc.locate(ctx, etag)
	var next *snapshot
	if err == nil {
		next, err = r.digest(d, old)
	}
	if err != nil && r.usable(r.o.Now()) == nil {
		next = r.recall()
	}
	r.settle(f, old, next, err)
	if err == nil {
		r.keep(next)
	}
}

// digest turns an answer into the next snapshot.
func (r *remote) digest(d document, old *snapshot) (*snapshot, error) {
	next := &snapshot{}
	if d.notModified && old != nil {
		*next = *old
		next.restored = false
	} else {
		keys, skipped, err := ParseSet(d.body)
		if err != nil {
			return nil, err
		}
		next.set, next.skipped, next.etag, next.sum = newKeySet(keys), skipped, d.etag, sha256.Sum256(d.body)
		if r.o.Memory != nil {
			next.doc = d.body
		}
	}
	fresh := freshFor
	if d.maxAge >= 0 {
		fresh = min(freshFor, max(freshAtLeast, d.maxAge))
	}
	next.fetched = r.o.Now()
	next.freshUntil = next.fetched.Add(fresh)
	next.refreshAt = next.fetched.Add(fresh * time.Duration(80+15*r.o.Jitter()) / 100)
	next.usableUntil = next.fetched.Add(usableFor)
	return next, nil
}

// settle records how a fetch ended and lets its waiters go. next is the set to
// use from now on, which a failed fetch can have too; nil leaves the old one.
func (r *remote) settle(f *flight, old, next *snapshot, err error) {
	r.mu.Lock()
	f.err, r.lastErr = err, err
	changed := next != nil && (old == nil || old.sum != next.sum || !r.o.Now().Before(old.usableUntil))
	if err != nil {
		backoff := min(longestBackoff, firstBackoff<<min(r.failures, 6))
		r.nextTry = r.o.Now().Add(backoff * time.Duration(75+50*r.o.Jitter()) / 100)
		r.failures++
	} else {
		r.failures, r.nextTry = 0, time.Time{}
	}
	if next != nil {
		r.snap.Store(next)
	}
	if changed {
		clear(r.unknown)
		r.gen.Add(2)
	}
	r.flight = nil
	r.mu.Unlock()
	close(f.done)
	r.report(next, changed, err)
	if r.o.Fetched != nil && r.ctx.Err() == nil {
		r.o.Fetched(err)
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *remote) report(next *snapshot, changed bool, err error) {
	log := r.o.Logger.With(slog.String("source", r.kind), slog.String("url", Shown(r.url)))
	switch {
	case err != nil && r.ctx.Err() == nil:
		log.Warn("fetching the keys of an issuer failed", slog.String("error", err.Error()))
		if next != nil {
			log.Warn("the keys that were fetched before the restart serve meanwhile", slog.Time("fetched", next.fetched), slog.Time("until", next.usableUntil))
		}
	case changed:
		log.Info("the keys of an issuer have changed", slog.Int("keys", len(next.set.all)), slog.Int("skipped", len(next.skipped)))
	}
}

// loop fetches in the background from the first use on, a little before the
// keys go stale and, after failures, with growing pauses.
func (r *remote) loop() {
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.wake:
		case <-r.o.After(r.pause()):
			now := r.o.Now()
			if s := r.snap.Load(); s == nil || !now.Before(s.refreshAt) {
				r.refresh(now)
			}
		}
	}
}

func (r *remote) pause() time.Duration {
	now := r.o.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(r.due().Sub(now), time.Second)
}

// due is when the background fetches next. The mutex is held.
func (r *remote) due() time.Time {
	if s := r.snap.Load(); s != nil && s.refreshAt.After(r.nextTry) {
		return s.refreshAt
	}
	return r.nextTry
}

// Generation is even while the set is usable and one more once it was
// forgotten, so that what was verified under it is not trusted any longer.
func (r *remote) Generation() uint64 {
	// The count before the set: the other way round, a fetch in between could
	// give the answer that will be right once the new set is forgotten.
	n := r.gen.Load()
	if s := r.snap.Load(); s != nil && !r.o.Now().Before(s.usableUntil) {
		return n + 1
	}
	return n
}

func (r *remote) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	st := Status{Kind: r.kind, URL: Shown(r.url), Generation: r.Generation(), Fetches: r.fetches, Fetching: r.flight != nil, LastAttempt: r.lastTry}
	if r.lastErr != nil {
		st.LastError = r.lastErr.Error()
	}
	if s := r.snap.Load(); s != nil {
		st.LastSuccess, st.FreshUntil, st.UsableUntil, st.Restored = s.fetched, s.freshUntil, s.usableUntil, s.restored
		if r.o.Now().Before(s.usableUntil) {
			st.Keys, st.Skipped, st.Held = len(s.set.all), s.skipped, s.set.describe()
		}
	}
	if r.kept != nil {
		st.Kept = r.kept.fetched
	}
	if r.looping && !r.closed {
		st.NextFetch = r.due()
	}
	return st
}

func (r *remote) Probe(ctx context.Context) error {
	r.mu.Lock()
	f := r.start(r.o.Now())
	r.mu.Unlock()
	if f == nil {
		return fault.New(fault.Invalid, "the key source is closed").WithReason("key_source_unusable")
	}
	if err := f.wait(ctx); err != nil {
		return err
	}
	if f.err != nil {
		return fault.Wrap(fault.Invalid, f.err, "the key source does not work: "+f.err.Error()).WithReason("key_source_unusable")
	}
	return nil
}

func (r *remote) Close() {
	r.forget()
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.wg.Wait()
}
