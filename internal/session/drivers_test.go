package session

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/identity"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/postgres"
	"github.com/jotgate/jotgate/internal/storage/postgres/pgtest"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// node is one server's view of the store: tokens and identities together.
type node struct {
	*world
	ids *identity.Store
}

// onBothDrivers runs a test on each driver, with an opener for further nodes.
// The embedded driver has one node only, which then stands for all.
func onBothDrivers(t *testing.T, test func(t *testing.T, open func() *node)) {
	t.Run("embedded", func(t *testing.T) {
		clk := newClock()
		db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clk.Now, SweepEvery: -1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		kr := seal.NewKeyring(clk.Now())
		test(t, func() *node { return newNode(t, db, kr, clk) })
	})
	t.Run("postgres", func(t *testing.T) {
		clk := newClock()
		dsn := pgtest.DSN(t)
		kr := seal.NewKeyring(clk.Now())
		test(t, func() *node {
			db, err := postgres.Open(t.Context(), dsn, postgres.Options{Now: clk.Now, SweepEvery: -1, PollEvery: 10 * time.Millisecond, Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			return newNode(t, db, kr, clk)
		})
	})
}

func newNode(t *testing.T, db storage.Store, kr *seal.Keyring, clk *clock) *node {
	t.Helper()
	sealed := seal.Wrap(storagetest.Twice(db), kr)
	ids, err := identity.Open(t.Context(), identity.Options{
		Storage: sealed, Keys: kr,
		Mounts: func(string) (identity.Mount, bool) { return identity.Mount{Path: "auth/jwt/", Type: "jwt"}, true },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ids.Close)
	return &node{
		world: &world{TB: t, clock: clk, Store: New(Options{Storage: sealed, Keys: kr, Identities: ids, Now: clk.Now})},
		ids:   ids,
	}
}

// signIn is a whole login: identity and token in one transaction.
func (n *node) signIn(name string, change func(*IssueOptions), then error) (is Issued, err error) {
	err = n.db.Update(n.Context(), func(tx storage.Tx) error {
		ref, err := n.ids.Resolve(tx, identity.Login{MountAccessor: "auth_jwt_1", AliasName: name, Metadata: map[string]string{"role": "demo"}})
		if err != nil {
			return err
		}
		o := login()
		o.EntityID = ref.ID
		if change != nil {
			change(&o)
		}
		if is, err = n.Issue(tx, o); err != nil {
			return err
		}
		return then
	})
	return is, err
}

func TestLoginIsAllOrNothing(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, open func() *node) {
		n := open()
		boom := errors.New("boom")
		is, err := n.signIn("alice", nil, boom)
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		n.mustFail(is)
		if e, err := n.ids.EntityByAlias(t.Context(), "auth_jwt_1", "alice"); e != nil || err != nil {
			t.Fatal("a failed login left an entity", e, err)
		}
		if names, err := n.Leases(t.Context(), "", 10); len(names) != 0 || err != nil {
			t.Fatal("a failed login left a lease", names, err)
		}
		if is, err = n.signIn("alice", nil, nil); err != nil {
			t.Fatal(err)
		}
		n.mustWork(is)
	})
}

func TestAnotherNodeSeesTokensAndTheirEnd(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, open func() *node) {
		one, two := open(), open()
		is, err := one.signIn("alice", nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		two.mustWork(is)
		child := two.child(is, nil)
		one.mustWork(child)
		if err := one.Revoke(t.Context(), is.ClientToken); err != nil {
			t.Fatal(err)
		}
		two.mustFail(is)
		two.mustFail(child)
	})
}

func TestLastUseIsSharedByNobody(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, open func() *node) {
		nodes := []*node{open(), open()}
		is, err := nodes[0].signIn("alice", func(o *IssueOptions) { o.NumUses = 3 }, nil)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		ok := 0
		for i := range 12 {
			wg.Go(func() {
				for {
					_, err := nodes[i%2].Authenticate(t.Context(), is.ClientToken, here)
					if errors.Is(err, storage.ErrConflict) {
						continue // nothing was counted: the caller tries again
					}
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						ok++
					} else if !fault.Is(err, fault.Denied) {
						t.Error(err)
					}
					return
				}
			})
		}
		wg.Wait()
		if ok != 3 {
			t.Fatalf("%d uses of 3", ok)
		}
	})
}

func TestFirstLoginsOnManyNodesMakeOneEntity(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, open func() *node) {
		nodes := []*node{open(), open()}
		var wg sync.WaitGroup
		ids := make([]string, 8)
		for i := range ids {
			wg.Go(func() {
				for {
					is, err := nodes[i%2].signIn("alice", nil, nil)
					if errors.Is(err, storage.ErrConflict) {
						continue
					}
					if err != nil {
						t.Error(err)
					}
					ids[i] = is.Token.EntityID
					return
				}
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] || id == "" {
				t.Fatal("several entities for one subject", fmt.Sprint(ids))
			}
		}
	})
}

// TestAProofMovesTheEndAndTakesPolicies: and it never moves the end back, gives
// a policy, or stays when it is refused.
func TestAProofMovesTheEndAndTakesPolicies(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, open func() *node) {
		n := open()
		o := login()
		o.Policies, o.NotAfter = []string{"a", "b"}, n.clock.Now().Add(10*time.Minute)
		is := n.issue(o)
		renew := func(p Proof, err error) (Renewed, error) {
			p.Limits = o.Limits
			return n.RenewProven(t.Context(), is.Token.ID, 0, func(tx storage.Tx, _ Token) (Proof, error) {
				if perr := tx.Put([]byte("test/proof"), []byte{1}, time.Time{}); perr != nil {
					t.Error(perr)
				}
				return p, err
			})
		}
		now := n.clock.Now()
		for _, tc := range []struct {
			name  string
			proof Proof
			ttl   time.Duration
			want  string
		}{
			{"nothing proven", Proof{Policies: []string{"a"}, NotAfter: now.Add(time.Hour)}, 10 * time.Minute, "[a b default]"},
			{"an earlier end", Proof{Proven: true, Policies: []string{"a", "b", "c", "default"}, NotAfter: now.Add(time.Minute)}, 10 * time.Minute, "[a b default]"},
			{"a later end", Proof{Proven: true, Policies: []string{"b", "c", "default"}, NotAfter: now.Add(20 * time.Minute)}, 20 * time.Minute, "[b default]"},
			{"past what the role gives", Proof{Proven: true, Policies: []string{"a", "b"}, NotAfter: now.Add(1000 * time.Hour)}, time.Hour, "[b]"},
		} {
			if r, err := renew(tc.proof, nil); err != nil || r.TTL != tc.ttl || fmt.Sprint(r.Token.Policies) != tc.want {
				t.Errorf("%s: %v, policies %v, %v", tc.name, r.TTL, r.Token.Policies, err)
			}
		}
		if err := n.db.Update(t.Context(), func(tx storage.Tx) error { return tx.Delete([]byte("test/proof")) }); err != nil {
			t.Fatal(err)
		}
		_, err := renew(Proof{Proven: true, NotAfter: now.Add(time.Hour)}, fault.New(fault.Invalid, "no"))
		refused(t, err, fault.Invalid, "no")
		err = n.db.View(t.Context(), func(tx storage.ReadTx) error {
			_, err := tx.Get([]byte("test/proof"))
			return err
		})
		if tok, lerr := n.Lookup(t.Context(), is.ClientToken); !errors.Is(err, storage.ErrNotFound) || lerr != nil || fmt.Sprint(tok.Policies) != "[b]" {
			t.Errorf("a refused renewal left something: %v, %v, %v", err, lerr, tok.Policies)
		}
	})
}
