package kv_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/fault"
)

// model is version 2 as slow and obvious as it can be written.
type model struct {
	secrets map[string]*modelSecret
}

type modelSecret struct {
	current  uint64
	limit    uint64
	versions map[uint64]*modelVersion
}

type modelVersion struct {
	data               string
	deleted, destroyed bool
}

func (m *model) list(folder string) []string {
	seen := map[string]bool{}
	for p := range m.secrets {
		if rest, ok := strings.CutPrefix(p, folder); ok {
			if i := strings.IndexByte(rest, '/'); i >= 0 {
				rest = rest[:i+1]
			}
			seen[rest] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func TestVersionTwoBehavesLikeItsModel(t *testing.T) {
	b := newBench(t)
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		root := fmt.Sprintf("r%d/", round) // a fresh folder per run
		m := &model{secrets: map[string]*modelSecret{}}
		path := rapid.SampledFrom([]string{"a", "a/b", "a/c", "b/c/d", "b/c/e", "c"})
		number := rapid.Uint64Range(1, 6)
		writeOne := func(p, data string) {
			s := m.secrets[p]
			if s == nil {
				s = &modelSecret{versions: map[uint64]*modelVersion{}}
				m.secrets[p] = s
			}
			s.current++
			s.versions[s.current] = &modelVersion{data: data}
			limit := max(s.limit, 0)
			if limit == 0 {
				limit = kv.DefaultVersions
			}
			maps.DeleteFunc(s.versions, func(n uint64, _ *modelVersion) bool { return n+limit <= s.current })
		}
		r.Repeat(map[string]func(*rapid.T){
			"write": func(r *rapid.T) {
				p := path.Draw(r, "path")
				data := fmt.Sprintf(`{"v":%d}`, rapid.IntRange(0, 1000).Draw(r, "v"))
				if size := rapid.SampledFrom([]int{0, 0, 0, 1 << 10, 3 << 10, 8 << 10, 20 << 10}).Draw(r, "size"); size > 0 {
					data = fmt.Sprintf(`{"v":%q}`, strings.Repeat(string(rune('a'+round%26)), size))
				}
				_, err := b.write(root+p, data)
				b.must(err)
				writeOne(p, data)
			},
			"cas": func(r *rapid.T) {
				p, cas := path.Draw(r, "path"), rapid.Uint64Range(0, 4).Draw(r, "cas")
				_, err := b.write(root+p, `{"cas":1}`, cas)
				var now uint64
				if s := m.secrets[p]; s != nil {
					now = s.current
				}
				if (err == nil) != (cas == now) {
					r.Fatalf("cas %d at version %d: %v", cas, now, err)
				}
				if err == nil {
					writeOne(p, `{"cas":1}`)
				}
			},
			"delete": func(r *rapid.T) {
				p := path.Draw(r, "path")
				b.must(b.remove(root + p))
				if s := m.secrets[p]; s != nil {
					if v := s.versions[s.current]; v != nil && !v.destroyed {
						v.deleted = true
					}
				}
			},
			"versions": func(r *rapid.T) {
				p, n := path.Draw(r, "path"), number.Draw(r, "n")
				verb := rapid.SampledFrom([]string{"delete", "undelete", "destroy"}).Draw(r, "verb")
				b.must(b.versions(verb, root+p, n))
				s := m.secrets[p]
				if s == nil || s.versions[n] == nil {
					return
				}
				switch v := s.versions[n]; {
				case verb == "destroy":
					v.destroyed = true
				case !v.destroyed:
					v.deleted = verb == "delete"
				}
			},
			"limit": func(r *rapid.T) {
				p, n := path.Draw(r, "path"), rapid.Uint64Range(0, 4).Draw(r, "limit")
				b.must(b.setMetadata(root+p, kv.MetadataChange{MaxVersions: &n}))
				if m.secrets[p] == nil {
					m.secrets[p] = &modelSecret{versions: map[uint64]*modelVersion{}}
				}
				m.secrets[p].limit = n
			},
			"remove": func(r *rapid.T) {
				p := path.Draw(r, "path")
				b.must(b.removeAll(root + p))
				delete(m.secrets, p)
			},
			"time": func(*rapid.T) { b.clock = b.clock.Add(time.Second) },
			"": func(r *rapid.T) {
				p, n := path.Draw(r, "path"), rapid.Uint64Range(0, 6).Draw(r, "read")
				checkRead(r, b, m, root, p, n)
				folder := rapid.SampledFrom([]string{"", "a/", "b/", "b/c/", "c/"}).Draw(r, "folder")
				got, err := b.list(root+folder, kv.Page{})
				if err != nil && !fault.Is(err, fault.NotFound) {
					r.Fatal(err)
				}
				if want := m.list(folder); !slices.Equal(got, want) {
					r.Fatalf("list %q = %v, want %v", folder, got, want)
				}
			},
		})
	})
}

func checkRead(r *rapid.T, b *bench, m *model, root, p string, n uint64) {
	v, err := b.read(root+p, n)
	s := m.secrets[p]
	if s != nil && n == 0 {
		n = s.current
	}
	if s == nil || s.versions[n] == nil {
		if !fault.Is(err, fault.NotFound) {
			r.Fatalf("%s version %d: %v, %v", p, n, v, err)
		}
		return
	}
	if err != nil {
		r.Fatal(err)
	}
	want := s.versions[n]
	if v.Number != n || v.Destroyed != want.destroyed || v.Gone() != (want.deleted || want.destroyed) {
		r.Fatalf("%s version %d = %+v, want %+v", p, n, v, want)
	}
	if !v.Gone() && string(v.Data) != want.data {
		r.Fatalf("%s version %d = %s, want %s", p, n, v.Data, want.data)
	}
}
