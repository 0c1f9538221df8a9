package kv_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// openDoor lets every request through; the tests then look at what a Pass for one
// action can do.
type openDoor struct{}

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
