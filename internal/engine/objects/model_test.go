package objects

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/postgres"
	"github.com/jotgate/jotgate/internal/storage/postgres/pgtest"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// caller lets a principal do everything that its claims allow.
type caller struct {
	open
	narrowing []principal.Narrowing
}

func (c caller) Authenticate(context.Context, *gate.Request) (*principal.Principal, error) {
	return principal.New(principal.Attrs{Kind: principal.BearerJWT, Narrowing: c.narrowing}), nil
}

func (c caller) Authorise(context.Context, *gate.Request, *principal.Principal) (policy.Decision, gate.Asker, error) {
	return policy.Decision{Allowed: true}, open{}, nil
}

// lab is an engine with a collection whose properties are found in every way
// there is.
type lab struct {
	engine *Engine
	gate   *gate.Gate
	now    time.Time
	raw    storage.Store // as it lies
	on     func(storage.Store) *Engine
}

func newLab(t testing.TB, store storage.Store) *lab {
	l := &lab{now: time.Now()}
	t.Cleanup(func() { _ = store.Close() })
	ring := seal.NewKeyring(l.now)
	l.raw, l.on = store, func(s storage.Store) *Engine {
		e, err := New(Options{Store: seal.Wrap(s, ring), Keyring: ring, PageSize: 3})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	l.engine = l.on(storagetest.Twice(store))
	l.gate = gate.New(open{}, func() time.Time { return l.now })
	return l
}

func (l *lab) collection(t testing.TB, name string) {
	c := Collection{Name: name, Type: "DATA", Properties: []Property{
		{Name: "unique", DataType: "STRING", IsUnique: true, IsNullable: true},
		{Name: "indexed", DataType: "STRING", IsIndex: true, IsNullable: true},
		{Name: "plain", DataType: "STRING", IsNullable: true},
		{Name: "text", DataType: "STRING", IsSubstringIndex: true, IsNullable: true},
	}}
	err := l.do(caller{}, "add-collection", schemaPath, "", func(call Call) error {
		_, err := l.engine.AddCollection(context.Background(), call.Pass, c, false)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (l *lab) do(who caller, op gate.Operation, path, collection string, act func(Call) error) error {
	return l.gate.Do(context.Background(), who, &gate.Request{Operation: op, Path: path, Recording: gate.RecordOnce}, func(_ context.Context, p gate.Pass) (*gate.Result, error) {
		return nil, act(Call{Pass: p, Collection: collection})
	})
}

// entryOf is one object of the model, by property; a missing one has no value.
type entryOf map[string]string

// visible is the rule that the engine must follow, in its simplest form.
func visible(e entryOf, narrowing []principal.Narrowing) bool {
	for _, n := range narrowing {
		v, ok := e[n.Property]
		if !ok || !slices.Contains(n.Values, v) {
			return false
		}
	}
	return true
}

// TestEngineAgreesWithTheSimpleModel compares the engine, with its indexes,
// cursors and claims, to a map and a loop.
func TestEngineAgreesWithTheSimpleModel(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		store, err := embedded.Open(t.TempDir(), embedded.Options{})
		if err != nil {
			t.Fatal(err)
		}
		agree(t, newLab(t, store))
	})
	t.Run("postgres", func(t *testing.T) {
		store, err := postgres.Open(t.Context(), pgtest.DSN(t), postgres.Options{Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		agree(t, newLab(t, store))
	})
}

func agree(t *testing.T, l *lab) {
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		m := &model{lab: l, name: fmt.Sprintf("c%d", n), objects: map[string]entryOf{}}
		l.collection(t, m.name)
		r.Repeat(map[string]func(*rapid.T){
			"add": m.add, "update": m.update, "delete": m.delete, "get": m.get, "list": m.list, "search": m.search, "count": m.count,
		})
	})
}

type model struct {
	*lab
	name    string
	objects map[string]entryOf
}

func (m *model) path(rest string) string { return dataPath + m.name + rest }

var (
	valueGen  = rapid.SampledFrom([]string{"alpha", "beta", "gamma", "alphabet"})
	propNames = []string{"indexed", "plain", "text", "unique", propTenant}
)

func who(r *rapid.T) caller {
	var c caller
	for range rapid.IntRange(0, 2).Draw(r, "claims") {
		c.narrowing = append(c.narrowing, principal.Narrowing{
			Property: rapid.SampledFrom(propNames).Draw(r, "property"),
			Values:   rapid.SliceOfN(valueGen, 0, 3).Draw(r, "values"),
		})
	}
	return c
}

func values(r *rapid.T) entryOf {
	out := entryOf{}
	for _, p := range propNames {
		if rapid.Bool().Draw(r, p) {
			out[p] = valueGen.Draw(r, p+" value")
		}
	}
	return out
}

func asFields(e entryOf) Fields {
	out := Fields{}
	for k, v := range e {
		out[k] = jsontext.Value(quoted(v))
	}
	return out
}

// taken reports whether another object has e's unique value.
func (m *model) taken(e entryOf, self string) bool {
	for key, o := range m.objects {
		if u, ok := e["unique"]; ok && key != self && o["unique"] == u {
			return true
		}
	}
	return false
}

// wants is the kind of failure that the model expects; nil for success.
func expect(r *rapid.T, err error, want ...fault.Kind) {
	r.Helper()
	if len(want) == 0 && err != nil || len(want) > 0 && (err == nil || !slices.Contains(want, fault.Of(err))) {
		r.Fatalf("got %v, want kind %v", err, want)
	}
}

func (m *model) add(r *rapid.T) {
	c, e := who(r), values(r)
	var key string
	err := m.do(c, "add-object", m.path("/objects"), m.name, func(call Call) (err error) {
		key, err = m.engine.Add(context.Background(), call, asFields(e), Expiry{})
		return err
	})
	switch {
	case !visible(e, c.narrowing):
		expect(r, err, fault.Denied)
	case m.taken(e, ""):
		expect(r, err, fault.Conflict)
	default:
		expect(r, err)
		m.objects[key] = e
	}
}

// pickOne draws the id of an object; most exist.
func (m *model) pickOne(r *rapid.T) string {
	keys := append(slices.Sorted(maps.Keys(m.objects)), "11111111-1111-4111-8111-111111111111")
	return keys[rapid.IntRange(0, len(keys)-1).Draw(r, "object")]
}

func (m *model) update(r *rapid.T) {
	c, key, change := who(r), m.pickOne(r), values(r)
	drop := rapid.SampledFrom(append([]string{""}, propNames...)).Draw(r, "null")
	in := asFields(change)
	if drop != "" {
		in[drop] = jsontext.Value("null")
	}
	err := m.do(c, "update-object-by-id", m.path("/objects/"+key), m.name, func(call Call) error {
		return m.engine.Update(context.Background(), call, Change{ID: key, Fields: in}, Expiry{}, false)
	})
	old := m.objects[key]
	after := maps.Clone(old)
	if after == nil {
		after = entryOf{}
	}
	maps.Copy(after, change)
	delete(after, drop)
	switch {
	case old == nil:
		expect(r, err, fault.NotFound)
	case !visible(old, c.narrowing), !visible(after, c.narrowing):
		expect(r, err, fault.Denied)
	case m.taken(after, key):
		expect(r, err, fault.Conflict)
	default:
		expect(r, err)
		m.objects[key] = after
	}
}

func (m *model) delete(r *rapid.T) {
	c, key := who(r), m.pickOne(r)
	err := m.do(c, "delete-object-by-id", m.path("/objects/"+key), m.name, func(call Call) error {
		return m.engine.Delete(context.Background(), call, key, false)
	})
	if m.judge(r, err, c, key) {
		delete(m.objects, key)
	}
}

// judge expects what an operation on one named object answers, and reports
// whether it must have succeeded.
func (m *model) judge(r *rapid.T, err error, c caller, key string) bool {
	switch o := m.objects[key]; {
	case o == nil:
		expect(r, err, fault.NotFound)
	case !visible(o, c.narrowing):
		expect(r, err, fault.Denied)
	default:
		expect(r, err)
		return true
	}
	return false
}

func (m *model) get(r *rapid.T) {
	c, key := who(r), m.pickOne(r)
	var body []byte
	err := m.do(c, "get-object-by-id", m.path("/objects/"+key), m.name, func(call Call) (err error) {
		body, err = m.engine.Get(context.Background(), call, key, Projection{Props: propNames})
		return err
	})
	if m.judge(r, err, c, key) {
		got := entryOf{}
		if err := json.Unmarshal(body, &got); err != nil || !maps.Equal(got, m.objects[key]) {
			r.Fatalf("got %s (%v), want %v", body, err, m.objects[key])
		}
	}
}

// all collects every page of a list or search.
func (m *model) all(r *rapid.T, c caller, q *Query) []string {
	var out []string
	pg := Page{Size: rapid.IntRange(1, 4).Draw(r, "size")}
	for {
		var body []byte
		op, path := gate.Operation("list-objects"), m.path("/objects")
		if q != nil {
			op, path = "search-objects", m.path("/query/objects")
		}
		err := m.do(c, op, path, m.name, func(call Call) (err error) {
			if q != nil {
				body, err = m.engine.Search(context.Background(), call, *q, Projection{Props: []string{propID}}, pg)
			} else {
				body, err = m.engine.List(context.Background(), call, nil, Projection{Props: []string{propID}}, pg)
			}
			return err
		})
		if err != nil {
			r.Fatalf("page: %v", err)
		}
		var page struct {
			Results []struct{ ID string }
			Paging  struct {
				Cursor string
			}
		}
		if err := json.Unmarshal(body, &page); err != nil || len(page.Results) > pg.Size {
			r.Fatalf("%s: %v", body, err)
		}
		for _, o := range page.Results {
			out = append(out, o.ID)
		}
		if pg.Cursor = page.Paging.Cursor; pg.Cursor == "" {
			return out
		}
	}
}

func (m *model) which(c caller, fits func(entryOf) bool) []string {
	var out []string
	for key, o := range m.objects {
		if visible(o, c.narrowing) && fits(o) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

func (m *model) list(r *rapid.T) {
	c := who(r)
	if got, want := m.all(r, c, nil), m.which(c, func(entryOf) bool { return true }); !slices.Equal(got, want) {
		r.Fatalf("%v lists %v, want %v", c.narrowing, got, want)
	}
}

func (m *model) search(r *rapid.T) {
	c := who(r)
	q := &Query{}
	conds := []func(entryOf) bool{}
	if rapid.Bool().Draw(r, "match") {
		v := valueGen.Draw(r, "match value")
		q.Match = Fields{"indexed": jsontext.Value(quoted(v))}
		conds = append(conds, func(e entryOf) bool { return e["indexed"] == v })
	}
	if rapid.Bool().Draw(r, "in") {
		p := rapid.SampledFrom([]string{"unique", "indexed", propTenant}).Draw(r, "in property")
		vs := rapid.SliceOfN(valueGen, 1, 3).Draw(r, "in values")
		q.In = map[string][]jsontext.Value{}
		for _, v := range vs {
			q.In[p] = append(q.In[p], jsontext.Value(quoted(v)))
		}
		conds = append(conds, func(e entryOf) bool { v, ok := e[p]; return ok && slices.Contains(vs, v) })
	}
	if rapid.Bool().Draw(r, "like") || len(conds) == 0 {
		q.Like = map[string]string{"text": "ALPHA*"}
		conds = append(conds, func(e entryOf) bool { return e["text"] == "alpha" || e["text"] == "alphabet" })
	}
	fits := func(e entryOf) bool {
		return !slices.ContainsFunc(conds, func(f func(entryOf) bool) bool { return !f(e) })
	}
	if got, want := m.all(r, c, q), m.which(c, fits); !slices.Equal(got, want) {
		r.Fatalf("%v finds %v, want %v for %+v", c.narrowing, got, want, q)
	}
}

func (m *model) count(r *rapid.T) {
	c := who(r)
	var got Counts
	err := m.do(c, "get-objects-count", m.path("/count/objects"), m.name, func(call Call) (err error) {
		got, err = m.engine.Count(context.Background(), call)
		return err
	})
	if want := m.which(c, func(entryOf) bool { return true }); err != nil || int(got.Active) != len(want) {
		r.Fatalf("%v counts %+v (%v), want %d", c.narrowing, got, err, len(want))
	}
}
