package storagetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jotgate/jotgate/internal/storage"
)

// entry is one key of the model.
type entry struct {
	value   string
	expires time.Time
}

func (e entry) live(now time.Time) bool { return e.expires.IsZero() || now.Before(e.expires) }

// testModel runs random transactions against the store and a map side by side.
func testModel(t *testing.T, c Config) {
	clock := NewClock()
	s := c.Open(t, clock)
	run := 0
	rapid.Check(t, func(r *rapid.T) {
		run++ // keys of one run are not those of another
		m := &model{s: s, clock: clock, prefix: fmt.Sprintf("m%d/", run), is: map[string]entry{}}
		for range rapid.IntRange(1, 8).Draw(r, "transactions") {
			m.transaction(r)
			clock.Add(time.Duration(rapid.IntRange(0, 3).Draw(r, "wait")) * time.Second)
			if c.Sweep != nil && rapid.IntRange(0, 4).Draw(r, "sweep") == 0 {
				c.Sweep(t, s)
			}
			if err := s.View(bg, func(tx storage.ReadTx) error { return m.compare(r, tx, m.is) }); err != nil {
				r.Fatal(err)
			}
		}
	})
}

type model struct {
	s      storage.Store
	clock  *Clock
	prefix string
	is     map[string]entry
}

func (m *model) key(r *rapid.T) string {
	return m.prefix + rapid.StringOfN(rapid.SampledFrom([]rune("ab/")), 1, 3, -1).Draw(r, "key")
}

// step is one drawn operation; a transaction may run again, so it is drawn
// before and carried out inside.
type step struct {
	kind, key, value string
	expires          time.Time
}

func (m *model) steps(r *rapid.T) []step {
	steps := make([]step, rapid.IntRange(0, 10).Draw(r, "steps"))
	for i := range steps {
		st := step{kind: rapid.SampledFrom([]string{"put", "put", "put", "delete", "get", "scan"}).Draw(r, "kind"), key: m.key(r)}
		st.value = rapid.StringN(0, 20, -1).Draw(r, "value")
		if d := rapid.IntRange(-1, 4).Draw(r, "expires"); d != 0 {
			st.expires = m.clock.Now().Add(time.Duration(d) * time.Second)
		}
		steps[i] = st
	}
	return steps
}

func (m *model) transaction(r *rapid.T) {
	steps := m.steps(r)
	fails := rapid.IntRange(0, 3).Draw(r, "fails") == 0
	var after map[string]entry
	err := retry(m.s, func(tx storage.Tx) error {
		after = maps.Clone(m.is)
		for _, st := range steps {
			if err := m.apply(r, tx, after, st); err != nil {
				return err
			}
		}
		if fails {
			return errOwn
		}
		return nil
	})
	switch {
	case fails && !errors.Is(err, errOwn), !fails && err != nil:
		r.Fatalf("Update: %v", err)
	case !fails:
		m.is = after
	}
}

func (m *model) apply(r *rapid.T, tx storage.Tx, is map[string]entry, st step) error {
	switch st.kind {
	case "put":
		is[st.key] = entry{st.value, st.expires}
		return tx.Put([]byte(st.key), []byte(st.value), st.expires)
	case "delete":
		delete(is, st.key)
		return tx.Delete([]byte(st.key))
	case "get":
		got, err := tx.Get([]byte(st.key))
		e, ok := is[st.key]
		if !ok || !e.live(m.clock.Now()) {
			if !errors.Is(err, storage.ErrNotFound) {
				r.Fatalf("Get(%q): %q, %v; want ErrNotFound", st.key, got, err)
			}
			return nil
		}
		if err == nil && string(got) != e.value {
			r.Fatalf("Get(%q): %q, want %q", st.key, got, e.value)
		}
		return err
	default:
		return m.compare(r, tx, is)
	}
}

// compare reads everything in pages of a drawn size.
func (m *model) compare(r *rapid.T, tx storage.ReadTx, is map[string]entry) error {
	items, err := All(tx, m.prefix, rapid.IntRange(1, 5).Draw(r, "page"))
	if err != nil {
		return err
	}
	var names []string
	var values [][]byte
	for _, k := range slices.Sorted(maps.Keys(is)) {
		if is[k].live(m.clock.Now()) && strings.HasPrefix(k, m.prefix) {
			names = append(names, k)
			values = append(values, []byte(is[k].value))
		}
	}
	if !sameBytes(items, names, values) {
		r.Fatalf("the store holds %q, the model %q = %q", items, names, values)
	}
	return nil
}
