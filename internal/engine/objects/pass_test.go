package objects

import (
	"context"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage/embedded"
)

type open struct{}

func (open) Record(context.Context, *audit.Entry) error { return nil }
func (open) RecordPair(context.Context, *audit.Entry, *audit.Entry) error {
	return nil
}
func (open) Authenticate(context.Context, *gate.Request) (*principal.Principal, error) {
	return principal.New(principal.Attrs{Kind: principal.APIKey}), nil
}
func (open) Authorise(context.Context, *gate.Request, *principal.Principal) (policy.Decision, gate.Asker, error) {
	return policy.Decision{Allowed: true}, open{}, nil
}
func (open) Ask(gate.Operation, string) policy.Decision { return policy.Decision{Allowed: true} }

// TestNoMethodWithoutItsPass calls every method with no pass, and with passes
// that were given for something else.
func TestNoMethodWithoutItsPass(t *testing.T) {
	store, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ring := seal.NewKeyring(time.Now())
	e, err := New(Options{Store: seal.Wrap(store, ring), Keyring: ring})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	f := TokenFilter{TokenIDs: []string{"t"}}
	methods := map[gate.Operation]func(gate.Pass, Call) error{
		"list-collections":           func(p gate.Pass, _ Call) error { _, err := e.Collections(ctx, p, false); return err },
		"get-collection":             func(p gate.Pass, _ Call) error { _, err := e.Collection(ctx, p, "c", false); return err },
		"list-collection-properties": func(p gate.Pass, _ Call) error { _, err := e.Properties(ctx, p, "c", false); return err },
		"get-collection-property":    func(p gate.Pass, _ Call) error { _, err := e.Property(ctx, p, "c", "p"); return err },
		"add-collection": func(p gate.Pass, _ Call) error {
			_, err := e.AddCollection(ctx, p, Collection{Name: "c", Type: "DATA"}, false)
			return err
		},
		"update-collection": func(p gate.Pass, _ Call) error {
			_, err := e.UpdateCollection(ctx, p, "c", Collection{}, nil, false)
			return err
		},
		"delete-collection":       func(p gate.Pass, _ Call) error { return e.DeleteCollection(ctx, p, "c") },
		"add-collection-property": func(p gate.Pass, _ Call) error { _, err := e.AddProperty(ctx, p, "c", "p", Property{}); return err },
		"update-collection-property": func(p gate.Pass, _ Call) error {
			_, err := e.UpdateProperty(ctx, p, "c", "p", PropertyChange{})
			return err
		},
		"delete-collection-property": func(p gate.Pass, _ Call) error { return e.DeleteProperty(ctx, p, "c", "p") },
		"list-data-types":            func(p gate.Pass, _ Call) error { _, err := e.Types(ctx, p, true); return err },
		"get-data-type":              func(p gate.Pass, _ Call) error { _, err := e.Type(ctx, p, "SSN"); return err },
		"add-data-type": func(p gate.Pass, _ Call) error {
			_, err := e.AddType(ctx, p, DataType{Name: "X", BaseType: "SSN"})
			return err
		},
		"delete-data-type": func(p gate.Pass, _ Call) error { return e.DeleteType(ctx, p, "X") },

		"add-object":          func(_ gate.Pass, c Call) error { _, err := e.Add(ctx, c, Fields{}, Expiry{}); return err },
		"add-objects":         func(_ gate.Pass, c Call) error { _, _, err := e.AddAll(ctx, c, []Fields{{}}, Expiry{}); return err },
		"get-object-by-id":    func(_ gate.Pass, c Call) error { _, err := e.Get(ctx, c, "i", Projection{}); return err },
		"list-objects":        func(_ gate.Pass, c Call) error { _, err := e.List(ctx, c, nil, Projection{}, Page{}); return err },
		"search-objects":      func(_ gate.Pass, c Call) error { _, err := e.Search(ctx, c, Query{}, Projection{}, Page{}); return err },
		"get-objects-count":   func(_ gate.Pass, c Call) error { _, err := e.Count(ctx, c); return err },
		"update-object-by-id": func(_ gate.Pass, c Call) error { return e.Update(ctx, c, Change{ID: "i"}, Expiry{}, false) },
		"update-objects": func(_ gate.Pass, c Call) error {
			_, err := e.UpdateAll(ctx, c, []Change{{}}, Expiry{}, false)
			return err
		},
		"delete-object-by-id": func(_ gate.Pass, c Call) error { return e.Delete(ctx, c, "i", false) },
		"delete-objects":      func(_ gate.Pass, c Call) error { _, err := e.DeleteAll(ctx, c, []string{"i"}, false); return err },
		"tokenize": func(_ gate.Pass, c Call) error {
			_, err := e.Tokenize(ctx, c, []TokenizeRequest{{}}, "", Expiry{})
			return err
		},
		"detokenize":            func(_ gate.Pass, c Call) error { _, err := e.Detokenize(ctx, c, f, nil, Metadata{}); return err },
		"update-tokens":         func(_ gate.Pass, c Call) error { return e.UpdateTokens(ctx, c, f, TokenChange{}, Expiry{}) },
		"delete-tokens":         func(_ gate.Pass, c Call) error { return e.DeleteTokens(ctx, c, f) },
		"rotate-tokens":         func(_ gate.Pass, c Call) error { _, err := e.RotateTokens(ctx, c, []string{"t"}); return err },
		"search-tokens":         func(_ gate.Pass, c Call) error { _, err := e.SearchTokens(ctx, c, f); return err },
		"get-tokens-count":      func(_ gate.Pass, c Call) error { _, err := e.CountTokens(ctx, c); return err },
		"get-by-transaction-id": func(_ gate.Pass, c Call) error { _, err := e.Transaction(ctx, c, "x"); return err },
		"encrypt": func(_ gate.Pass, c Call) error {
			_, err := e.Encrypt(ctx, c, []EncryptRequest{{}}, Expiry{})
			return err
		},
		"update-encrypted": func(_ gate.Pass, c Call) error {
			_, err := e.UpdateEncrypted(ctx, c, []UpdateEncryptedRequest{{}}, Expiry{}, false)
			return err
		},
		"decrypt": func(_ gate.Pass, c Call) error {
			_, err := e.Decrypt(ctx, c, []DecryptRequest{{}}, false, false)
			return err
		},
		"hash-objects": func(_ gate.Pass, c Call) error { _, err := e.Hash(ctx, c, []HashRequest{{}}); return err },
	}
	// What a void pass answers is what every other pass must answer as well.
	void := gate.Pass{}.Check("x", "y").Error()
	g := gate.New(open{}, nil)
	for op, method := range methods {
		refused := func(what string, p gate.Pass) {
			t.Helper()
			if err := method(p, Call{Pass: p, Collection: "c"}); err == nil || err.Error() != void {
				t.Errorf("%s: %s: %v", op, what, err)
			}
		}
		refused("no pass", gate.Pass{})
		for what, r := range map[string]*gate.Request{
			"pass for another path":      {Operation: op, Path: dataPath + "other/objects"},
			"pass for another operation": {Operation: "get-vault-version", Path: dataPath + "c/objects"},
		} {
			err := g.Do(ctx, open{}, r, func(_ context.Context, p gate.Pass) (*gate.Result, error) {
				refused(what, p)
				return nil, nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		var kept gate.Pass
		_ = g.Do(ctx, open{}, &gate.Request{Operation: op, Path: dataPath + "c/objects"}, func(_ context.Context, p gate.Pass) (*gate.Result, error) {
			kept = p
			return nil, nil
		})
		refused("pass of a request that is over", kept)
	}
}
