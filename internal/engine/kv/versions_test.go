package kv_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

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
