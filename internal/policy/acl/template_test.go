package acl

import (
	"strings"
	"testing"
)

func templated(t *testing.T, path string, ids TemplateData) *ACL {
	t.Helper()
	a, err := Compile([]*Policy{parse(t, `path "`+path+`" { capabilities = ["read", "list"] }`)}, ids)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTemplates(t *testing.T) {
	ids := TemplateData{
		EntityID: "e-1", EntityName: "alice", EntityMetadata: map[string]string{"team": "red", "a.b": "dotted"},
		Aliases: map[string]Alias{"auth_jwt_1": {ID: "al-1", Name: "alice@x", Metadata: map[string]string{"project": "p1"}, CustomMetadata: map[string]string{"cost": "c1"}}},
		Groups:  []Group{{}, {ID: "g-1", Name: "ops.eu", Metadata: map[string]string{"room": "r1"}}},
	}
	tests := []struct{ template, want string }{
		{"identity.entity.id", "e-1"},
		{" identity.entity.name ", "alice"},
		{"identity.entity.metadata.team", "red"},
		{"identity.entity.metadata.a.b", "dotted"},
		{"identity.entity.metadata.none", ""},
		{"identity.entity.other", ""},
		{"identity.entity.aliases.auth_jwt_1.id", "al-1"},
		{"identity.entity.aliases.auth_jwt_1.name", "alice@x"},
		{"identity.entity.aliases.auth_jwt_1.metadata.project", "p1"},
		{"identity.entity.aliases.auth_jwt_1.custom_metadata.cost", "c1"},
		{"identity.entity.aliases.auth_jwt_1.other", ""},
		{"identity.entity.aliases.auth_jwt_2.name", ""},
		{"identity.groups.ids.g-1.name", "ops.eu"},
		{"identity.groups.ids.g-1.metadata.room", "r1"},
		{"identity.groups.ids.g-1.metadata.none", ""},
		{"identity.groups.ids.g-2.name", ""},
		{"identity.groups.names.ops.eu.id", "g-1"},
		{"identity.groups.names.ops.eu.other", ""},
		{"identity.groups.other", ""},
	}
	for _, tt := range tests {
		t.Run(tt.template, func(t *testing.T) {
			a := templated(t, "secret/{{"+tt.template+"}}/*", ids)
			if tt.want == "" {
				if len(a.Dropped()) != 1 || a.AnyUnder("") {
					t.Fatalf("rule was not dropped: %+v", a.Resultant())
				}
				return
			}
			if d := a.Decide(Question{Operation: Read, Path: "secret/" + tt.want + "/x"}); !d.Allowed {
				t.Errorf("%+v, dropped %+v", d, a.Dropped())
			}
			if a.Decide(Question{Operation: Read, Path: "secret/other/x"}).Allowed {
				t.Error("another path is allowed")
			}
		})
	}
}

func TestTemplateValuesNeverWiden(t *testing.T) {
	for _, v := range []string{"*", "+", "a*", "+a", "a/b", "../x", "..", ".", "", "a\x00", "a\nb", "\xff", `a\b`, "a/+"} {
		a := templated(t, "secret/{{identity.entity.name}}/*", TemplateData{EntityName: v})
		if len(a.Dropped()) != 1 || a.AnyUnder("") {
			t.Errorf("value %q was put into the path: %+v", v, a.Resultant())
		}
		if len(v) > 2 && strings.Contains(a.Dropped()[0].Note, v) {
			t.Errorf("the reason shows the caller's value %q", v)
		}
	}
	// Two values, each harmless.
	a := templated(t, "secret/{{identity.entity.id}}.{{identity.entity.name}}", TemplateData{EntityID: "a", EntityName: "b"})
	if !a.Decide(Question{Operation: Read, Path: "secret/a.b"}).Allowed {
		t.Error("harmless pair is dropped")
	}
	a = templated(t, "secret/.{{identity.entity.metadata.a}}/x", TemplateData{EntityMetadata: map[string]string{"a": "."}})
	if len(a.Dropped()) != 1 {
		t.Error("a value made a parent segment")
	}
	// The literal part before the value is written by the operator, yet a value
	// must not complete it to a wildcard or a parent.
	a = templated(t, "secret/..{{identity.entity.name}}", TemplateData{EntityName: "x"})
	if len(a.Dropped()) != 0 {
		t.Error("harmless value is dropped")
	}
	a = templated(t, "./{{identity.entity.name}}", TemplateData{EntityName: "x"})
	if len(a.Dropped()) != 1 {
		t.Error("a templated path with a dot segment is kept")
	}
	// A value that looks like a template is not expanded again.
	a = templated(t, "secret/{{identity.entity.name}}", TemplateData{EntityName: "{{identity.entity.id}}", EntityID: "e"})
	if a.Decide(Question{Operation: Read, Path: "secret/e"}).Allowed {
		t.Error("a value was expanded")
	}
}

// What must not widen a grant may widen a denial, and never undoes it.
func TestAValueNeverUndoesADenial(t *testing.T) {
	p := parse(t, `path "secret/*" { capabilities = ["read"] } path "secret/x/{{identity.entity.name}}*" { capabilities = ["deny"] }`)
	for value, denied := range map[string]string{
		"plain": "secret/x/plain/a", "a/b": "secret/x/a/b/c", "a*": "secret/x/a*/b", "a+": "secret/x/a+b", "+": "secret/x/anything",
		"a/+": "secret/x/anything", "+/a": "secret/x/anything/a", "a..b": "secret/x/a..b", `a\b`: `secret/x/a\b`,
	} {
		a, err := Compile([]*Policy{p}, TemplateData{EntityName: value})
		if err != nil {
			t.Fatal(err)
		}
		if d := a.Decide(Question{Operation: Read, Path: denied}); d.Allowed {
			t.Errorf("%q: %s is allowed: %+v", value, denied, a.Dropped())
		}
		if !a.Decide(Question{Operation: Read, Path: "secret/y"}).Allowed {
			t.Errorf("%q: everything is denied", value)
		}
		if !strings.Contains(value, "+") && !a.Decide(Question{Operation: Read, Path: "secret/x/other"}).Allowed {
			t.Errorf("%q: the denial of others counts", value)
		}
	}
	two := parse(t, `path "{{identity.entity.name}}/{{identity.entity.id}}" { capabilities = ["deny"] }`)
	if a, err := Compile([]*Policy{two}, TemplateData{EntityName: "a/b"}); err != nil || len(a.Dropped()) != 1 {
		t.Errorf("%v, %+v", err, a.Dropped())
	}
	// Who has no value at all has nothing that could be denied.
	a, err := Compile([]*Policy{p}, TemplateData{})
	if err != nil || len(a.Dropped()) != 1 || !a.Decide(Question{Operation: Read, Path: "secret/x/plain"}).Allowed {
		t.Errorf("%v, %+v", err, a.Dropped())
	}
}

func TestDroppedRuleOfOnePolicyKeepsTheOthers(t *testing.T) {
	a, err := Compile([]*Policy{
		parse(t, `path "secret/{{identity.entity.name}}" { capabilities=["read"] } path "b" { capabilities=["read"] }`),
	}, TemplateData{})
	if err != nil || !a.Decide(Question{Operation: Read, Path: "b"}).Allowed {
		t.Errorf("%v", err)
	}
}

// A template that opens right before a literal "*" must not smuggle "+*" in.
func TestTemplatePlusStar(t *testing.T) {
	a := templated(t, "secret/+{{identity.entity.name}}", TemplateData{EntityName: "x"})
	if len(a.Dropped()) != 0 || !a.Decide(Question{Operation: Read, Path: "secret/+x"}).Allowed {
		t.Errorf("dropped %+v", a.Dropped())
	}
}

// A policy can let values span segments; what widens a path stays out.
func TestTemplateValuesWithSlashes(t *testing.T) {
	p := parse(t, `path "secret/{{identity.entity.name}}/*" { capabilities = ["read"] }`)
	for value, path := range map[string]string{
		"group/project": "secret/group/project/x", "a/b/c": "secret/a/b/c/x", "plain": "secret/plain/x",
		"/a": "", "a/": "", "a//b": "", "a/../b": "", "a/./b": "", "../a": "", "a/*": "", "*/a": "", "a/+": "", "+/a": "", "a/b*": "", "a\\b/c": "", "a/b\x00": "", "": "",
	} {
		ids := TemplateData{EntityName: value}
		a, err := Compile([]*Policy{p.WithSlashes()}, ids)
		if err != nil {
			t.Fatal(err)
		}
		if path == "" {
			if len(a.Dropped()) != 1 || a.AnyUnder("") {
				t.Errorf("%q: the rule was not dropped", value)
			}
			continue
		}
		if !a.Decide(Question{Operation: Read, Path: path}).Allowed || a.Decide(Question{Operation: Read, Path: "secret/other/x"}).Allowed {
			t.Errorf("%q: %+v", value, a.Resultant())
		}
		strict, err := Compile([]*Policy{p}, ids)
		if err != nil || strict.AnyUnder("") != (value == "plain") {
			t.Errorf("%q without the permission: %+v, %v", value, strict.Resultant(), err)
		}
	}
}
