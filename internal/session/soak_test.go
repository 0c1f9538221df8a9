package session

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// soaked is a token of the soak and what is certain of it.
type soaked struct {
	is      Issued
	parent  *soaked
	end     time.Time // no renewal may pass it
	revoked atomic.Bool
}

// over reports whether the token, or one that it hangs on, was certainly over
// at a time.
func (s *soaked) over(now time.Time) bool {
	for t := s; t != nil; t = t.parent {
		if t.revoked.Load() || !now.Before(t.end) {
			return true
		}
	}
	return false
}

// soak is two nodes over one store. The store's clock is the one that counts;
// those of the nodes differ from it and from each other.
type soak struct {
	*world
	nodes  [2]*Store
	clocks [2]*clock

	mu     sync.Mutex
	tokens []*soaked
}

func newSoak(t *testing.T) *soak {
	s := &soak{world: newWorld(t)}
	for i := range s.nodes {
		s.clocks[i] = newClock()
		s.nodes[i] = New(Options{Storage: s.db, Keys: s.keys, Now: s.clocks[i].Now})
	}
	s.clocks[1].Add(7 * time.Second)
	return s
}

func (s *soak) add(t *soaked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens = append(s.tokens, t)
}

func (s *soak) pick(r *rand.Rand) *soaked {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tokens) == 0 {
		return nil
	}
	return s.tokens[r.IntN(len(s.tokens))]
}

// step does one random thing on a random node.
func (s *soak) step(r *rand.Rand) error {
	node, before := s.nodes[r.IntN(len(s.nodes))], s.clock.Now()
	t := s.pick(r)
	action := r.IntN(12)
	if t == nil {
		action = 0
	}
	switch action {
	case 0, 1:
		return s.login(r, node)
	case 2, 3:
		return s.child(r, node, t)
	case 4:
		if err := node.Revoke(s.Context(), t.is.ClientToken); err == nil {
			t.revoked.Store(true)
		} else if !fault.Is(err, fault.Invalid) {
			return err
		}
		return nil
	case 5:
		s.clock.Add(time.Duration(r.Int64N(int64(15 * time.Second))))
		for _, c := range s.clocks {
			c.Add(time.Duration(r.Int64N(int64(30*time.Second))) - 10*time.Second)
		}
		return nil
	case 6, 7:
		inc := time.Duration(r.IntN(200)) * time.Second
		over := t.over(before) // as Authenticate below: somebody may revoke it right after
		got, err := node.Renew(s.Context(), t.is.Token.ID, inc, func(storage.ReadTx, Token) (Limits, error) {
			return Limits{MaxTTL: t.end.Sub(t.is.Token.Created)}, nil
		})
		if err == nil && (got.Token.Expires.After(t.end) || over) {
			return fmt.Errorf("renewed at %v to %v, its end is %v", before, got.Token.Expires, t.end)
		}
		return nil
	}
	over := t.over(before)
	p, err := node.Authenticate(s.Context(), t.is.ClientToken, here)
	switch {
	case err != nil:
		return refusal(err)
	case over:
		return fmt.Errorf("usable at %v although it or its parent is gone (end %v)", before, t.end)
	case !before.Before(p.Attrs().Expires):
		return fmt.Errorf("usable at %v, after its time %v", before, p.Attrs().Expires)
	}
	return nil
}

// refusal passes refusals and returns every other error.
func refusal(err error) error {
	if fault.Is(err, fault.Denied) || fault.Is(err, fault.Invalid) {
		return nil
	}
	return err
}

func (s *soak) login(r *rand.Rand, node *Store) error {
	o := login()
	ttl := time.Duration(1+r.IntN(90)) * time.Second
	o.Limits = Limits{TTL: ttl, MaxTTL: 2 * ttl}
	if r.IntN(4) == 0 {
		o.Type = Batch
	}
	t := &soaked{}
	err := s.db.Update(s.Context(), func(tx storage.Tx) (err error) {
		t.is, err = node.Issue(tx, o)
		return err
	})
	if err != nil {
		return err
	}
	t.end = t.is.Token.Created.Add(2 * ttl)
	s.add(t)
	return nil
}

func (s *soak) child(r *rand.Rand, node *Store, parent *soaked) error {
	ttl := time.Duration(1+r.IntN(90)) * time.Second
	o := CreateOptions{Parent: parent.is.Token.ID, Policies: []string{"default"}, TTL: ttl, ExplicitMaxTTL: 2 * ttl}
	if r.IntN(3) == 0 {
		o.Type, o.ExplicitMaxTTL = "batch", 0
	}
	is, err := node.Create(s.Context(), o)
	if err != nil {
		return refusal(err)
	}
	s.add(&soaked{is: is, parent: parent, end: is.Token.Created.Add(2 * ttl)})
	return nil
}

// Logins, children, renewals and revocations on two nodes while all
// clocks jump, all at once: whoever gets in has a parent that is there and time
// that is left.
func TestSoakNeverLeavesAUsableTokenBehind(t *testing.T) {
	s := newSoak(t)
	steps := 400
	if testing.Short() {
		steps = 60
	}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1)) //nolint:gosec // a test wants to repeat itself
			for range steps {
				if err := s.step(r); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()

	// When every end is past, nothing is usable and nothing is listed.
	s.clock.Add(time.Hour)
	for _, tok := range s.tokens {
		for _, node := range s.nodes {
			if _, err := node.Authenticate(t.Context(), tok.is.ClientToken, here); !fault.Is(err, fault.Denied) {
				t.Fatalf("after everything: %v", err)
			}
		}
	}
	if n, err := s.nodes[0].CountLeases(t.Context(), "", 1); n != 0 || err != nil {
		t.Errorf("%d leases are left, %v", n, err)
	}
}
