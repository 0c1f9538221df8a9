package policystore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy/acl"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

type ids map[string]acl.TemplateData

func (m ids) TemplateData(_ context.Context, id string) (acl.TemplateData, error) { return m[id], nil }

func open(t testing.TB, o Options) (*Store, storage.Store) {
	t.Helper()
	st, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	s, err := Open(context.Background(), storagetest.Twice(st), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, st
}

func caller(entity string, token []string, identity ...string) *principal.Principal {
	return principal.New(principal.Attrs{Kind: principal.ServiceToken, EntityID: entity, TokenPolicies: token, IdentityPolicies: identity})
}

func (s *Store) may(t testing.TB, p *principal.Principal, op acl.Operation, path string) bool {
	t.Helper()
	a, err := s.For(context.Background(), p, path)
	if err != nil {
		t.Fatal(err)
	}
	return a.Decide(acl.Question{Operation: op, Path: path}).Allowed
}

func TestPoliciesOfTokenAndIdentityAreMerged(t *testing.T) {
	s, _ := open(t, Options{})
	ctx := context.Background()
	for name, text := range map[string]string{
		"a": `path "x/a" { capabilities = ["read"] }`,
		"b": `path "x/b" { capabilities = ["read"] } path "x/a" { capabilities = ["update"] }`,
	} {
		if _, err := s.Put(ctx, name, text); err != nil {
			t.Fatal(err)
		}
	}
	p := caller("e", []string{"a"}, "b", "gone")
	for _, q := range []struct {
		op   acl.Operation
		path string
		want bool
	}{{acl.Read, "x/a", true}, {acl.Update, "x/a", true}, {acl.Read, "x/b", true}, {acl.Delete, "x/b", false}, {acl.Read, "x/c", false}} {
		if got := s.may(t, p, q.op, q.path); got != q.want {
			t.Errorf("%s %s: %v", q.op, q.path, got)
		}
	}
	if s.may(t, nil, acl.Read, "x/a") || s.may(t, caller("", nil), acl.Read, "x/a") {
		t.Error("a caller without policies may read")
	}
	if _, err := s.Put(ctx, "a", `path "x/a" { capabilities = ["deny"] }`); err != nil {
		t.Fatal(err)
	}
	if s.may(t, p, acl.Read, "x/a") {
		t.Error("a changed policy is not in force at once")
	}
	if err := s.Delete(ctx, "A"); err != nil {
		t.Fatal(err)
	}
	if !s.may(t, p, acl.Update, "x/a") || s.may(t, p, acl.Read, "x/a") {
		t.Error("a deleted policy is still in force")
	}
}

// The rules of a set of policies are kept for the next caller with the same set.
// A name that looks like two must not find those of the two: names can come
// from claims.
func TestNoNameOfAPolicyIsTakenForTwo(t *testing.T) {
	s, _ := open(t, Options{})
	for _, name := range []string{"team-a", "zone"} {
		if _, err := s.Put(context.Background(), name, `path "secret/`+name+`" { capabilities = ["read"] }`); err != nil {
			t.Fatal(err)
		}
	}
	lists := [][2][]string{
		{{"team-a", "zone"}, nil}, {{"team-a"}, {"zone"}}, {nil, {"team-a", "zone"}},
		{{"team-a\x00zone"}, nil}, {{"team-a\x01zone"}, nil}, {{"team-a\x00\x01zone"}, nil}, {{"team-a\x04zone"}, nil}, {{"team-a\x01\x04zone"}, nil},
		{nil, {"team-a\x00zone"}}, {{"team-a\x00"}, {"zone"}}, {{"", "zone"}, nil}, {{"", "", "zone"}, nil}, {{}, {}},
	}
	for range 2 { // in whatever order they come to be kept
		for _, l := range lists {
			want := slices.Contains(slices.Concat(l[0], l[1]), "zone")
			if got := s.may(t, caller("", l[0], l[1]...), acl.Read, "secret/zone"); got != want {
				t.Errorf("%q: %v, want %v", l, got, want)
			}
		}
		slices.Reverse(lists)
	}
}

func TestRootCountsOnlyAsATokensOwnPolicy(t *testing.T) {
	s, _ := open(t, Options{})
	if !s.may(t, caller("", []string{"root"}), acl.Delete, "anything") {
		t.Error("a root token may not do everything")
	}
	for _, name := range []string{"root", "Root", " root"} {
		if s.may(t, caller("e", []string{"default"}, name), acl.Delete, "anything") {
			t.Errorf("an identity policy %q makes a caller root", name)
		}
	}
	if s.may(t, caller("", []string{"Root"}), acl.Delete, "anything") {
		t.Error(`the token policy "Root" makes a caller root`)
	}
}

func TestTemplatesAreFilledInPerCaller(t *testing.T) {
	data := ids{
		"e1": {EntityID: "e1", EntityName: "one"},
		"e2": {EntityID: "e2", EntityName: "two"},
		"ex": {EntityID: "ex", EntityName: "*"},
	}
	s, _ := open(t, Options{Identities: data})
	ctx := context.Background()
	if _, err := s.Put(ctx, "own", `path "kv/{{identity.entity.name}}/x" { capabilities = ["read"] }
path "kv/shared" { capabilities = ["read"] }`); err != nil {
		t.Fatal(err)
	}
	for _, q := range []struct {
		entity, path string
		want         bool
	}{
		{"e1", "kv/one/x", true}, {"e1", "kv/two/x", false}, {"e2", "kv/two/x", true}, {"e2", "kv/one/x", false},
		{"ex", "kv/one/x", false}, {"ex", "kv/*/x", false}, {"", "kv/one/x", false}, {"gone", "kv/one/x", false},
		{"e1", "kv/shared", true}, {"", "kv/shared", true},
	} {
		for range 2 {
			if got := s.may(t, caller(q.entity, []string{"own"}), acl.Read, q.path); got != q.want {
				t.Errorf("%s reads %s: %v", q.entity, q.path, got)
			}
		}
	}
	data["e1"] = acl.TemplateData{EntityID: "e1", EntityName: "uno"}
	if s.may(t, caller("e1", []string{"own"}), acl.Read, "kv/one/x") || !s.may(t, caller("e1", []string{"own"}), acl.Read, "kv/uno/x") {
		t.Error("a renamed entity keeps its old paths")
	}
}

func TestATemplatedDenyIsNeverSkipped(t *testing.T) {
	s, _ := open(t, Options{Identities: ids{"e": {EntityID: "e", EntityName: "n"}}})
	ctx := context.Background()
	for _, text := range []string{
		`path "kv/*" { capabilities = ["read", "list"] } path "kv/{{identity.entity.name}}" { capabilities = ["deny"] }`,
		`path "kv/*" { capabilities = ["read", "list"] } path "/kv/{{identity.entity.name}}" { capabilities = ["deny"] }`,
		`path "kv/*" { capabilities = ["read", "list"] } path "+/{{identity.entity.name}}" { capabilities = ["deny"] } path "kv/n" { capabilities = ["deny"] }`,
		`{"path":{"kv/*":{"capabilities":["read","list"]},"kv/\u007b\u007bidentity.entity.name}}":{"capabilities":["deny"]}}}`,
		"path \"kv/*\" { capabilities = [\"read\", \"list\"] }\n# \"comment {{\npath \"kv/{{identity.entity.name}}\" { capabilities = [\"deny\"] }",
	} {
		if _, err := s.Put(ctx, "p", text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if s.may(t, caller("e", []string{"p"}), acl.Read, "kv/n") {
			t.Errorf("kv/n may be read under %s", text)
		}
		if s.may(t, caller("e", []string{"p"}), acl.List, "kv/n/") {
			t.Errorf("kv/n/ may be listed under %s", text)
		}
		if !s.may(t, caller("e", []string{"p"}), acl.Read, "kv/m") {
			t.Errorf("kv/m may not be read under %s", text)
		}
	}
	// Where a "+" stands before the template, no literal head tells who is meant.
	if _, err := s.Put(ctx, "p", `path "+/x/*" { capabilities = ["read"] } path "+/x/{{identity.entity.name}}" { capabilities = ["deny"] }`); err != nil {
		t.Fatal(err)
	}
	if s.may(t, caller("e", []string{"p"}), acl.Read, "kv/x/n") || !s.may(t, caller("e", []string{"p"}), acl.Read, "kv/x/m") {
		t.Error("a denial behind a + is not the caller's own")
	}
}

type noIdentities struct{}

var errNoIdentities = errors.New("out of reach")

func (noIdentities) TemplateData(context.Context, string) (acl.TemplateData, error) {
	return acl.TemplateData{}, errNoIdentities
}

// Without the caller's values a rule is missing, and it may be a denial.
func TestWhoseValuesAreOutOfReachHasNoRules(t *testing.T) {
	s, _ := open(t, Options{Identities: noIdentities{}})
	if _, err := s.Put(t.Context(), "p", `path "kv/*" { capabilities = ["read"] } path "kv/{{identity.entity.name}}" { capabilities = ["deny"] }`); err != nil {
		t.Fatal(err)
	}
	if a, err := s.For(t.Context(), caller("e", []string{"p"}), "kv/n"); !errors.Is(err, errNoIdentities) || a != nil {
		t.Errorf("%v, %v", a, err)
	}
}

func TestCachesAreBounded(t *testing.T) {
	data := ids{}
	s, _ := open(t, Options{Identities: data})
	if _, err := s.Put(t.Context(), "p", `path "kv/{{identity.entity.name}}" { capabilities = ["read"] }`); err != nil {
		t.Fatal(err)
	}
	for i := range maxSets + 10 {
		s.may(t, caller("", []string{fmt.Sprint(i)}), acl.Read, "kv/x")
		id := fmt.Sprint("e", i)
		data[id] = acl.TemplateData{EntityID: id, EntityName: id}
		if i < maxFilled+10 && !s.may(t, caller(id, []string{"p"}), acl.Read, "kv/"+id) {
			t.Fatal("a full cache denies")
		}
		if snap := s.snap.Load(); len(snap.sets) > maxSets || len(snap.filled) > maxFilled {
			t.Fatalf("%d combinations, %d filled in", len(snap.sets), len(snap.filled))
		}
	}
}

func TestPoliciesAreBounded(t *testing.T) {
	s, st := open(t, Options{})
	err := st.Update(t.Context(), func(tx storage.Tx) error {
		for i := range maxPolicies {
			if err := tx.Put(fmt.Appendf(nil, "policy/p%d", i), []byte(`{"text":"path \"x\" {}"}`), time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "new", `path "x" {}`); !fault.Is(err, fault.Conflict) {
		t.Errorf("one more: %v", err)
	}
	if _, err := s.Put(t.Context(), "p0", `path "y" {}`); err != nil {
		t.Errorf("another text for one of them: %v", err)
	}
}

func TestKeptPolicies(t *testing.T) {
	s, _ := open(t, Options{Now: func() time.Time { return time.Unix(1, 0) }})
	ctx := context.Background()
	if got := s.List(); !slices.Equal(got, []string{"default", "root"}) {
		t.Errorf("list %q", got)
	}
	for name, text := range map[string]string{
		"root": `cannot update "root" policy`, "response-wrapping": `cannot update "response-wrapping" policy`,
		"ROOT": `"root" must be written in lower case`, " root": "policy name must not begin or end with white space",
	} {
		if _, err := s.Put(ctx, name, "path \"x\" {}"); fault.PublicText(err) != text {
			t.Errorf("put %q: %q, want %q", name, fault.PublicText(err), text)
		}
	}
	for name, text := range map[string]string{"root": `cannot delete "root" policy`, "DEFAULT": "cannot delete default policy"} {
		if err := s.Delete(ctx, name); fault.PublicText(err) != text {
			t.Errorf("delete %q: %q, want %q", name, fault.PublicText(err), text)
		}
	}
	if _, err := s.Put(ctx, "bad", "path {"); !fault.Is(err, fault.Invalid) || !strings.HasPrefix(fault.PublicText(err), "failed to parse policy") {
		t.Errorf("%v", err)
	}
	for range 2 {
		if name, err := s.Put(ctx, "Mixed", "path \"x\" {}"); err != nil || name != "mixed" {
			t.Errorf("%q %v", name, err)
		}
	}
	if p, ok := s.Get("MIXED"); !ok || p.Version != 2 || !p.Modified.Equal(time.Unix(1, 0)) {
		t.Errorf("%+v", p)
	}
	if _, err := s.Put(ctx, "default", `path "own" { capabilities = ["read"] }`); err != nil {
		t.Fatal(err)
	}
	if !s.may(t, caller("", []string{"default"}), acl.Read, "own") {
		t.Error("the default policy cannot be changed")
	}
}

func TestTextsThatNoLongerCompileGrantNothing(t *testing.T) {
	failed := make(chan error, 10)
	s, st := open(t, Options{Failed: func(err error) { failed <- err }})
	err := st.Update(context.Background(), func(tx storage.Tx) error {
		return tx.Put([]byte("policy/default"), []byte(`{"text":"path {"}`), time.Time{})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s.may(t, caller("", []string{"default"}), acl.Update, "auth/token/renew-self") || len(failed) == 0 {
		t.Errorf("the broken default policy grants, or nobody was told: %d", len(failed))
	}
	if p, ok := s.Get("default"); !ok || p.Text != "path {" {
		t.Errorf("the broken text cannot be read: %+v", p)
	}
}

func BenchmarkFor(b *testing.B) {
	s, _ := open(b, Options{})
	p := caller("e", []string{"default"}, "other")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.For(context.Background(), p, "secret/data/x"); err != nil {
			b.Fatal(err)
		}
	}
}
