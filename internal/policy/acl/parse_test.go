package acl

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

func parse(t *testing.T, text string) *Policy {
	t.Helper()
	p, err := Parse("test", text)
	if err != nil {
		t.Fatalf("Parse: %v\n%s", err, text)
	}
	return p
}

// build compiles one policy per text, named p0, p1, ….
func build(t *testing.T, texts ...string) *ACL {
	t.Helper()
	var all []*Policy
	for i, text := range texts {
		p, err := Parse("p"+string(rune('0'+i)), text)
		if err != nil {
			t.Fatalf("Parse: %v\n%s", err, text)
		}
		all = append(all, p)
	}
	a, err := Compile(all, TemplateData{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestParseRefusals(t *testing.T) {
	deep := strings.Repeat("a {", 40) + strings.Repeat("}", 40)
	tests := []struct{ name, text, want string }{
		{"unknown top-level key", "paths \"x\" {}", `invalid key "paths" on line 1`},
		{"unknown key in a rule", "path \"x\" {\n  capability = [\"read\"]\n}", `path "x": invalid key "capability" on line 2`},
		{"unknown capability", `path "x" { capabilities = ["reed"] }`, `path "x": invalid capability "reed"`},
		{"capabilities in the wrong case", `path "x" { capabilities = ["Read"] }`, `path "x": invalid capability "Read"`},
		{"unknown old policy", `path "x" { policy = "all" }`, `path "x": invalid policy "all"`},
		{"old policy of the wrong type", `path "x" { policy = 3 }`, `path "x": policy must be a text, on line 1`},
		{"plus star", `path "a/+*" { capabilities = ["read"] }`, `path "a/+*": invalid use of wildcards ('+*' is forbidden)`},
		{"TTL bounds crossed", `path "x" { min_wrapping_ttl = "2h" max_wrapping_ttl = 60 }`, `path "x": max_wrapping_ttl cannot be less than min_wrapping_ttl`},
		{"TTL zero", `path "x" { min_wrapping_ttl = 0 }`, `min_wrapping_ttl on line 1 must be`},
		{"TTL negative", `path "x" { min_wrapping_ttl = "-1h" }`, `min_wrapping_ttl on line 1 must be`},
		{"TTL fraction", `path "x" { max_wrapping_ttl = 1.5 }`, `max_wrapping_ttl on line 1 must be`},
		{"TTL huge", `path "x" { max_wrapping_ttl = "9999999d" }`, `max_wrapping_ttl on line 1 must be`},
		{"TTL of no days", `path "x" { min_wrapping_ttl = "0d" }`, `min_wrapping_ttl on line 1 must be`},
		{"TTL over ten years in days", `path "x" { max_wrapping_ttl = "3651d" }`, `max_wrapping_ttl on line 1 must be`},
		{"TTL over ten years in hours", `path "x" { max_wrapping_ttl = "87601h" }`, `max_wrapping_ttl on line 1 must be`},
		{"TTL of the wrong type", `path "x" { max_wrapping_ttl = ["1h"] }`, `max_wrapping_ttl on line 1 must be`},
		{"capabilities of the wrong type", `path "x" { capabilities = 3 }`, `capabilities must be a list of texts, on line 1`},
		{"capabilities with a number", `path "x" { capabilities = ["read", 3] }`, `capabilities must be a list of texts, on line 1`},
		{"required of the wrong type", `path "x" { required_parameters = 3 }`, `required_parameters must be a list of texts`},
		{"parameters of the wrong type", `path "x" { allowed_parameters = 3 }`, `allowed_parameters must be a block of lists, on line 1`},
		{"parameter twice in two cases", `path "x" { denied_parameters = { a = [] A = [] } }`, `denied_parameters names "a" twice, again on line 1`},
		{"comment of the wrong type", `path "x" { comment = [] }`, `comment must be a text`},
		{"key twice", "path \"x\" { capabilities = [\"read\"]\n capabilities = [\"sudo\"] }", "failed to parse policy: "},
		{"block key twice", "path \"x\" { allowed_parameters { a = [] }\n allowed_parameters { b = [] } }", `key "allowed_parameters" is set twice, again on line 2`},
		{"name block twice", "name \"a\" {}\nname \"b\" {}", `key "name" is set twice, again on line 2`},
		{"restriction that is not enforced", `path "x" { capabilities = ["read"] mfa_methods = ["m"] }`, `key "mfa_methods" on line 1 is not supported by this server`},
		{"path without a block", `path = "x"`, `"path" on line 1 must hold a block`},
		{"rule without a block", `{"path": {"x": 3}}`, `path "x": must hold a block, on line 1`},
		{"two blocks for one rule", `{"path": {"x": [{"policy": "deny"}, {"capabilities": ["read"]}]}}`, `path "x": must hold a block, on line 1`},
		{"name twice in a value", `path "x" { allowed_parameters = { a = [{ b = 1, b = 2 }] } }`, `failed to parse policy: `},
		{"other key than path with a list", `{"paths": [{"x": {}}]}`, `invalid key "paths" on line 1`},
		{"JSON name twice", `{"path": {"x": {}, "x": {}}}`, `not valid JSON`},
		{"JSON cut short", `{"path": {"x": {"capabilities": ["re`, `line 1: not valid JSON`},
		{"JSON broken list", `{"path": {"x": {"capabilities": [}`, `line 1: not valid JSON`},
		{"JSON broken object", `{"path": ]`, `line 1: not valid JSON`},
		{"JSON broken name", `{"path": {3`, `line 1: not valid JSON`},
		{"JSON then more", "{\n} x", `line 2: text after the end`},
		{"JSON huge number", `{"path": {"x": {"allowed_parameters": {"a": [1e99999999999]}}}}`, `out of range`},
		{"JSON null value", `{"path": {"x": {"allowed_parameters": {"a": [null]}}}}`, `cannot be compared`},
		{"nested null value", `{"path": {"x": {"allowed_parameters": {"a": [[null]]}}}}`, `cannot be compared`},
		{"nested null field", `{"path": {"x": {"allowed_parameters": {"a": [{"b":null}]}}}}`, `cannot be compared`},
		{"HCL syntax", `path "x" {`, `failed to parse policy: `},
		{"HCL number out of range", `path "x" { allowed_parameters = { a = [0x99999999999999999999] } }`, `cannot be read`},
		{"HCL exponent out of range", `path "x" { allowed_parameters = { a = [1.5e99999999999] } }`, `cannot be read`},
		{"JSON value that is no value", `{"path": {"x": x}}`, `not valid JSON`},
		{"HCL comment that never ends", `/* path "a" {`, `failed to parse policy: `},
		{"HCL escape", `path "a\q" {}`, `failed to parse policy: `},
		{"too deep", deep, `nested deeper than 32`},
		{"too deep in JSON", strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40), `nested deeper than 32`},
		{"too long", strings.Repeat(" ", MaxSize+1), `longer than 131072 bytes`},
		{"bad UTF-8", "# \xff", `not valid UTF-8`},
		{"template not closed", `path "a/{{identity.entity.id" {}`, `not closed`},
		{"template unknown", `path "a/{{token.id}}" {}`, `unknown template "token.id"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse("test", tt.text)
			if err == nil {
				t.Fatalf("accepted as %+v", p.rules)
			}
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("kind %v, want invalid", fault.Of(err))
			}
			text := fault.PublicText(err)
			if !strings.HasPrefix(text, "failed to parse policy: ") || !strings.Contains(text, tt.want) {
				t.Errorf("text %q lacks %q", text, tt.want)
			}
		})
	}
}

func TestParseTakes(t *testing.T) {
	tests := []struct {
		name, text, path string
		want             []string
	}{
		{"HCL", `path "a" { capabilities = ["read", "list"] }`, "a", []string{"list", "read"}},
		{"one capability as a text", `path "a" { capabilities = "read" }`, "a", []string{"read"}},
		{"trailing comma, heredoc and comments", "# c {\n// d [\n/* { */ path \"a\" { comment = <<E\nhi\nE\n capabilities = [\"read\",] }", "a", []string{"read"}},
		{"comment that never ends", "path \"a\" { capabilities = [\"read\"] } # end", "a", []string{"read"}},
		{"escape in a string", `path "a" { comment = "\"{" capabilities = ["read"] }`, "a", []string{"read"}},
		{"JSON flag", `{"path": {"a": {"capabilities": ["read"], "allowed_parameters": {"x": [true, 1.5]}}}}`, "a", []string{"read"}},
		{"leading slash is dropped", `path "/a" { capabilities = ["read"] }`, "a", []string{"read"}},
		{"name is ignored", `name = "x" path "a" { capabilities = ["read"] }`, "a", []string{"read"}},
		{"JSON", `{"name":"n","path": {"a": {"capabilities": ["read"], "comment":"x"}}}`, "a", []string{"read"}},
		{"JSON with leading space and a list of rules", "\n {\"path\": [{\"a\": {\"capabilities\": [\"read\"]}}, {\"b\": [{\"policy\":\"deny\"}]}]}", "a", []string{"read"}},
		{"old read", `path "a" { policy = "read" }`, "a", []string{"list", "read"}},
		{"old write has no patch", `path "a" { policy = "write" }`, "a", []string{"create", "delete", "list", "read", "update"}},
		{"old sudo", `path "a" { policy = "sudo" }`, "a", []string{"create", "delete", "list", "read", "sudo", "update"}},
		{"old deny", `path "a" { policy = "deny" capabilities = ["read"] }`, "a", []string{"deny"}},
		{"deny beats the rest of its own list", `path "a" { capabilities = ["read", "deny"] }`, "a", []string{"deny"}},
		{"all names", `path "a" { capabilities = ["create","read","update","patch","delete","list","scan","sudo","recover","subscribe"] }`, "a",
			[]string{"create", "delete", "list", "patch", "read", "recover", "scan", "subscribe", "sudo", "update"}},
		{"no capabilities", `path "a" {}`, "a", []string{"deny"}},
		{"empty text", ``, "a", []string{"deny"}},
		{"same path twice merges", "path \"a\" { capabilities=[\"read\"] }\npath \"a\" { capabilities=[\"list\"] }", "a", []string{"list", "read"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := build(t, tt.text)
			if got := a.Capabilities(tt.path); !slices.Equal(got, tt.want) {
				t.Errorf("Capabilities(%q) = %v, want %v", tt.path, got, tt.want)
			}
		})
	}
}

func TestParseKeepsTextAndName(t *testing.T) {
	p := parse(t, `path "a" {}`)
	if p.Name() != "test" || p.Text() != `path "a" {}` {
		t.Errorf("got %q %q", p.Name(), p.Text())
	}
}

func TestParseWrappingTTL(t *testing.T) {
	for text, want := range map[string]time.Duration{
		`"60"`: time.Minute, `60`: time.Minute, `"1h"`: time.Hour, `"2d"`: 48 * time.Hour, `0x10`: 16 * time.Second, `7`: 7 * time.Second, `" 5s "`: 5 * time.Second,
		`"1s"`: time.Second, `1`: time.Second, `"87600h"`: 87600 * time.Hour,
	} {
		p := parse(t, `path "a" { min_wrapping_ttl = `+text+` }`)
		if p.rules[0].minWrap != want {
			t.Errorf("%s: got %v, want %v", text, p.rules[0].minWrap, want)
		}
	}
	p := parse(t, `path "a" { min_wrapping_ttl = "1m" max_wrapping_ttl = "3650d" }`)
	if r := p.rules[0]; r.minWrap != time.Minute || r.maxWrap != 3650*24*time.Hour {
		t.Errorf("got %v to %v", r.minWrap, r.maxWrap)
	}
	parse(t, `path "a" { min_wrapping_ttl = "1m" max_wrapping_ttl = "60s" }`) // one time is a bound, too
}

func TestPolicyNames(t *testing.T) {
	for _, name := range []string{"", " root", "root ", "Root", "ROOT", "rOOt", "\troot", "a\x00b", "a\nb", "\xff", " x", strings.Repeat("a", 513)} {
		if n, err := NormalizeName(name); err == nil {
			t.Errorf("NormalizeName(%q) = %q, want refusal", name, n)
		} else if !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: kind %v", name, fault.Of(err))
		}
	}
	for name, want := range map[string]string{"root": "root", "Web-Apps": "web-apps", "team/x y": "team/x y"} {
		if n, err := NormalizeName(name); err != nil || n != want {
			t.Errorf("NormalizeName(%q) = %q, %v", name, n, err)
		}
	}
	for _, name := range []string{"root", "Upper", " x", ""} {
		if _, err := Parse(name, ""); !fault.Is(err, fault.Invalid) {
			t.Errorf("Parse(%q) took the name: %v", name, err)
		}
	}
}

func TestOnlyRootIsRoot(t *testing.T) {
	a, err := Compile([]*Policy{Root(), nil}, TemplateData{})
	if err != nil {
		t.Fatal(err)
	}
	d := a.Decide(Question{Operation: Delete, Path: "sys/anything", Sudo: true})
	if !d.Allowed || d.Rule != `policy "root"` || !a.Root() || !a.AnyUnder("x") {
		t.Errorf("root: %+v", d)
	}
	if got := a.Capabilities("x"); !slices.Equal(got, []string{"root"}) {
		t.Errorf("Capabilities = %v", got)
	}
	if !a.Resultant().Root {
		t.Error("Resultant does not say root")
	}
	if _, err := Compile([]*Policy{Root(), Default()}, TemplateData{}); !fault.Is(err, fault.Invalid) {
		t.Errorf("root beside another policy: %v", err)
	}
	// A policy that was called root by other means is not root.
	b, err := Compile([]*Policy{{name: RootName}}, TemplateData{})
	if err != nil || b.Root() || b.Decide(Question{Operation: Read, Path: "x"}).Allowed {
		t.Error("a policy named root is root")
	}
}

func TestMustPanicsOnBadBuiltin(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	must("x", "path")
}

func FuzzParse(f *testing.F) {
	f.Add(`path "a/+/b*" { capabilities = ["read"] allowed_parameters = { "x" = ["*a", 1, 2.5] } }`)
	f.Add(`{"path":{"a":{"policy":"write","required_parameters":["x"]}}}`)
	f.Add(DefaultText)
	f.Add("path \"a\" { comment = <<E\n{\nE\n}")
	f.Add(`path "a/{{identity.groups.names.x.id}}" {}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("fuzz", text)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("kind %v", fault.Of(err))
			}
			return
		}
		a, err := Compile([]*Policy{p}, TemplateData{EntityID: "x", EntityName: "../*"})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range p.rules {
			a.Decide(Question{Operation: List, Path: r.path, Data: map[string]any{"x": "y"}})
			a.Capabilities(r.path)
			a.AnyUnder(r.path)
		}
	})
}
