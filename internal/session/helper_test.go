package session

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// clock is a clock that only moves when a test says so.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	c.t = c.t.Add(d)
	c.mu.Unlock()
}

// entities is an identity store with fixed answers.
type entities map[string][]string

func (e entities) EntityPolicies(_ storage.ReadTx, id string) ([]string, error) {
	p, ok := e[id]
	if !ok {
		return nil, fault.New(fault.Denied, "permission denied")
	}
	return p, nil
}

type world struct {
	testing.TB
	*Store
	clock   *clock
	alive   map[string]bool // nil = every mount
	revoked []ID
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, clock: newClock()}
	db, err := embedded.Open(t.TempDir(), embedded.Options{Now: w.clock.Now, SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	w.use(storagetest.Twice(db))
	return w
}

func (w *world) use(db storage.Store) {
	kr := seal.NewKeyring(w.clock.Now())
	w.Store = New(Options{
		Storage: seal.Wrap(db, kr), Keys: kr, Now: w.clock.Now,
		Identities: entities{"ent-1": {"from-group"}, "ent-root": {"root", "x"}},
		MountAlive: func(a string) bool { return w.alive == nil || w.alive[a] },
		OnRevoke: func(_ storage.Tx, id ID) error {
			w.revoked = append(w.revoked, id)
			return nil
		},
	})
}

func login() IssueOptions {
	return IssueOptions{
		Path: "auth/jwt/login", Mount: "auth/jwt/", MountAccessor: "auth_jwt_1", Role: "demo",
		DisplayName: "jwt-alice", Policies: []string{"demo"}, Meta: map[string]string{"role": "demo"},
		Limits: Limits{TTL: time.Hour},
	}
}

func (w *world) issue(o IssueOptions) Issued {
	w.Helper()
	is, err := w.tryIssue(o)
	if err != nil {
		w.Fatal(err)
	}
	return is
}

func (w *world) tryIssue(o IssueOptions) (is Issued, err error) {
	err = w.db.Update(w.Context(), func(tx storage.Tx) error {
		is, err = w.Issue(tx, o)
		return err
	})
	return is, err
}

func (w *world) root() Issued {
	w.Helper()
	var is Issued
	err := w.db.Update(w.Context(), func(tx storage.Tx) (err error) {
		is, err = w.IssueRoot(tx, "")
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return is
}

func (w *world) child(parent Issued, change func(*CreateOptions)) Issued {
	w.Helper()
	is, err := w.tryChild(parent, change)
	if err != nil {
		w.Fatal(err)
	}
	return is
}

func (w *world) tryChild(parent Issued, change func(*CreateOptions)) (Issued, error) {
	o := CreateOptions{Parent: parent.Token.ID, Sudo: parent.Token.IsRoot()}
	if change != nil {
		change(&o)
	}
	return w.Create(w.Context(), o)
}

var here = netip.MustParseAddr("192.0.2.7")

func (w *world) works(is Issued) bool {
	w.Helper()
	_, err := w.Authenticate(w.Context(), is.ClientToken, here)
	if err != nil && !fault.Is(err, fault.Denied) {
		w.Fatal(err)
	}
	return err == nil
}

func (w *world) mustWork(is Issued) {
	w.Helper()
	if !w.works(is) {
		w.Fatal("token must work")
	}
}

func (w *world) mustFail(is Issued) {
	w.Helper()
	if w.works(is) {
		w.Fatal("token must be denied")
	}
}

// refused fails the test unless err has the kind and public text.
func refused(t testing.TB, err error, kind fault.Kind, text string) {
	t.Helper()
	if !fault.Is(err, kind) || fault.PublicText(err) != text {
		t.Fatalf("got %v (%v), want %v %q", err, fault.Of(err), kind, text)
	}
}
