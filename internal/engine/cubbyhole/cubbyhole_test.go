package cubbyhole_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/engine/cubbyhole"
	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

type caller struct{ p *principal.Principal }

func (caller) Record(context.Context, *audit.Entry) error { return nil }
func (caller) RecordPair(context.Context, *audit.Entry, *audit.Entry) error {
	return nil
}
func (c caller) Authenticate(context.Context, *gate.Request) (*principal.Principal, error) {
	return c.p, nil
}

func (caller) Authorise(context.Context, *gate.Request, *principal.Principal) (policy.Decision, gate.Asker, error) {
	return policy.Decision{Allowed: true}, nil, nil
}

func token(id string) *principal.Principal {
	return principal.New(principal.Attrs{Kind: principal.ServiceToken, TokenID: id})
}

func pass(t *testing.T, p *principal.Principal, op gate.Operation, path string, fn func(gate.Pass) error) error {
	t.Helper()
	c := caller{p}
	return gate.New(c, nil).Do(t.Context(), c, &gate.Request{Operation: op, Path: path}, func(_ context.Context, p gate.Pass) (*gate.Result, error) {
		return nil, fn(p)
	})
}

func newEngine(t *testing.T) (*cubbyhole.Engine, storage.Store) {
	t.Helper()
	store, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return cubbyhole.New(storagetest.Twice(store)), store
}

type drawerOf struct {
	t *testing.T
	e *cubbyhole.Engine
	p *principal.Principal
}

func (d drawerOf) write(path, data string) error {
	d.t.Helper()
	return pass(d.t, d.p, "update", "cubbyhole/"+path, func(p gate.Pass) error {
		return d.e.Write(d.t.Context(), p, "cubbyhole/", path, jsontext.Value(data))
	})
}

func (d drawerOf) read(path string) (v jsontext.Value, err error) {
	d.t.Helper()
	err = pass(d.t, d.p, "read", "cubbyhole/"+path, func(p gate.Pass) (err error) {
		v, err = d.e.Read(d.t.Context(), p, "cubbyhole/", path)
		return err
	})
	return v, err
}

func (d drawerOf) list(folder string) (v []string, err error) {
	d.t.Helper()
	err = pass(d.t, d.p, "list", "cubbyhole/"+folder, func(p gate.Pass) (err error) {
		v, err = d.e.List(d.t.Context(), p, "cubbyhole/", folder, drawer.Page{})
		return err
	})
	return v, err
}

func TestEachTokenHasItsOwnDrawer(t *testing.T) {
	e, _ := newEngine(t)
	alice, bob := drawerOf{t, e, token("aa")}, drawerOf{t, e, token("aab")}
	for _, p := range []string{"x", "f/y"} {
		if err := alice.write(p, `{ "k": 1.0 }`); err != nil {
			t.Fatal(err)
		}
	}
	if v, err := alice.read("x"); err != nil || string(v) != `{"k":1.0}` {
		t.Errorf("own value: %s, %v", v, err)
	}
	if l, err := alice.list(""); err != nil || !slices.Equal(l, []string{"f/", "x"}) {
		t.Errorf("own list: %v, %v", l, err)
	}
	if _, err := bob.read("x"); !fault.Is(err, fault.NotFound) {
		t.Errorf("another token's value: %v", err)
	}
	if _, err := bob.list(""); !fault.Is(err, fault.NotFound) {
		t.Errorf("another token's list: %v", err)
	}
	if ok, err := e.Exists(t.Context(), alice.p, "x"); !ok || err != nil {
		t.Errorf("Exists: %v, %v", ok, err)
	}
	if ok, err := e.Exists(t.Context(), bob.p, "x"); ok || err != nil {
		t.Errorf("Exists for another token: %v, %v", ok, err)
	}
	if ok, err := e.Exists(t.Context(), nil, "x"); ok || err != nil {
		t.Errorf("Exists for nobody: %v, %v", ok, err)
	}
	del := func() error {
		return pass(t, alice.p, "delete", "cubbyhole/x", func(p gate.Pass) error { return e.Delete(t.Context(), p, "cubbyhole/", "x") })
	}
	for range 2 {
		if err := del(); err != nil {
			t.Errorf("delete, also of nothing: %v", err)
		}
	}
	if l, err := alice.list(""); err != nil || !slices.Equal(l, []string{"f/"}) {
		t.Errorf("after delete: %v, %v", l, err)
	}
}

func TestOnlyServiceTokensHaveOne(t *testing.T) {
	e, _ := newEngine(t)
	for name, p := range map[string]*principal.Principal{
		"batch": principal.New(principal.Attrs{Kind: principal.BatchToken, TokenID: "aa"}), "jwt": principal.New(principal.Attrs{Kind: principal.BearerJWT}),
		"nameless": token(""), "anonymous": nil,
	} {
		d := drawerOf{t, e, p}
		_, rerr := d.read("x")
		_, lerr := d.list("")
		derr := pass(t, p, "delete", "cubbyhole/x", func(p gate.Pass) error { return e.Delete(t.Context(), p, "cubbyhole/", "x") })
		for _, err := range []error{d.write("x", `{}`), rerr, lerr, derr} {
			if fault.PublicText(err) != "cubbyhole operations are only supported by 'service' type tokens" {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestNothingOpensWithoutItsOwnPass(t *testing.T) {
	e, _ := newEngine(t)
	ctx := t.Context()
	calls := map[string]func(gate.Pass) error{
		"Read":   func(p gate.Pass) error { _, err := e.Read(ctx, p, "cubbyhole/", "x"); return err },
		"Write":  func(p gate.Pass) error { return e.Write(ctx, p, "cubbyhole/", "x", jsontext.Value(`{}`)) },
		"Delete": func(p gate.Pass) error { return e.Delete(ctx, p, "cubbyhole/", "x") },
		"List":   func(p gate.Pass) error { _, err := e.List(ctx, p, "cubbyhole/", "x/", drawer.Page{}); return err },
	}
	for name, call := range calls {
		if err := call(gate.Pass{}); err == nil || fault.Of(err) != fault.Internal {
			t.Errorf("%s with the zero Pass: %v", name, err)
		}
		for _, op := range []gate.Operation{"read", "update", "delete", "list"} {
			if err := pass(t, token("aa"), op, "cubbyhole/other", call); err == nil || fault.Of(err) != fault.Internal {
				t.Errorf("%s with a Pass for %s of another path: %v", name, op, err)
			}
		}
	}
}

func TestBadPathsAndValues(t *testing.T) {
	e, _ := newEngine(t)
	d := drawerOf{t, e, token("aa")}
	for _, path := range []string{"", "a//b", "a\x00", strings.Repeat("a", drawer.MaxPath+1)} {
		if err := d.write(path, `{}`); !fault.Is(err, fault.Invalid) {
			t.Errorf("write %q: %v", path, err)
		}
		if _, err := d.read(path); !fault.Is(err, fault.Invalid) {
			t.Errorf("read %q: %v", path, err)
		}
	}
	for _, data := range []string{"", "[]", `{"a":1,"a":2}`} {
		if err := d.write("a", data); !fault.Is(err, fault.Invalid) {
			t.Errorf("value %q: %v", data, err)
		}
	}
}

func keys(t *testing.T, s storage.Store) int {
	t.Helper()
	n := 0
	if err := s.View(t.Context(), func(tx storage.ReadTx) error {
		items, err := tx.Scan([]byte("cubby/"), nil, 1000)
		n = len(items)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestADrawerGoesWithItsToken(t *testing.T) {
	e, store := newEngine(t)
	for _, id := range []string{"aa", "aab", "bb"} {
		for i := range 20 {
			if err := (drawerOf{t, e, token(id)}).write(strings.Repeat("x", i+1), `{}`); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := store.Update(t.Context(), func(tx storage.Tx) error { return cubbyhole.Drop(tx, "aa") }); err != nil {
		t.Fatal(err)
	}
	if n := keys(t, store); n != 80 {
		t.Errorf("%d keys after the first drop", n)
	}
	if err := store.Update(t.Context(), func(tx storage.Tx) error { return cubbyhole.Drop(tx, "") }); err != nil || keys(t, store) != 80 {
		t.Errorf("dropping nobody's drawer: %v", err)
	}
	var asked []string
	err := e.Sweep(t.Context(), func(_ storage.ReadTx, id string) (bool, error) {
		asked = append(asked, id)
		return id == "bb", nil
	})
	if err != nil || !slices.Equal(slices.Compact(asked), []string{"aab", "bb"}) || keys(t, store) != 40 {
		t.Errorf("sweep: %v, asked %v, %d keys left", err, asked, keys(t, store))
	}
	if _, err := (drawerOf{t, e, token("bb")}).read("x"); err != nil {
		t.Error(err)
	}
}
