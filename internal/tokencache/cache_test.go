package tokencache

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"
)

// keys is a key set that a test can change.
type keys struct{ generation uint64 }

func (k *keys) Generation() uint64 { return k.generation }

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func sum(s string) [32]byte { return sha256.Sum256([]byte(s)) }

func entry(v string, k *keys) Entry[string] {
	return Entry[string]{Value: v, Keys: k, Generation: k.generation, Since: start, Until: start.Add(time.Hour)}
}

func TestAnEntryIsVoidOnceSomethingChanged(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*keys)
		at     time.Time
		want   bool
	}{
		"nothing changed":         {nil, start, true},
		"the last instant":        {nil, start.Add(time.Hour - 1), true},
		"the end":                 {nil, start.Add(time.Hour), false},
		"the clock was set back":  {nil, start.Add(-1), false},
		"the keys have changed":   {func(k *keys) { k.generation++ }, start, false},
		"the keys became useless": {func(k *keys) { k.generation += 3 }, start.Add(time.Minute), false},
	} {
		k := &keys{generation: 4}
		cache := New[string](10)
		cache.Put(sum("a"), entry("alice", k), start)
		if c.change != nil {
			c.change(k)
		}
		v, ok := cache.Get(sum("a"), c.at)
		if ok != c.want || ok && v != "alice" || !ok && v != "" {
			t.Errorf("%s: %q %v", name, v, ok)
		}
		if n := cache.Len(); (n == 1) != c.want {
			t.Errorf("%s: %d entries left", name, n)
		}
		if _, ok := cache.Get(sum("b"), c.at); ok {
			t.Errorf("%s: a token that was never put in is known", name)
		}
	}
}

func TestADroppedEntryIsNotTheNewOne(t *testing.T) {
	k := &keys{}
	cache := New[string](10)
	cache.Put(sum("a"), entry("old", k), start)
	s := cache.shard(sum("a"))
	old := s.m[sum("a")]
	cache.Put(sum("a"), entry("new", k), start)
	s.drop(sum("a"), old)
	if v, ok := cache.Get(sum("a"), start); !ok || v != "new" {
		t.Errorf("%q %v", v, ok)
	}
}

func TestAFullCacheForgetsWhatIsOverFirst(t *testing.T) {
	k := &keys{}
	cache := New[string](4 * shards)
	inShard := func(i int) [32]byte { return [32]byte{0, byte(i)} } // all in one shard
	for i := range 4 {
		e := entry(fmt.Sprint(i), k)
		if i == 2 {
			e.Until = start.Add(time.Minute)
		}
		cache.Put(inShard(i), e, start)
	}
	later := start.Add(2 * time.Minute)
	cache.Put(inShard(9), entry("9", k), later)
	for i, want := range map[int]bool{0: true, 1: true, 2: false, 3: true, 9: true} {
		if _, ok := cache.Get(inShard(i), later); ok != want {
			t.Errorf("%d is known: %v", i, ok)
		}
	}
	for i := range 100 {
		cache.Put(inShard(10+i), entry("x", k), later)
	}
	if n := cache.Len(); n != 4 {
		t.Errorf("%d entries where 4 fit", n)
	}
	if _, ok := cache.Get(inShard(109), later); !ok {
		t.Error("the newest entry was dropped")
	}
}

func TestMetKnowsASecondTime(t *testing.T) {
	cache := New[string](1)
	if cache.Met(sum("a")) || !cache.Met(sum("a")) || !cache.Met(sum("a")) {
		t.Error("a token is met from the second time on")
	}
	other := sum("a")
	other[20] ^= 1
	other[8] ^= 2
	if cache.Met(other) || cache.Met(sum("a")) {
		t.Error("two tokens in one place are told apart, and the last one stays")
	}
	if (&Cache[string]{}).Met([32]byte{}) {
		t.Error("an empty cache has met nothing")
	}
}

func TestNilRemembersNothing(t *testing.T) {
	var c *Cache[string]
	c.Put(sum("a"), entry("a", &keys{}), start)
	if _, ok := c.Get(sum("a"), start); ok || c.Len() != 0 || c.Met(sum("a")) || c.Met(sum("a")) {
		t.Error("a nil cache knows something")
	}
}

func TestConcurrentUse(t *testing.T) {
	k := &keys{}
	c := New[string](64)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				name := fmt.Sprint((g + i) % 200)
				if v, ok := c.Get(sum(name), start); ok && v != name {
					t.Errorf("%s has %s", name, v)
				}
				c.Met(sum(name))
				c.Put(sum(name), entry(name, k), start)
			}
		})
	}
	wg.Wait()
}

func BenchmarkGet(b *testing.B) {
	c := New[string](64)
	s := sum("a")
	c.Put(s, entry("alice", &keys{}), start)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.Get(s, start); !ok {
			b.Fatal("not known")
		}
	}
}
