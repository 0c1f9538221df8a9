package session

import (
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/identity"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// breakable opens nodes whose calls of the storage a test can make fail.
type breakable struct {
	*node
	db storage.Store // what is stored, as it lies
	on func(storage.Store) *node
}

func newBreakable(t *testing.T) *breakable {
	t.Helper()
	clk := newClock()
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: clk.Now, SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	kr := seal.NewKeyring(clk.Now())
	b := &breakable{node: newNode(t, db, kr, clk), db: db}
	b.on = func(s storage.Store) *node {
		sealed := seal.Wrap(s, kr)
		w := *b.world
		w.Store = New(Options{Storage: sealed, Keys: kr, Identities: b.ids, Now: clk.Now})
		return &node{world: &w, ids: b.ids}
	}
	return b
}

// login returns the token of a login that works.
func (b *breakable) login(change func(*IssueOptions)) Issued {
	b.Helper()
	is, err := b.signIn("alice", change, nil)
	if err != nil {
		b.Fatal(err)
	}
	return is
}

// Whatever call of the storage fails, an operation leaves nothing behind, says
// that the storage is unavailable, and works when it is asked again.
func TestEveryWriteIsAllOrNothing(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *breakable) func(*node) error{
		"login": func(_ *testing.T, b *breakable) func(*node) error {
			if _, _, err := b.ids.WriteGroupAlias(b.Context(), identity.GroupAliasChange{Name: "admins", MountAccessor: "auth_jwt_1"}); err != nil {
				b.Fatal(err)
			}
			return func(n *node) error {
				is, err := n.signIn("carol", nil, nil)
				if err != nil && is.ClientToken != "" {
					n.mustFail(is)
				}
				return err
			}
		},
		"create with a role and an alias": func(t *testing.T, b *breakable) func(*node) error {
			is := b.login(nil)
			err := b.UpdateRole(t.Context(), "r", func(r *Role) error {
				r.AllowedEntityAliases = []string{"*"}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return func(n *node) error {
				got, err := n.Create(t.Context(), CreateOptions{
					Parent: is.Token.ID, RoleName: "r", EntityAlias: "bob", AliasMount: "auth_token_1", AliasEntity: b.ids.EnsureAlias,
				})
				return onlyWith(t, err, got.ClientToken)
			}
		},
		"create with a chosen text": func(t *testing.T, b *breakable) func(*node) error {
			is := b.login(nil)
			return func(n *node) error {
				got, err := n.Create(t.Context(), CreateOptions{Parent: is.Token.ID, Sudo: true, ID: "chosen-by-hand", Policies: []string{"demo"}})
				return onlyWith(t, err, got.ClientToken)
			}
		},
		"renew": func(t *testing.T, b *breakable) func(*node) error {
			is := b.login(nil)
			b.clock.Add(time.Minute)
			return func(n *node) error {
				_, err := n.Renew(t.Context(), is.Token.ID, time.Minute, func(storage.ReadTx, Token) (Limits, error) { return Limits{}, nil })
				return err
			}
		},
		"use counted": func(t *testing.T, b *breakable) func(*node) error {
			is := b.login(func(o *IssueOptions) { o.NumUses = 2 })
			return func(n *node) error {
				p, err := n.Authenticate(t.Context(), is.ClientToken, here)
				if err != nil && p != nil {
					t.Error("a principal came with an error")
				}
				return err
			}
		},
		"last use": func(t *testing.T, b *breakable) func(*node) error {
			is := b.login(func(o *IssueOptions) { o.NumUses = 1 })
			return func(n *node) error {
				_, err := n.Authenticate(t.Context(), is.ClientToken, here)
				return err
			}
		},
		"revoke": func(t *testing.T, b *breakable) func(*node) error {
			is := b.login(nil)
			return func(n *node) error { return n.Revoke(t.Context(), is.ClientToken) }
		},
		"revoke by accessor": func(t *testing.T, b *breakable) func(*node) error {
			is := b.login(nil)
			return func(n *node) error {
				_, err := n.RevokeAccessor(t.Context(), is.Token.Accessor)
				return err
			}
		},
		"revoke by lease": func(t *testing.T, b *breakable) func(*node) error {
			is := b.login(nil)
			return func(n *node) error { return n.RevokeLease(t.Context(), is.Token.LeaseID()) }
		},
		"revoke without the children": func(t *testing.T, b *breakable) func(*node) error {
			is := b.login(nil)
			b.child(is, nil)
			return func(n *node) error { return n.RevokeOrphan(t.Context(), is.ClientToken) }
		},
		"revoke all of a mount": func(t *testing.T, b *breakable) func(*node) error {
			for range 3 {
				b.login(nil)
			}
			return func(n *node) error { return n.RevokePrefix(t.Context(), "auth/jwt/") }
		},
		"wrap": func(t *testing.T, _ *breakable) func(*node) error {
			return func(n *node) error {
				w, err := n.Wrap(t.Context(), WrapOptions{TTL: time.Minute, Path: "secret/data/x", Body: []byte("{}")})
				return onlyWith(t, err, w.Token)
			}
		},
		"unwrap": func(t *testing.T, b *breakable) func(*node) error {
			w := b.wrapped()
			return func(n *node) error {
				body, err := n.Unwrap(t.Context(), w.Token)
				return onlyWith(t, err, string(body))
			}
		},
		"rewrap": func(t *testing.T, b *breakable) func(*node) error {
			w := b.wrapped()
			return func(n *node) error {
				got, err := n.Rewrap(t.Context(), w.Token)
				return onlyWith(t, err, got.Token)
			}
		},
		"write a role": func(t *testing.T, _ *breakable) func(*node) error {
			return func(n *node) error {
				return n.UpdateRole(t.Context(), "r", func(*Role) error { return nil })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBreakable(t)
			op := prepare(t, b)
			storagetest.AllOrNothing(t, b.db, func(s storage.Store) error { return op(b.on(s)) })
		})
	}
}

// onlyWith complains of an answer that comes with an error.
func onlyWith(t *testing.T, err error, answer string) error {
	t.Helper()
	if (err == nil) == (answer == "") {
		t.Errorf("answer of %d bytes with error %v", len(answer), err)
	}
	return err
}

// Listing says so when the storage fails, and never shows a part as the whole.
func TestListsAreWholeOrFail(t *testing.T) {
	b := newBreakable(t)
	for range 3 {
		b.login(nil)
	}
	for _, r := range []string{"a", "b"} {
		if err := b.UpdateRole(t.Context(), r, func(*Role) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	for name, list := range map[string]func(*node) (int, error){
		"leases": func(n *node) (int, error) { l, err := n.Leases(t.Context(), "auth/jwt/login", 100); return len(l), err },
		"roles":  func(n *node) (int, error) { l, err := n.Roles(t.Context()); return len(l) + 1, err },
		"accessors": func(n *node) (count int, err error) {
			err = n.Accessors(t.Context(), func(string) bool { count++; return true })
			return count, err
		},
	} {
		var got int
		storagetest.FailEachCall(t, b.db, func(s storage.Store) (err error) {
			got, err = list(b.on(s))
			return err
		}, func(bool) error { return nil })
		if got != 3 {
			t.Errorf("%s: %d of 3", name, got)
		}
	}
}

// An unwrap whose answer was lost gives nothing away and cannot be repeated:
// the second attempt sounds the alarm that the token was used.
func TestUnwrapWithLostAnswerIsOver(t *testing.T) {
	for name, unwrap := range map[string]func(*testing.T, *node, Wrapped) (string, error){
		"unwrap": func(t *testing.T, n *node, w Wrapped) (string, error) {
			b, err := n.Unwrap(t.Context(), w.Token)
			return string(b), err
		},
		"rewrap": func(t *testing.T, n *node, w Wrapped) (string, error) {
			got, err := n.Rewrap(t.Context(), w.Token)
			return got.Token, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBreakable(t)
			w := b.wrapped()
			got, err := unwrap(t, b.on(storagetest.LoseAnswers(b.db)), w)
			if got != "" || !fault.Is(err, fault.Unavailable) {
				t.Fatal(got, err)
			}
			_, err = unwrap(t, b.node, w)
			refused(t, err, fault.Invalid, wrapGone)
		})
	}
}

// The only use of a token whose answer was lost is gone.
func TestLastUseWithLostAnswerIsOver(t *testing.T) {
	b := newBreakable(t)
	is := b.login(func(o *IssueOptions) { o.NumUses = 1 })
	if p, err := b.on(storagetest.LoseAnswers(b.db)).Authenticate(t.Context(), is.ClientToken, here); p != nil || !fault.Is(err, fault.Unavailable) {
		t.Fatal(p, err)
	}
	b.mustFail(is)
}

func TestOneOfManyUnwraps(t *testing.T) {
	onBothDrivers(t, func(t *testing.T, open func() *node) {
		nodes := []*node{open(), open()}
		w := nodes[0].wrapped()
		var wg sync.WaitGroup
		bodies := make(chan string, 12)
		for i := range cap(bodies) {
			wg.Go(func() {
				for {
					body, err := nodes[i%2].Unwrap(t.Context(), w.Token)
					switch {
					case err == nil:
						bodies <- string(body)
					case fault.Is(err, fault.Unavailable):
						continue // nothing has happened: the caller tries again
					case !fault.Is(err, fault.Invalid):
						t.Error(err)
					}
					return
				}
			})
		}
		wg.Wait()
		if len(bodies) != 1 || <-bodies != `{"n":1.0}` {
			t.Fatalf("%d callers of 12 unwrapped", len(bodies))
		}
	})
}
