package authjwt

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// mutable is a store that tests put other stores in place of.
type mutable struct {
	storage.Store
	broken storage.Store // nil = none
	after  func()        // called once, when the next Update has been committed
}

func (m *mutable) use() storage.Store {
	if m.broken != nil {
		return m.broken
	}
	return m.Store
}

func (m *mutable) View(ctx context.Context, fn func(storage.ReadTx) error) error {
	return m.use().View(ctx, fn)
}

func (m *mutable) Update(ctx context.Context, fn func(storage.Tx) error) error {
	err := m.use().Update(ctx, fn)
	if after := m.after; after != nil {
		m.after = nil
		after()
	}
	return err
}

func openMutable(t *testing.T) (*mutable, node, *idptest.Key) {
	t.Helper()
	raw, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	m := &mutable{Store: raw}
	ns, _ := nodesOn(t, m, 1)
	k := idptest.NewKey(t, "", jwt.ES256)
	ns[0].config(t, k)
	ns[0].role(t, "r", params{"policies": []string{"p"}})
	return m, ns[0], k
}

// Whatever call of the storage fails, a login leaves nothing behind, gives no
// token and says that the storage is unavailable, for both kinds of token.
func TestLoginIsAllOrNothing(t *testing.T) {
	for _, kind := range []string{"service", "batch"} {
		t.Run(kind, func(t *testing.T) {
			m, n, k := openMutable(t)
			n.role(t, "r", params{"token_type": kind})
			raw := token(t, k)
			storagetest.AllOrNothing(t, m.Store, func(s storage.Store) error {
				m.broken = s
				defer func() { m.broken = nil }()
				n.state(testMount.UUID).suspect() // read role and configuration, too
				res, err := n.login(raw)
				if (err == nil) != (res.Issued.ClientToken != "") {
					t.Errorf("%v and a token of %d bytes", err, len(res.Issued.ClientToken))
				}
				return err
			})
		})
	}
}

// A role that is stored is in force, even if the answer to its writer was lost;
// while it cannot be read, nobody logs in by it.
func TestRoleWithLostAnswerIsInForce(t *testing.T) {
	m, n, k := openMutable(t)
	raw := token(t, k)
	if _, err := n.login(raw); err != nil {
		t.Fatal(err)
	}
	m.broken = storagetest.LoseAnswers(m.Store)
	_, err := n.WriteRole(t.Context(), testMount, "r", params{"role_type": "jwt", "user_claim": "sub", "bound_subject": "somebody else"}, nil)
	if !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	down := &storagetest.Breaker{Store: m.Store}
	down.NoViews.Store(true)
	m.broken = down
	if _, err := n.login(raw); !fault.Is(err, fault.Unavailable) {
		t.Error("a login by a role that cannot be read:", err)
	}
	m.broken = nil
	if _, err := n.login(raw); !fault.Is(err, fault.Invalid) {
		t.Error("a login by the old role:", err)
	}
}

// What is left of a mount that is gone is removed later, and nothing of a mount
// that is still there.
func TestSweepRemovesWhatIsLeftOfAMount(t *testing.T) {
	m, n, k := openMutable(t)
	stored := true
	sweep := func() {
		t.Helper()
		err := n.Sweep(t.Context(), func(_ storage.ReadTx, uuid string) (bool, error) {
			if uuid != testMount.UUID {
				t.Errorf("asked for the mount %q", uuid)
			}
			return stored, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	sweep()
	if _, err := n.login(token(t, k)); err != nil {
		t.Fatal("of a mount that is there:", err)
	}
	stored = false
	sweep()
	for key := range storagetest.Dump(t, m.Store) {
		if strings.HasPrefix(key, keyPrefix) {
			t.Errorf("%q is left", key)
		}
	}
}

// Of two configurations that are written at the same time the one that is
// stored counts, on the node whose own write was the earlier one, too.
func TestTheStoredConfigurationCounts(t *testing.T) {
	raw, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	m := &mutable{Store: raw}
	ns, _ := nodesOn(t, m, 2)
	early, late := ns[0], ns[1]
	old, now := idptest.NewKey(t, "", jwt.ES256), idptest.NewKey(t, "", jwt.ES256)
	early.config(t, old)
	early.role(t, "r", nil)
	early.stop() // so that the notice comes when this test says so
	m.after = func() {
		late.config(t, now)
		early.changed(nil) // it outruns the early writer
	}
	early.config(t, old)
	if _, err := early.login(token(t, old)); err == nil {
		t.Error("a key that is not configured any more is taken")
	}
	if _, err := early.login(token(t, now)); err != nil {
		t.Error(err)
	}
}

// Whatever call of the storage fails, a renewal with a JWT changes all or
// nothing: not the token alone, and not the alias alone.
func TestRenewalIsAllOrNothing(t *testing.T) {
	m, n, k := openMutable(t)
	n.role(t, "r", params{"token_ttl_from_exp": true, "token_ttl": "5m", "claim_mappings": map[string]string{"jti": "id"}})
	res, err := n.login(token(t, k))
	if err != nil {
		t.Fatal(err)
	}
	raw := k.Token(t, map[string]any{"sub": "user", "jti": "second", "exp": time.Now().Unix() + 900})
	storagetest.AllOrNothing(t, m.Store, func(s storage.Store) error {
		m.broken = s
		defer func() { m.broken = nil }()
		n.state(testMount.UUID).suspect()
		got, err := n.Renew(context.Background(), Renewal{Mount: testMount, Token: res.Issued.Token, JWT: raw, ID: "id"})
		if (err == nil) != (got.TTL > 0) {
			t.Errorf("%v and a life of %s", err, got.TTL)
		}
		return err
	})
}
