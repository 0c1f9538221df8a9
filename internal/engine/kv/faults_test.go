package kv_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// breakable returns an engine, the store as it lies under it, and a way to the
// same data over another store.
func breakable(t *testing.T) (*bench, storage.Store, func(storage.Store) *bench) {
	t.Helper()
	b := &bench{clock: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), t: t}
	now := func() time.Time { return b.clock }
	raw, err := embedded.Open(t.TempDir(), embedded.Options{Now: now, SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	ring := seal.NewKeyring(b.clock)
	on := func(s storage.Store) *bench {
		return &bench{Engine: kv.New(seal.Wrap(s, ring), now), gate: gate.New(openDoor{}, now), t: t}
	}
	b.Engine, b.gate = on(raw).Engine, on(raw).gate
	return b, raw, on
}

// Whatever call of the storage fails, a change leaves nothing behind and says
// that the storage is unavailable. The values are large, so that they have keys
// of their own that must come and go with the metadata.
func TestEveryChangeIsAllOrNothing(t *testing.T) {
	large := `{"v":"` + strings.Repeat("x", 64<<10) + `"}`
	two := uint64(2)
	for name, change := range map[string]func(*bench) error{
		"first write":                   func(b *bench) error { _, err := b.write("new", large, 0); return err },
		"next write":                    func(b *bench) error { _, err := b.write("a", large, 3); return err },
		"write that forgets the oldest": func(b *bench) error { _, err := b.write("two", large); return err },
		"patch":                         func(b *bench) error { _, err := b.patch("a", `{"w":1}`); return err },
		"delete":                        func(b *bench) error { return b.remove("a") },
		"delete versions":               func(b *bench) error { return b.versions("delete", "a", 1, 3) },
		"undelete":                      func(b *bench) error { return b.versions("undelete", "gone", 1, 2) },
		"destroy":                       func(b *bench) error { return b.versions("destroy", "a", 1, 2, 3) },
		"set metadata": func(b *bench) error {
			return b.setMetadata("a", kv.MetadataChange{MaxVersions: &two, Custom: map[string]string{"k": "v"}})
		},
		"delete all": func(b *bench) error { return b.removeAll("a") },
		"configure": func(b *bench) error {
			return b.pass("update", "secret/config", func(p gate.Pass) error {
				return b.Configure(t.Context(), p, addr(""), kv.ConfigChange{MaxVersions: &two})
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, raw, on := breakable(t)
			for _, path := range []string{"a", "two", "gone"} {
				for range 3 {
					_, err := b.write(path, large)
					b.must(err)
				}
			}
			b.must(b.setMetadata("two", kv.MetadataChange{MaxVersions: &two}))
			b.must(b.versions("delete", "gone", 1, 2))
			storagetest.AllOrNothing(t, raw, func(s storage.Store) error { return change(on(s)) })
		})
	}
}

// A read shows everything or fails.
func TestEveryReadIsWholeOrFails(t *testing.T) {
	b, raw, on := breakable(t)
	_, err := b.write("a", `{"v":"`+strings.Repeat("x", 64<<10)+`"}`)
	b.must(err)
	for name, read := range map[string]func(*bench) error{
		"read":     func(b *bench) error { _, err := b.read("a", 0); return err },
		"metadata": func(b *bench) error { _, err := b.metadata("a"); return err },
		"exists":   func(b *bench) error { _, err := b.Exists(t.Context(), addr("a")); return err },
		"list": func(b *bench) error {
			return b.pass("list", "secret/metadata/", func(p gate.Pass) error {
				_, err := b.List(t.Context(), p, addr(""), kv.Page{})
				return err
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			storagetest.FailEachCall(t, raw, func(s storage.Store) error { return read(on(s)) }, func(bool) error { return nil })
		})
	}
}

// What an interrupted removal of a mount leaves is removed later, and nothing
// of a mount that is still there.
func TestSweepFinishesAnInterruptedRemoval(t *testing.T) {
	b, raw, on := breakable(t)
	for i := range 40 {
		_, err := b.write(strings.Repeat("a", i+1), `{"v":1}`)
		b.must(err)
	}
	before := len(storagetest.Dump(t, raw))
	stored := func(yes bool) func(storage.ReadTx, string) (bool, error) {
		return func(_ storage.ReadTx, uuid string) (bool, error) {
			if uuid != "u-1" {
				t.Errorf("asked for the mount %q", uuid)
			}
			return yes, nil
		}
	}
	b.must(b.Sweep(t.Context(), stored(true)))
	if n := len(storagetest.Dump(t, raw)); n != before {
		t.Fatalf("%d of %d keys are left of a mount that is there", n, before)
	}
	half := on(&storagetest.Faulty{Store: raw, FailAt: 50})
	err := b.pass("delete", "sys/mounts/secret", func(p gate.Pass) error { return half.Purge(t.Context(), p, "secret/", "u-1") })
	if n := len(storagetest.Dump(t, raw)); err == nil || n == 0 || n == before {
		t.Fatalf("not interrupted: %v, %d of %d keys", err, n, before)
	}
	b.must(b.Sweep(t.Context(), stored(false)))
	if d := storagetest.Dump(t, raw); len(d) != 0 {
		t.Errorf("%d keys are left", len(d))
	}
}
