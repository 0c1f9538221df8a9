package jwks

import (
	"context"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
)

// ErrUnavailable says that the issuer's keys are not in memory and cannot be
// fetched now. Kind Unavailable, reason "keys_unavailable".
var ErrUnavailable = fault.New(fault.Unavailable, "the keys of the token's issuer cannot be fetched at the moment").WithReason("keys_unavailable")

// Source is the keys of one issuer. It is safe for concurrent use.
type Source interface {
	// Keys returns the keys under which a token with this kid may verify, from
	// memory. When no key has the kid it may wait for one bounded fetch, which
	// is rate-limited and shared; under a ctx that is done it never does. It
	// fails with jwt.ErrUnknownKey, with ErrUnavailable, or with ctx's error.
	// Do not change the slice.
	Keys(ctx context.Context, kid string, hasKID bool) ([]*jwt.Key, error)
	// Generation grows whenever the set of keys changes: what was verified
	// under an older one must be verified again.
	Generation() uint64
	// Status tells the operator how the source is doing.
	Status() Status
	// Probe checks the source once, for use when it is configured. It fails
	// with kind Invalid, reason "key_source_unusable", and a text that says
	// which step failed.
	Probe(ctx context.Context) error
	// Close stops the source's background work and waits for it.
	Close()
}

// Status is the state of a Source. It holds nothing that an endpoint answered.
type Status struct {
	Kind        string    `json:"kind"`           // "static", "jwks" or "discovery"
	URL         string    `json:"url,omitempty"`  // configured URL
	Keys        int       `json:"keys"`           // usable keys in memory
	Held        []KeyInfo `json:"held,omitempty"` // the usable keys
	Skipped     []Skipped `json:"skipped,omitempty"`
	Generation  uint64    `json:"generation"`
	Fetches     uint64    `json:"fetches"`  // attempts since the start
	Fetching    bool      `json:"fetching"` // one is under way
	LastAttempt time.Time `json:"last_attempt,omitzero"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	FreshUntil  time.Time `json:"fresh_until,omitzero"`
	UsableUntil time.Time `json:"usable_until,omitzero"` // after that the keys are forgotten unless a fetch succeeds
	NextFetch   time.Time `json:"next_fetch,omitzero"`   // of the background, which begins with the first use
	Restored    bool      `json:"restored,omitempty"`    // the keys are those that were kept over a restart
	Kept        time.Time `json:"kept,omitzero"`         // when the set was fetched that a restart would find
	LastError   string    `json:"last_error,omitempty"`  // step and status of the last failure, empty after a success
}

// KeyInfo describes one public key.
type KeyInfo struct {
	KeyID      string          `json:"key_id,omitempty"`
	Type       jwt.KeyType     `json:"type"`
	Algorithms []jwt.Algorithm `json:"algorithms"`           // that it may verify
	Thumbprint string          `json:"thumbprint,omitempty"` // RFC 7638, SHA-256; none for a symmetric key
}

// Static returns a source of keys that stand in the configuration. A key
// without a kid fits every token.
func Static(keys ...*jwt.Key) Source { return &static{set: newKeySet(keys)} }

type static struct{ set keySet }

func (s *static) Keys(_ context.Context, kid string, hasKID bool) ([]*jwt.Key, error) {
	if found := s.set.find(kid, hasKID); len(found) > 0 {
		return found, nil
	}
	return nil, jwt.ErrUnknownKey
}

func (s *static) Generation() uint64          { return 1 }
func (s *static) Probe(context.Context) error { return nil }
func (s *static) Close()                      {}

func (s *static) Status() Status {
	return Status{Kind: "static", Keys: len(s.set.all), Held: s.set.describe(), Generation: 1}
}

// keySet finds keys by kid without allocating. It is immutable.
type keySet struct {
	all     []*jwt.Key
	without []*jwt.Key // keys that have no kid
	byID    map[string][]*jwt.Key
}

// describe lists the keys for operators.
func (s keySet) describe() []KeyInfo {
	out := make([]KeyInfo, len(s.all))
	for i, k := range s.all {
		out[i] = KeyInfo{KeyID: k.ID(), Type: k.Type(), Algorithms: k.Algorithms(), Thumbprint: k.Thumbprint()}
	}
	return out
}

func newKeySet(keys []*jwt.Key) keySet {
	s := keySet{byID: make(map[string][]*jwt.Key, len(keys))}
	for _, k := range keys {
		if k == nil {
			continue
		}
		s.all = append(s.all, k)
		if !k.HasID() {
			s.without = append(s.without, k)
		}
	}
	for _, k := range s.all {
		if k.HasID() && s.byID[k.ID()] == nil {
			s.byID[k.ID()] = s.named(k.ID())
		}
	}
	return s
}

// named returns the keys with the kid, then those without any.
func (s keySet) named(kid string) []*jwt.Key {
	var out []*jwt.Key
	for _, k := range s.all {
		if k.HasID() && k.ID() == kid {
			out = append(out, k)
		}
	}
	return append(out, s.without...)
}

func (s keySet) find(kid string, hasKID bool) []*jwt.Key {
	if !hasKID {
		return s.all
	}
	if found := s.byID[kid]; found != nil {
		return found
	}
	return s.without
}
