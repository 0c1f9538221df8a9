package kv_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/principal"
)

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
