package objects

import (
	"context"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// breakable is a lab with an object that everything is tried on.
type breakable struct {
	*lab
	id, pointer, held string // an object, a token for it, and one with values of its own
}

func str(s string) jsontext.Value { return jsontext.Value(`"` + s + `"`) }

func newBreakable(t *testing.T) *breakable {
	t.Helper()
	store, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	b := &breakable{lab: newLab(t, store)}
	b.collection(t, "c")
	b.collection(t, "pets")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(b.act("c", "add-object", "/objects", func(call Call) (err error) {
		b.id, err = b.engine.Add(t.Context(), call, Fields{"unique": str("one"), "indexed": str("i"), "text": str("some text")}, Expiry{})
		return err
	}))
	must(b.act("pets", "add-object", "/objects", func(call Call) error {
		_, err := b.engine.Add(t.Context(), call, Fields{"plain": str("p"), propOwner: str(b.id), propOwnerColl: str("c")}, Expiry{})
		return err
	}))
	must(b.act("c", "tokenize", "/tokens", func(call Call) error {
		out, err := b.engine.Tokenize(t.Context(), call, []TokenizeRequest{
			{Type: Pointer, Object: Input{ID: &b.id}, Props: []string{"unique"}},
			{Type: PCI, Object: Input{ID: &b.id}, Props: []string{"indexed"}, Tags: []string{"x"}},
		}, "tx", Expiry{})
		if err == nil {
			b.pointer, b.held = out[0].TokenID, out[1].TokenID
		}
		return err
	}))
	return b
}

func (b *breakable) act(collection string, op gate.Operation, path string, fn func(Call) error) error {
	return b.do(caller{}, op, dataPath+collection+path, collection, fn)
}

func (b *breakable) control(op gate.Operation, path string, fn func(gate.Pass) error) error {
	return b.do(caller{}, op, path, "", func(call Call) error { return fn(call.Pass) })
}

func (b *breakable) tokens() TokenFilter { return TokenFilter{TokenIDs: []string{b.pointer, b.held}} }

type action func(context.Context, *breakable, *Engine) error

// changes are all changes of data and definitions that are one transaction.
var changes = map[string]action{
	"add": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.act("c", "add-object", "/objects", func(call Call) error {
			_, err := e.Add(ctx, call, Fields{"unique": str("new"), "indexed": str("i"), "text": str("other text")}, Expiry{})
			return err
		})
	},
	"add all": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.act("c", "add-objects", "/bulk/objects", func(call Call) error {
			_, fails, err := e.AddAll(ctx, call, []Fields{{"unique": str("a")}, {"unique": str("b")}}, Expiry{})
			return first(fails, err)
		})
	},
	"update": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.act("c", "update-object-by-id", "/objects/"+b.id, func(call Call) error {
			return e.Update(ctx, call, Change{ID: b.id, Fields: Fields{"unique": str("two"), "text": str("changed")}}, Expiry{Given: true, Secs: 60}, false)
		})
	},
	"update all": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.act("c", "update-objects", "/bulk/objects", func(call Call) error {
			return first(e.UpdateAll(ctx, call, []Change{{ID: b.id, Fields: Fields{"indexed": str("j")}}}, Expiry{}, false))
		})
	},
	"delete": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.act("c", "delete-object-by-id", "/objects/"+b.id, func(call Call) error { return e.Delete(ctx, call, b.id, false) })
	},
	"delete all": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.act("c", "delete-objects", "/bulk/objects", func(call Call) error {
			return first(e.DeleteAll(ctx, call, []string{b.id}, false))
		})
	},
	"tokenize": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.act("c", "tokenize", "/tokens", func(call Call) error {
			out, err := e.Tokenize(ctx, call, []TokenizeRequest{
				{Type: Pointer, Object: Input{ID: &b.id}, Props: []string{"text"}},
				{Type: Deterministic, Object: Input{ID: &b.id}, Props: []string{"text"}},
				{Type: PCI, Object: Input{Fields: Fields{"plain": str("v")}}, Props: []string{"plain"}, StoreObject: true},
			}, "tx2", Expiry{})
			if err != nil && out != nil {
				return nil // shows as a success that was none
			}
			return err
		})
	},
	"update tokens": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.act("c", "update-tokens", "/tokens", func(call Call) error {
			return e.UpdateTokens(ctx, call, b.tokens(), TokenChange{Tags: []string{"y"}}, Expiry{Given: true, Secs: 60})
		})
	},
	"rotate tokens": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.act("c", "rotate-tokens", "/rotate/tokens", func(call Call) error {
			_, err := e.RotateTokens(ctx, call, []string{b.pointer, b.held})
			return err
		})
	},
	"delete tokens": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.act("c", "delete-tokens", "/tokens", func(call Call) error { return e.DeleteTokens(ctx, call, b.tokens()) })
	},
	"add a collection": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.control("add-collection", schemaPath, func(p gate.Pass) error {
			_, err := e.AddCollection(ctx, p, Collection{Name: "more", Type: "DATA", Properties: []Property{{Name: "n", DataType: "STRING"}}}, false)
			return err
		})
	},
	"add a property": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.control("add-collection-property", schemaPath+"/c/properties/n", func(p gate.Pass) error {
			_, err := e.AddProperty(ctx, p, "c", "n", Property{DataType: "STRING", IsNullable: true})
			return err
		})
	},
	"add a type": func(ctx context.Context, b *breakable, e *Engine) error {
		return b.control("add-data-type", typesPath, func(p gate.Pass) error {
			_, err := e.AddType(ctx, p, DataType{Name: "OWN", BaseType: "STRING"})
			return err
		})
	},
}

// Whatever call of the storage fails, nothing is kept and the answer is that
// the storage is unavailable.
func TestEveryChangeIsAllOrNothing(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			b := newBreakable(t)
			storagetest.AllOrNothing(t, b.raw, func(s storage.Store) error { return change(t.Context(), b, b.on(s)) })
		})
	}
}

// Answers are whole, or they are refused.
func TestEveryReadIsWholeOrFails(t *testing.T) {
	b := newBreakable(t)
	for name, read := range map[string]struct {
		op   gate.Operation
		path string
		do   func(*Engine, Call) (string, error)
	}{
		"get": {"get-object-by-id", "/objects/" + b.id, func(e *Engine, c Call) (string, error) {
			out, err := e.Get(t.Context(), c, b.id, Projection{Unsafe: true})
			return string(out), err
		}},
		"list": {"list-objects", "/objects", func(e *Engine, c Call) (string, error) {
			out, err := e.List(t.Context(), c, nil, Projection{Unsafe: true}, Page{})
			return string(out), err
		}},
		"search": {"search-objects", "/query/objects", func(e *Engine, c Call) (string, error) {
			out, err := e.Search(t.Context(), c, Query{Like: map[string]string{"text": "*text*"}}, Projection{Unsafe: true}, Page{})
			return string(out), err
		}},
		"detokenize": {"detokenize", "/tokens", func(e *Engine, c Call) (string, error) {
			out, err := e.Detokenize(t.Context(), c, b.tokens(), nil, Metadata{})
			return string(out), err
		}},
		"search tokens": {"search-tokens", "/query/tokens", func(e *Engine, c Call) (string, error) {
			out, err := e.SearchTokens(t.Context(), c, b.tokens())
			return string(out), err
		}},
		"transaction": {"get-by-transaction-id", "/transaction_id/tx", func(e *Engine, c Call) (string, error) {
			out, err := e.Transaction(t.Context(), c, "tx")
			return strings.Join(out, " "), err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var want, got string
			err := b.act("c", read.op, read.path, func(c Call) (err error) { want, err = read.do(b.engine, c); return err })
			if err != nil {
				t.Fatal(err)
			}
			storagetest.FailEachCall(t, b.raw, func(s storage.Store) error {
				return b.act("c", read.op, read.path, func(c Call) (err error) { got, err = read.do(b.on(s), c); return err })
			}, func(bool) error { return nil })
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

// What an interrupted removal of a collection leaves is removed later, and
// nothing of the others.
func TestSweepFinishesAnInterruptedRemoval(t *testing.T) {
	b := newBreakable(t)
	before := len(storagetest.Dump(t, b.raw))
	if err := b.engine.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(storagetest.Dump(t, b.raw)); n != before {
		t.Fatalf("%d of %d keys are left of collections that are there", n, before)
	}
	whole := newBreakable(t)
	remove := func(e *Engine) error {
		return b.control("delete-collection", schemaPath+"/c", func(p gate.Pass) error { return e.DeleteCollection(t.Context(), p, "c") })
	}
	if err := remove(whole.engine); err != nil {
		t.Fatal(err)
	}
	want := len(storagetest.Dump(t, whole.raw))
	if err := remove(b.on(&storagetest.Faulty{Store: b.raw, FailAt: 10})); err == nil {
		t.Fatal("not interrupted")
	}
	if n := len(storagetest.Dump(t, b.raw)); n <= want {
		t.Fatalf("not interrupted: %d keys, %d are to stay", n, want)
	}
	if err := b.on(b.raw).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(storagetest.Dump(t, b.raw)); n != want {
		t.Errorf("%d keys are left, want %d", n, want)
	}
}
