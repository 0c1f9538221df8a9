package kv_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// openDoor lets every request through; the tests then look at what a Pass for one
// action can do.
type openDoor struct{}

func (openDoor) Record(context.Context, *audit.Entry) error { return nil }
func (openDoor) RecordPair(context.Context, *audit.Entry, *audit.Entry) error {
	return nil
}

func (openDoor) Authenticate(context.Context, *gate.Request) (*principal.Principal, error) {
	return principal.New(principal.Attrs{Kind: principal.ServiceToken}), nil
}

func (openDoor) Authorise(context.Context, *gate.Request, *principal.Principal) (policy.Decision, gate.Asker, error) {
	return policy.Decision{Allowed: true}, nil, nil
}

// bench is an engine with a clock of its own.
type bench struct {
	*kv.Engine
	clock time.Time
	gate  *gate.Gate
	t     testing.TB
}

func newBench(t testing.TB) *bench {
	t.Helper()
	return benchOn(t, func(now func() time.Time) (storage.Store, error) {
		return embedded.Open(t.TempDir(), embedded.Options{Now: now, SweepEvery: -1})
	})
}

func benchOn(t testing.TB, open func(now func() time.Time) (storage.Store, error)) *bench {
	t.Helper()
	b := &bench{clock: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), t: t}
	now := func() time.Time { return b.clock }
	store, err := open(now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	b.Engine = kv.New(seal.Wrap(storagetest.Twice(store), seal.NewKeyring(b.clock)), now)
	b.gate = gate.New(openDoor{}, now)
	return b
}

// pass runs fn with a Pass for one operation on one path.
func (b *bench) pass(op gate.Operation, path string, fn func(gate.Pass) error) error {
	r := &gate.Request{Door: "vault", Operation: op, Path: path, Mount: gate.Mount{Path: "secret/"}}
	return b.gate.Do(b.t.Context(), openDoor{}, r, func(_ context.Context, p gate.Pass) (*gate.Result, error) {
		return nil, fn(p)
	})
}

func addr(path string) kv.Address { return kv.Address{Mount: "secret/", UUID: "u-1", Path: path} }

func (b *bench) write(path, data string, cas ...uint64) (v *kv.Version, err error) {
	var c *uint64
	if len(cas) > 0 {
		c = &cas[0]
	}
	err = b.pass("update", "secret/data/"+path, func(p gate.Pass) (err error) {
		v, err = b.Write(b.t.Context(), p, addr(path), jsontext.Value(data), c)
		return err
	})
	return v, err
}

func (b *bench) patch(path, data string, cas ...uint64) (v *kv.Version, err error) {
	var c *uint64
	if len(cas) > 0 {
		c = &cas[0]
	}
	err = b.pass("patch", "secret/data/"+path, func(p gate.Pass) (err error) {
		v, err = b.Patch(b.t.Context(), p, addr(path), jsontext.Value(data), c)
		return err
	})
	return v, err
}

func (b *bench) read(path string, number uint64) (v *kv.Version, err error) {
	err = b.pass("read", "secret/data/"+path, func(p gate.Pass) (err error) {
		v, err = b.Read(b.t.Context(), p, addr(path), number)
		return err
	})
	return v, err
}

func (b *bench) remove(path string) error {
	return b.pass("delete", "secret/data/"+path, func(p gate.Pass) error { return b.Delete(b.t.Context(), p, addr(path)) })
}

func (b *bench) versions(verb, path string, numbers ...uint64) error {
	return b.pass("update", "secret/"+verb+"/"+path, func(p gate.Pass) error {
		return map[string]func(context.Context, gate.Pass, kv.Address, []uint64) error{
			"delete": b.DeleteVersions, "undelete": b.Undelete, "destroy": b.Destroy,
		}[verb](b.t.Context(), p, addr(path), numbers)
	})
}

func (b *bench) metadata(path string) (m *kv.Metadata, err error) {
	err = b.pass("read", "secret/metadata/"+path, func(p gate.Pass) (err error) {
		m, err = b.Metadata(b.t.Context(), p, addr(path))
		return err
	})
	return m, err
}

func (b *bench) setMetadata(path string, c kv.MetadataChange) error {
	return b.pass("update", "secret/metadata/"+path, func(p gate.Pass) error {
		return b.SetMetadata(b.t.Context(), p, addr(path), c)
	})
}

func (b *bench) removeAll(path string) error {
	return b.pass("delete", "secret/metadata/"+path, func(p gate.Pass) error {
		return b.DeleteMetadata(b.t.Context(), p, addr(path))
	})
}

func (b *bench) list(folder string, page kv.Page) (names []string, err error) {
	err = b.pass("list", "secret/metadata/"+folder, func(p gate.Pass) (err error) {
		names, err = b.List(b.t.Context(), p, addr(folder), page)
		return err
	})
	return names, err
}

func (b *bench) configure(c kv.ConfigChange) error {
	return b.pass("update", "secret/config", func(p gate.Pass) error { return b.Configure(b.t.Context(), p, addr(""), c) })
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) wants(path string, number uint64, data string) {
	b.t.Helper()
	v, err := b.read(path, number)
	b.must(err)
	if string(v.Data) != data {
		b.t.Errorf("%s version %d = %s, want %s", path, number, v.Data, data)
	}
}

func ptr[T any](v T) *T { return &v }

func TestNothingOpensWithoutItsOwnPass(t *testing.T) {
	b := newBench(t)
	_, err := b.write("a", `{"k":"v"}`)
	b.must(err)
	ctx, a := t.Context(), addr("a")
	data := jsontext.Value(`{"k":"stolen"}`)
	methods := map[string]func(gate.Pass) error{
		"Read":           func(p gate.Pass) error { _, err := b.Read(ctx, p, a, 0); return err },
		"Subkeys":        func(p gate.Pass) error { _, err := b.Subkeys(ctx, p, a, 0, 0); return err },
		"Write":          func(p gate.Pass) error { _, err := b.Write(ctx, p, a, data, nil); return err },
		"Patch":          func(p gate.Pass) error { _, err := b.Patch(ctx, p, a, data, nil); return err },
		"Delete":         func(p gate.Pass) error { return b.Delete(ctx, p, a) },
		"DeleteVersions": func(p gate.Pass) error { return b.DeleteVersions(ctx, p, a, []uint64{1}) },
		"Undelete":       func(p gate.Pass) error { return b.Undelete(ctx, p, a, []uint64{1}) },
		"Destroy":        func(p gate.Pass) error { return b.Destroy(ctx, p, a, []uint64{1}) },
		"Metadata":       func(p gate.Pass) error { _, err := b.Metadata(ctx, p, a); return err },
		"SetMetadata":    func(p gate.Pass) error { return b.SetMetadata(ctx, p, a, kv.MetadataChange{ClearCustom: true}) },
		"PatchMetadata":  func(p gate.Pass) error { return b.PatchMetadata(ctx, p, a, kv.MetadataChange{}) },
		"DeleteMetadata": func(p gate.Pass) error { return b.DeleteMetadata(ctx, p, a) },
		"List":           func(p gate.Pass) error { _, err := b.List(ctx, p, addr(""), kv.Page{}); return err },
		"ListDetailed":   func(p gate.Pass) error { _, err := b.ListDetailed(ctx, p, addr(""), kv.Page{}); return err },
		"Config":         func(p gate.Pass) error { _, err := b.Config(ctx, p, a); return err },
		"Configure":      func(p gate.Pass) error { return b.Configure(ctx, p, a, kv.ConfigChange{CASRequired: ptr(true)}) },
		"Get":            func(p gate.Pass) error { _, err := b.Get(ctx, p, a); return err },
		"Put":            func(p gate.Pass) error { return b.Put(ctx, p, a, data) },
		"Remove":         func(p gate.Pass) error { return b.Remove(ctx, p, a) },
		"ListV1":         func(p gate.Pass) error { _, err := b.ListV1(ctx, p, addr(""), kv.Page{}); return err },
		"Purge":          func(p gate.Pass) error { return b.Purge(ctx, p, "secret/", "u-1") },
	}
	for name, call := range methods {
		if err := call(gate.Pass{}); fault.Of(err) != fault.Internal || err == nil {
			t.Errorf("%s with the zero Pass: %v", name, err)
		}
		for _, other := range []struct{ op, path string }{
			{"read", "secret/data/b"}, {"update", "secret/data/b"}, {"list", "secret/metadata/b/"}, {"delete", "secret/metadata/b"},
			{"sudo", "secret/data/a"}, {"sudo", "secret/a"}, {"sudo", "secret/metadata/"}, {"sudo", "secret/config"}, {"list", "other/metadata/"},
		} {
			err := b.pass(gate.Operation(other.op), other.path, call)
			if err == nil || fault.Of(err) != fault.Internal {
				t.Errorf("%s with a Pass for %s %s: %v", name, other.op, other.path, err)
			}
		}
		var kept gate.Pass
		b.must(b.pass("read", "secret/data/a", func(p gate.Pass) error { kept = p; return nil }))
		if err := call(kept); err == nil {
			t.Errorf("%s with a Pass whose request is over", name)
		}
	}
	b.wants("a", 0, `{"k":"v"}`)
}

func TestWritesMakeVersions(t *testing.T) {
	b := newBench(t)
	first := b.clock
	v, err := b.write("a/b", `{"n": 12345678901234567890.10,  "s":"x"}`)
	b.must(err)
	if v.Number != 1 || !v.Created.Equal(first) || !v.Deleted.IsZero() || v.Destroyed || v.Custom != nil || v.Data != nil {
		t.Errorf("first version: %+v", v)
	}
	b.clock = b.clock.Add(time.Minute)
	_, err = b.write("a/b", `{"s":"y"}`)
	b.must(err)
	b.wants("a/b", 0, `{"s":"y"}`)
	b.wants("a/b", 2, `{"s":"y"}`)
	b.wants("a/b", 1, `{"n":12345678901234567890.10,"s":"x"}`) // every digit is kept
	if _, err := b.read("a/b", 3); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown version: %v", err)
	}
	if _, err := b.read("a", 0); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown secret: %v", err)
	}
	m, err := b.metadata("a/b")
	b.must(err)
	if m.Current != 2 || m.Oldest != 0 || !m.Created.Equal(first) || !m.Updated.Equal(b.clock) || len(m.Versions) != 2 {
		t.Errorf("metadata: %+v", m)
	}
}

func TestLargeValuesAreKeptApartAndComeBack(t *testing.T) {
	b := newBench(t)
	large := `{"k":"` + strings.Repeat("x", 100<<10) + `"}`
	for i, data := range []string{`{"k":1}`, large, `{"k":2}`, large} {
		_, err := b.write("a", data)
		b.must(err)
		b.wants("a", uint64(i+1), data)
	}
	b.wants("a", 1, `{"k":1}`)
	b.wants("a", 2, large)
	if _, err := b.write("a", `{"k":"`+strings.Repeat("x", drawer.MaxValue)+`"}`); !fault.Is(err, fault.TooLarge) {
		t.Errorf("beyond the limit: %v", err)
	}
}

func TestCheckAndSet(t *testing.T) {
	b := newBench(t)
	refused := func(text string, err error) {
		t.Helper()
		if !fault.Is(err, fault.Invalid) || fault.PublicText(err) != text {
			t.Errorf("got %v, want %s", err, text)
		}
	}
	const mismatch = "check-and-set parameter did not match the current version"
	const required = "check-and-set parameter required for this call"
	_, err := b.write("a", `{}`, 1)
	refused(mismatch, err)
	_, err = b.write("a", `{}`, 0)
	b.must(err)
	_, err = b.write("a", `{}`, 0)
	refused(mismatch, err)
	_, err = b.write("a", `{"k":1}`, 1)
	b.must(err)
	_, err = b.patch("a", `{}`, 1)
	refused(mismatch, err)
	b.must(b.setMetadata("a", kv.MetadataChange{CASRequired: ptr(true)}))
	_, err = b.write("a", `{}`)
	refused(required, err)
	_, err = b.patch("a", `{}`)
	refused(required, err)
	b.must(b.configure(kv.ConfigChange{CASRequired: ptr(true)}))
	_, err = b.write("other", `{}`)
	refused(required, err)
	b.wants("a", 0, `{"k":1}`)
}

func TestDeleteUndeleteDestroy(t *testing.T) {
	b := newBench(t)
	for i := range 3 {
		_, err := b.write("a", fmt.Sprintf(`{"k":%d}`, i+1))
		b.must(err)
	}
	b.must(b.remove("a"))
	b.must(b.remove("a")) // again: nothing to do
	b.must(b.remove("nobody"))
	v, err := b.read("a", 0)
	b.must(err)
	if !v.Gone() || v.Deleted.IsZero() || v.Destroyed || v.Number != 3 {
		t.Errorf("deleted version: %+v", v)
	}
	b.wants("a", 2, `{"k":2}`)
	b.must(b.versions("undelete", "a", 3, 99))
	b.wants("a", 0, `{"k":3}`)

	b.must(b.versions("delete", "a", 1, 2))
	b.must(b.versions("destroy", "a", 2, 3))
	b.must(b.versions("undelete", "a", 1, 2, 3))
	b.wants("a", 1, `{"k":1}`)
	for _, n := range []uint64{2, 3} {
		if v, err := b.read("a", n); err != nil || !v.Gone() || !v.Destroyed {
			t.Errorf("destroyed version %d: %+v, %v", n, v, err)
		}
	}
	for _, verb := range []string{"delete", "undelete", "destroy"} {
		if err := b.versions(verb, "a"); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s without versions: %v", verb, err)
		}
		b.must(b.versions(verb, "nobody", 1))
	}
	if _, err := b.metadata("nobody"); !fault.Is(err, fault.NotFound) {
		t.Errorf("passing over an unknown secret must not make one: %v", err)
	}
}

func TestOldVersionsGoBeyondTheLimit(t *testing.T) {
	b := newBench(t)
	for i := range 12 {
		_, err := b.write("a", fmt.Sprintf(`{"k":%d}`, i+1))
		b.must(err)
	}
	m, err := b.metadata("a")
	b.must(err)
	if len(m.Versions) != kv.DefaultVersions || m.Oldest != 3 || m.Versions[0].Number != 3 {
		t.Errorf("default limit: oldest %d of %d", m.Oldest, len(m.Versions))
	}
	if _, err := b.read("a", 2); !fault.Is(err, fault.NotFound) {
		t.Errorf("version beyond the limit: %v", err)
	}
	b.must(b.configure(kv.ConfigChange{MaxVersions: ptr(uint64(2))}))
	b.must(b.setMetadata("a", kv.MetadataChange{MaxVersions: ptr(uint64(1))}))
	_, err = b.write("a", `{"k":13}`)
	b.must(err)
	m, err = b.metadata("a")
	b.must(err)
	if len(m.Versions) != 2 || m.MaxVersions != 1 || m.Oldest != 12 {
		t.Errorf("the larger limit holds: %+v", m)
	}
	b.wants("a", 12, `{"k":12}`)
	for _, n := range []uint64{kv.MaxVersions + 1} {
		if err := b.setMetadata("a", kv.MetadataChange{MaxVersions: &n}); !fault.Is(err, fault.Invalid) {
			t.Errorf("max_versions %d: %v", n, err)
		}
		if err := b.configure(kv.ConfigChange{MaxVersions: &n}); !fault.Is(err, fault.Invalid) {
			t.Errorf("max_versions %d: %v", n, err)
		}
	}
}

func TestVersionsDeleteThemselves(t *testing.T) {
	b := newBench(t)
	b.must(b.configure(kv.ConfigChange{DeleteAfter: ptr(time.Hour)}))
	b.must(b.setMetadata("long", kv.MetadataChange{DeleteAfter: ptr(2 * time.Hour)}))
	b.must(b.setMetadata("short", kv.MetadataChange{DeleteAfter: ptr(time.Minute)}))
	start := b.clock
	for path, after := range map[string]time.Duration{"plain": time.Hour, "long": time.Hour, "short": time.Minute} {
		b.clock = start
		v, err := b.write(path, `{"k":1}`)
		b.must(err)
		if !v.Deleted.Equal(start.Add(after)) {
			t.Errorf("%s: deletion at %v", path, v.Deleted)
		}
		b.clock = start.Add(after - time.Nanosecond)
		b.wants(path, 0, `{"k":1}`)
		b.clock = start.Add(after)
		if v, err := b.read(path, 0); err != nil || !v.Gone() {
			t.Errorf("%s after its time: %+v, %v", path, v, err)
		}
		b.must(b.versions("undelete", path, 1))
		b.wants(path, 0, `{"k":1}`)
	}
	if err := b.configure(kv.ConfigChange{DeleteAfter: ptr(-time.Second)}); !fault.Is(err, fault.Invalid) {
		t.Errorf("negative time: %v", err)
	}
}

func TestPatchNeedsAReadableVersion(t *testing.T) {
	b := newBench(t)
	if v, err := b.patch("a", `{"k":1}`); !fault.Is(err, fault.NotFound) || v != nil {
		t.Errorf("unknown secret: %v, %v", v, err)
	}
	_, err := b.write("a", `{"b":{"x":1,"y":[1,2]},"n":1e400}`)
	b.must(err)
	v, err := b.patch("a", `{"b":{"x":null,"z":"new"},"c":true}`)
	b.must(err)
	if v.Number != 2 {
		t.Errorf("version %d", v.Number)
	}
	b.wants("a", 0, `{"b":{"y":[1,2],"z":"new"},"n":1e400,"c":true}`)
	b.must(b.remove("a"))
	if v, err := b.patch("a", `{"k":1}`); !fault.Is(err, fault.NotFound) || v == nil || v.Deleted.IsZero() {
		t.Errorf("deleted version: %+v, %v", v, err)
	}
}

func TestSubkeysShowNoValues(t *testing.T) {
	b := newBench(t)
	_, err := b.write("a", `{"b":{"c":{"d":"secret"},"e":[1]},"f":"secret","g":{}}`)
	b.must(err)
	for depth, want := range map[int]string{
		0: `{"b":{"c":{"d":null},"e":null},"f":null,"g":{}}`,
		1: `{"b":null,"f":null,"g":null}`,
		2: `{"b":{"c":null,"e":null},"f":null,"g":{}}`,
	} {
		b.must(b.pass("read", "secret/subkeys/a", func(p gate.Pass) error {
			v, err := b.Subkeys(t.Context(), p, addr("a"), 0, depth)
			if err == nil && string(v.Data) != want {
				t.Errorf("depth %d: %s", depth, v.Data)
			}
			return err
		}))
	}
}

func TestMetadataBeforeAndAfterValues(t *testing.T) {
	b := newBench(t)
	b.must(b.setMetadata("a", kv.MetadataChange{Custom: map[string]string{"owner": "me", "x": "y"}}))
	if _, err := b.read("a", 0); !fault.Is(err, fault.NotFound) {
		t.Errorf("a secret without versions: %v", err)
	}
	_, err := b.write("a", `{}`, 0)
	b.must(err)
	patch := func(path string, c kv.MetadataChange) error {
		return b.pass("patch", "secret/metadata/"+path, func(p gate.Pass) error { return b.PatchMetadata(t.Context(), p, addr(path), c) })
	}
	b.must(patch("a", kv.MetadataChange{CustomPatch: map[string]*string{"x": nil, "z": ptr("new")}}))
	v, err := b.read("a", 0)
	b.must(err)
	if fmt.Sprint(v.Custom) != "map[owner:me z:new]" {
		t.Errorf("custom metadata: %v", v.Custom)
	}
	b.must(patch("a", kv.MetadataChange{ClearCustom: true}))
	if m, err := b.metadata("a"); err != nil || m.Custom != nil {
		t.Errorf("cleared: %+v, %v", m, err)
	}
	if err := patch("nobody", kv.MetadataChange{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("patch of nothing: %v", err)
	}
	b.must(b.removeAll("a"))
	b.must(b.removeAll("a"))
	if _, err := b.read("a", 1); !fault.Is(err, fault.NotFound) {
		t.Errorf("after delete: %v", err)
	}
	if _, err := b.list("", kv.Page{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("list after delete: %v", err)
	}
}

func TestCustomMetadataLimits(t *testing.T) {
	b := newBench(t)
	many := map[string]string{}
	for i := range 65 {
		many[fmt.Sprint(i)] = "v"
	}
	for name, m := range map[string]map[string]string{
		"65 keys": many, "empty key": {"": "v"}, "long key": {strings.Repeat("k", 129): "v"}, "empty value": {"k": ""},
		"long value": {"k": strings.Repeat("v", 513)}, "control in key": {"k\n": "v"}, "control in value": {"k": "\x1b"},
	} {
		err := b.setMetadata("a", kv.MetadataChange{Custom: m})
		if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(fault.PublicText(err), "custom_metadata validation failed") {
			t.Errorf("%s: %v", name, err)
		}
	}
	delete(many, "0")
	b.must(b.setMetadata("a", kv.MetadataChange{Custom: many}))
	b.must(b.setMetadata("a", kv.MetadataChange{Custom: map[string]string{strings.Repeat("k", 128): strings.Repeat("v", 512)}}))
}

func TestListShowsFoldersOnceAndPages(t *testing.T) {
	b := newBench(t)
	for _, p := range []string{"a", "a/x", "a/y/z", "a-b", "b/1", "c", "é/ü"} {
		_, err := b.write(p, `{}`)
		b.must(err)
	}
	for i := range 40 {
		_, err := b.write(fmt.Sprintf("b/deep/%d", i), `{}`)
		b.must(err)
	}
	for folder, want := range map[string]string{
		"": "a,a-b,a/,b/,c,é/", "a/": "x,y/", "a/y/": "z", "b/": "1,deep/", "é/": "ü",
	} {
		names, err := b.list(folder, kv.Page{})
		b.must(err)
		if strings.Join(names, ",") != want {
			t.Errorf("list %q = %v, want %s", folder, names, want)
		}
		var paged []string
		for after := ""; ; {
			names, err := b.list(folder, kv.Page{After: after, Limit: 2})
			if fault.Is(err, fault.NotFound) {
				break
			}
			b.must(err)
			paged = append(paged, names...)
			after = names[len(names)-1]
		}
		if strings.Join(paged, ",") != want {
			t.Errorf("pages of %q = %v", folder, paged)
		}
	}
	for _, folder := range []string{"c/", "zz/", "a/x/"} {
		if _, err := b.list(folder, kv.Page{}); !fault.Is(err, fault.NotFound) {
			t.Errorf("list %q: %v", folder, err)
		}
	}
	b.must(b.pass("list", "secret/detailed-metadata/a/", func(p gate.Pass) error {
		l, err := b.ListDetailed(t.Context(), p, addr("a/"), kv.Page{})
		if len(l) != 2 || l[0].Metadata == nil || l[0].Metadata.Current != 1 || l[1].Metadata != nil {
			t.Errorf("detailed: %+v", l)
		}
		return err
	}))
}

func TestBadInput(t *testing.T) {
	b := newBench(t)
	for name, data := range map[string]string{
		"nothing": "", "null": "null", "list": "[]", "text": `"x"`, "number": "1", "broken": "{", "twice": `{"a":1,"a":2}`,
		"bad text": "{\"a\":\"\xff\"}", "two values": "{}{}", "deep": `{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
	} {
		if _, err := b.write("a", data); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{"", "/a", "a/", "a//b", "a\x00b", "a\nb", strings.Repeat("a", drawer.MaxPath+1)} {
		if _, err := b.write(path, "{}"); !fault.Is(err, fault.Invalid) {
			t.Errorf("path %q: %v", path, err)
		}
	}
	if _, err := b.write(strings.Repeat("a", drawer.MaxPath), "{}"); err != nil {
		t.Errorf("the longest path: %v", err)
	}
}

func TestExistsKnowsDeletedSecretsToo(t *testing.T) {
	b := newBench(t)
	want := func(path string, want bool) {
		t.Helper()
		if got, err := b.Exists(t.Context(), addr(path)); err != nil || got != want {
			t.Errorf("Exists(%q) = %v, %v", path, got, err)
		}
	}
	want("a", false)
	want("a//", false)
	_, err := b.write("a", `{}`)
	b.must(err)
	b.must(b.remove("a"))
	want("a", true)
	b.must(b.removeAll("a"))
	want("a", false)
}

func TestMountsAreApart(t *testing.T) {
	b := newBench(t)
	_, err := b.write("a", `{"k":1}`)
	b.must(err)
	other := kv.Address{Mount: "secret/", UUID: "u-2", Path: "a"}
	err = b.pass("read", "secret/data/a", func(p gate.Pass) error { _, err := b.Read(t.Context(), p, other, 0); return err })
	if !fault.Is(err, fault.NotFound) {
		t.Errorf("another mount's secret: %v", err)
	}
}

func TestVersionOne(t *testing.T) {
	b := newBench(t)
	put := func(path, data string) error {
		return b.pass("create", "secret/"+path, func(p gate.Pass) error { return b.Put(t.Context(), p, addr(path), jsontext.Value(data)) })
	}
	get := func(path string) (v jsontext.Value, err error) {
		err = b.pass("read", "secret/"+path, func(p gate.Pass) (err error) { v, err = b.Get(t.Context(), p, addr(path)); return err })
		return v, err
	}
	large := `{"k":"` + strings.Repeat("x", 100<<10) + `"}`
	for _, data := range []string{`{"ttl":"1h","n":1.0}`, large, `{}`} {
		b.must(put("a/b", data))
		if v, err := get("a/b"); err != nil || string(v) != data {
			t.Errorf("got %s, %v", v, err)
		}
	}
	if _, err := get("a"); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown: %v", err)
	}
	b.must(b.pass("list", "secret/a/", func(p gate.Pass) error {
		names, err := b.ListV1(t.Context(), p, addr("a/"), kv.Page{})
		if !slices.Equal(names, []string{"b"}) {
			t.Errorf("list: %v", names)
		}
		return err
	}))
	b.wants("a/b", 0, `{}`) // as version 2
	b.wants("a/b", 1, `{}`)
	_, err := b.write("a/b", `{"k":2}`, 1)
	b.must(err)
	b.must(b.pass("delete", "secret/a/b", func(p gate.Pass) error { return b.Remove(t.Context(), p, addr("a/b")) }))
	if _, err := get("a/b"); !fault.Is(err, fault.NotFound) {
		t.Errorf("removed: %v", err)
	}
	if f := kv.Fields(jsontext.Value(`{"ttl":"1h","lease":30,"x":[]}`), "ttl", "lease", "x"); f["ttl"] != "1h" || f["lease"] != "30" || len(f) != 2 {
		t.Errorf("Fields: %v", f)
	}
}

func TestPurgeLeavesNothing(t *testing.T) {
	b := newBench(t)
	for i := range 100 {
		_, err := b.write(fmt.Sprint("a/", i), `{}`)
		b.must(err)
	}
	b.must(b.configure(kv.ConfigChange{CASRequired: ptr(true)}))
	b.must(b.pass("delete", "sys/mounts/secret", func(p gate.Pass) error { return b.Purge(t.Context(), p, "secret/", "u-1") }))
	if _, err := b.list("", kv.Page{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("list: %v", err)
	}
	_, err := b.write("a/1", `{}`) // check-and-set is no longer required
	b.must(err)
}

func TestCanceledCallChangesNothing(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := b.pass("update", "secret/data/a", func(p gate.Pass) error {
		_, err := b.Write(ctx, p, addr("a"), jsontext.Value(`{}`), nil)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := b.read("a", 0); !fault.Is(err, fault.NotFound) {
		t.Errorf("after: %v", err)
	}
}

func BenchmarkRead(b *testing.B) {
	e := newBench(b)
	_, err := e.write("app/config", `{"user":"alice","pw":"`+strings.Repeat("x", 200)+`"}`)
	e.must(err)
	b.ReportAllocs()
	e.must(e.pass("read", "secret/data/app/config", func(p gate.Pass) error {
		for b.Loop() {
			if _, err := e.Read(context.Background(), p, addr("app/config"), 0); err != nil {
				return err
			}
		}
		return nil
	}))
}

// BenchmarkWrite is eight writers on secrets of their own, each write durable.
func BenchmarkWrite(b *testing.B) {
	e := newBench(b)
	data := jsontext.Value(`{"user":"alice","pw":"` + strings.Repeat("x", 200) + `"}`)
	var n atomic.Int64
	b.SetParallelism(4)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		path := fmt.Sprint("app/", n.Add(1))
		if err := e.pass("update", "secret/data/"+path, func(p gate.Pass) error {
			for pb.Next() {
				if _, err := e.Write(context.Background(), p, addr(path), data, nil); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			b.Error(err)
		}
	})
}
