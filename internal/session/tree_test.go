package session

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// modelToken is a token in the slow, obvious model of the tree.
type modelToken struct {
	is      Issued
	parent  *modelToken
	batch   bool
	gone    bool      // revoked
	expires time.Time // zero = never
	uses    int       // left; -1 = unlimited
	max     time.Time // explicit end
}

func (m *modelToken) alive(now time.Time) bool {
	for t := m; t != nil; t = t.parent {
		if t.gone || t.uses == 0 || (!t.expires.IsZero() && !now.Before(t.expires)) {
			return false
		}
	}
	return true
}

// tree drives the store and the model side by side.
type tree struct {
	*world
	rt     *rapid.T
	tokens []*modelToken
}

func (tr *tree) pick() *modelToken {
	return rapid.SampledFrom(tr.tokens).Draw(tr.rt, "token")
}

func (tr *tree) now() time.Time { return tr.clock.Now() }

func (tr *tree) login(rt *rapid.T) {
	o := login()
	ttl := time.Duration(rapid.IntRange(1, 100).Draw(rt, "ttl")) * time.Second
	o.Limits = Limits{TTL: ttl, MaxTTL: 3 * ttl}
	m := &modelToken{uses: -1}
	switch rapid.IntRange(0, 3).Draw(rt, "kind") {
	case 0:
		o.Type, m.batch = Batch, true
	case 1:
		o.NumUses = rapid.IntRange(1, 3).Draw(rt, "uses")
		m.uses = o.NumUses
	}
	m.is = tr.issue(o)
	m.expires, m.max = tr.now().Add(ttl), tr.now().Add(3*ttl)
	tr.tokens = append(tr.tokens, m)
}

func (tr *tree) create(rt *rapid.T) {
	p := tr.pick()
	o := CreateOptions{Parent: p.is.Token.ID, Policies: []string{"default"}}
	o.TTL = time.Duration(rapid.IntRange(1, 100).Draw(rt, "ttl")) * time.Second
	o.OrphanPath = rapid.Bool().Draw(rt, "orphan")
	m := &modelToken{uses: -1, expires: tr.now().Add(o.TTL), max: tr.now().Add(SystemTTL)}
	if rapid.IntRange(0, 4).Draw(rt, "batch") == 0 {
		o.Type, m.batch = "batch", true
	}
	is, err := tr.Create(tr.Context(), o)
	allowed := p.alive(tr.now()) && !p.batch && p.uses == -1
	if (err == nil) != allowed {
		rt.Fatalf("create: %v, allowed %v", err, allowed)
	}
	if err != nil {
		return
	}
	if m.is = is; !o.OrphanPath {
		m.parent = p
	}
	tr.tokens = append(tr.tokens, m)
}

func (tr *tree) revoke(*rapid.T) {
	m := tr.pick()
	err := tr.Revoke(tr.Context(), m.is.ClientToken)
	if m.batch {
		if !fault.Is(err, fault.Invalid) {
			tr.rt.Fatal(err)
		}
		return
	}
	if err != nil {
		tr.rt.Fatal(err)
	}
	m.gone = true
}

func (tr *tree) revokeOrphan(*rapid.T) {
	m := tr.pick()
	err := tr.RevokeOrphan(tr.Context(), m.is.ClientToken)
	if (err == nil) != (!m.batch && m.alive(tr.now())) {
		tr.rt.Fatalf("revoke-orphan: %v", err)
	}
	if err != nil {
		return
	}
	m.gone = true
	for _, c := range tr.tokens {
		if c.parent == m {
			c.parent = nil
		}
	}
}

func (tr *tree) use(rt *rapid.T) {
	m := tr.pick()
	_, err := tr.Authenticate(tr.Context(), m.is.ClientToken, here)
	if (err == nil) != m.alive(tr.now()) {
		rt.Fatalf("use: %v, model alive %v", err, m.alive(tr.now()))
	}
	if err == nil && m.uses > 0 {
		m.uses--
	}
}

func (tr *tree) renew(rt *rapid.T) {
	m := tr.pick()
	inc := time.Duration(rapid.IntRange(0, 200).Draw(rt, "increment")) * time.Second
	var l Limits
	if m.parent == nil && m.is.Token.Mount == "auth/jwt/" {
		l.MaxTTL = m.max.Sub(m.is.Token.Created)
	}
	r, err := tr.Renew(tr.Context(), m.is.Token.ID, inc, func(storage.ReadTx, Token) (Limits, error) { return l, nil })
	if (err == nil) != (!m.batch && m.alive(tr.now())) {
		rt.Fatalf("renew: %v", err)
	}
	if err != nil {
		return
	}
	if r.Token.Expires.After(m.max) {
		rt.Fatalf("renewed past the end: %v > %v", r.Token.Expires, m.max)
	}
	m.expires = r.Token.Expires
}

func (tr *tree) pass(rt *rapid.T) {
	tr.clock.Add(time.Duration(rapid.Int64Range(1, int64(40*time.Second)).Draw(rt, "pass")))
}

func (tr *tree) tidy(rt *rapid.T) {
	if _, err := tr.Tidy(tr.Context()); err != nil {
		rt.Fatal(err)
	}
}

// check compares every token with the model, without taking uses.
func (tr *tree) check(rt *rapid.T) {
	live := map[string]bool{}
	if err := tr.Accessors(tr.Context(), func(a string) bool { live[a] = true; return true }); err != nil {
		rt.Fatal(err)
	}
	for i, m := range tr.tokens {
		want := m.alive(tr.now())
		_, err := tr.Lookup(tr.Context(), m.is.ClientToken)
		if (err == nil) != want {
			rt.Fatalf("token %d: lookup %v, model alive %v", i, err, want)
		}
		if m.batch {
			continue
		}
		if live[m.is.Token.Accessor] != want {
			rt.Fatalf("token %d: listed %v, model alive %v", i, live[m.is.Token.Accessor], want)
		}
		if _, err := tr.Lease(tr.Context(), m.is.Token.LeaseID()); (err == nil) != want {
			rt.Fatalf("token %d: lease %v, model alive %v", i, err, want)
		}
	}
}

// A usable token whose parent is gone or whose time is over must never exist,
// whatever is done in whatever order at whatever time.
func TestTokenTreeIsLikeTheModel(t *testing.T) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			tr := &tree{world: newWorld(t), rt: rt}
			tr.login(rt)
			rt.Repeat(map[string]func(*rapid.T){
				"": tr.check, "login": tr.login, "create": tr.create, "revoke": tr.revoke, "revoke-orphan": tr.revokeOrphan,
				"use": tr.use, "renew": tr.renew, "pass": tr.pass, "tidy": tr.tidy,
			})
		})
	})
}

func TestRevokingAParentEndsItsLineAtOnce(t *testing.T) {
	w := newWorld(t)
	a := w.issue(login())
	b := w.child(a, nil)
	c := w.child(b, func(o *CreateOptions) { o.Type = "batch" })
	d := w.child(b, func(o *CreateOptions) { o.OrphanPath = true })
	if err := w.RevokeID(t.Context(), a.Token.ID); err != nil {
		t.Fatal(err)
	}
	w.mustFail(b)
	w.mustFail(c)
	w.mustWork(d)
	_, err := w.tryChild(b, nil)
	refused(t, err, fault.Denied, "permission denied")
}

func TestRevokeOrphanLetsChildrenLive(t *testing.T) {
	w := newWorld(t)
	root := w.root()
	a := w.child(root, func(o *CreateOptions) { o.Policies = []string{"x"} })
	b := w.child(a, nil)
	if err := w.RevokeOrphan(t.Context(), a.ClientToken); err != nil {
		t.Fatal(err)
	}
	w.mustFail(a)
	w.mustWork(b)
	got, err := w.Lookup(t.Context(), b.ClientToken)
	if err != nil || !got.Orphan {
		t.Fatal("child must have become an orphan", err)
	}
	if err := w.RevokeID(t.Context(), root.Token.ID); err != nil {
		t.Fatal(err)
	}
	w.mustWork(b)
	refused(t, w.RevokeOrphan(t.Context(), a.ClientToken), fault.Invalid, "token to revoke not found")
}

func TestTidyRemovesTheDeadAndKeepsTheLiving(t *testing.T) {
	w := newWorld(t)
	root := w.root()
	a := w.child(root, nil) // a root token without an end
	b := w.child(a, nil)
	keep := w.child(root, nil)
	kept := w.child(keep, nil)
	if err := w.RevokeID(t.Context(), a.Token.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.RevokeOrphan(t.Context(), keep.ClientToken); err != nil {
		t.Fatal(err)
	}
	done, err := w.Tidy(t.Context())
	if err != nil || done != (Tidied{Tokens: 1}) {
		t.Fatal(done, err)
	}
	w.mustFail(b)
	w.mustWork(kept)
	if err := w.RevokeID(t.Context(), kept.Token.ID); err != nil {
		t.Fatal(err)
	}
	if done, err = w.Tidy(t.Context()); err != nil || done != (Tidied{Ghosts: 1}) {
		t.Fatal(done, err)
	}
}

func TestChainOfParentsIsBounded(t *testing.T) {
	w := newWorld(t)
	at := w.root()
	for i := range MaxDepth {
		next, err := w.tryChild(at, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		at = next
	}
	w.mustWork(at)
	if _, err := w.tryChild(at, nil); !fault.Is(err, fault.Invalid) {
		t.Fatal(err)
	}
}

func TestOneTidyAtATime(t *testing.T) {
	w := newWorld(t)
	w.tidying.Store(true)
	if _, ok, err := w.TryTidy(t.Context()); ok || err != nil {
		t.Errorf("a second run: %v, %v", ok, err)
	}
	w.tidying.Store(false)
	for range 2 {
		if _, ok, err := w.TryTidy(t.Context()); !ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
	}
}
