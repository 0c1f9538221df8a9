package acl

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestWhichRuleDecides(t *testing.T) {
	tests := []struct {
		name, rules string // rules: "path=caps; …"
		path        string
		want        string // path text of the deciding rule, "" = none
	}{
		{"exact before pattern", "a/b=read; a/*=read", "a/b", "a/b"},
		{"prefix", "a/*=read", "a/b/c", "a/*"},
		{"prefix matches its own head", "a/*=read", "a/", "a/*"},
		{"prefix does not match less than its head", "a/*=read", "a", ""},
		{"prefix within a segment", "a/b*=read", "a/bc", "a/b*"},
		{"longer prefix", "a/*=read; a/b/*=read", "a/b/c", "a/b/*"},
		{"plus is one segment", "a/+=read", "a/b", "a/+"},
		{"plus is not two segments", "a/+=read", "a/b/c", ""},
		{"plus in the middle", "a/+/c=read", "a/b/c", "a/+/c"},
		{"plus in the middle is literal after", "a/+/c=read", "a/b/d", ""},
		{"plus in the middle needs the rest", "a/+/c=read", "a/b", ""},
		{"plus at the start", "+/b=read", "a/b", "+/b"},
		{"plus alone", "+=read", "a", "+"},
		{"plus inside a segment is literal", "a/b+=read", "a/bc", ""},
		{"plus inside a segment matches itself", "a/b+=read", "a/b+", "a/b+"},
		{"star in the middle is literal", "a/*/c=read", "a/b/c", ""},
		{"star in the middle matches itself", "a/*/c=read", "a/*/c", "a/*/c"},
		{"plus then prefix", "a/+/b*=read", "a/x/bc/d", "a/+/b*"},
		{"plus then slash star", "a/+/*=read", "a/x/y", "a/+/*"},
		{"plus then slash star needs the slash", "a/+/*=read", "a/x", ""},
		{"later first wildcard wins", "a/+/c=read; a/b*=read", "a/b/c", "a/b*"},
		{"non-prefix before prefix", "a/*=read; a/+=read", "a/b", "a/+"},
		{"fewer plus wins", "a/+/+=read; a/+/c=read", "a/b/c", "a/+/c"},
		{"longer wins", "a/+/*=read; a/+/c*=read", "a/b/cd", "a/+/c*"},
		{"greater text wins", "+/+/b=read; +/a/+=read", "x/a/b", "+/a/+"},
		{"a weaker specific rule narrows", "a/*=read,update; a/b=read", "a/b", "a/b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var text strings.Builder
			for r := range strings.SplitSeq(tt.rules, "; ") {
				path, list, _ := strings.Cut(r, "=")
				text.WriteString(`path "` + path + `" { capabilities = ["` + strings.ReplaceAll(list, ",", `","`) + `"] }` + "\n")
			}
			d := build(t, text.String()).Decide(Question{Operation: Read, Path: "/" + tt.path})
			want := ""
			if tt.want != "" {
				want = `path "` + tt.want + `" in policy "p0"`
			}
			if d.Rule != want || d.Allowed != (want != "") {
				t.Errorf("decided by %q (%v), want %q", d.Rule, d.Allowed, want)
			}
		})
	}
}

func TestCapabilityNeeded(t *testing.T) {
	grants := map[Operation]string{
		Create: "create", Read: "read", Update: "update", Patch: "patch", Delete: "delete", List: "list", Scan: "scan",
		Renew: "update", Revoke: "update", Rollback: "update",
	}
	for op, c := range grants {
		for _, have := range capNames {
			if have.bit == capDeny {
				continue
			}
			a := build(t, `path "a" { capabilities = ["`+have.name+`"] }`)
			if got, want := a.Decide(Question{Operation: op, Path: "a"}).Allowed, have.name == c; got != want {
				t.Errorf("%s with capability %s: %v", op, have.name, got)
			}
		}
	}
	a := build(t, `path "*" { capabilities = ["create","read","update","patch","delete","list","sudo"] }`)
	if d := a.Decide(Question{Operation: "resolve-role", Path: "a"}); d.Allowed || d.Checks[0].Name != "operation" {
		t.Errorf("unknown operation: %+v", d)
	}
	if d := a.Decide(Question{Path: "a"}); d.Allowed {
		t.Error("no operation at all is allowed")
	}
}

func TestZeroACLDenies(t *testing.T) {
	for _, a := range []*ACL{nil, {}} {
		if a.Decide(Question{Operation: Read, Path: "a"}).Allowed || a.AnyUnder("") || a.Root() {
			t.Error("zero ACL allows")
		}
		if !a.Decide(Question{Operation: Help, Path: "a"}).Allowed {
			t.Error("help is refused")
		}
		if got := a.Capabilities("a"); !slices.Equal(got, []string{"deny"}) {
			t.Errorf("Capabilities = %v", got)
		}
		if r := a.Resultant(); r.Root || len(r.ExactPaths)+len(r.GlobPaths) != 0 {
			t.Errorf("Resultant = %+v", r)
		}
	}
}

func TestRelativePathsAreDenied(t *testing.T) {
	a := build(t, `path "*" { capabilities = ["read", "list"] }`)
	for path, want := range map[string]bool{"a/../b": false, "..": false, "a/..": false, "a..b": true, "a/b": true} {
		if got := a.Decide(Question{Operation: Read, Path: path}).Allowed; got != want {
			t.Errorf("%q: %v", path, got)
		}
		if got := a.Capabilities(path)[0] != "deny"; got != want {
			t.Errorf("Capabilities(%q): %v", path, got)
		}
	}
}

func TestDenyWinsInMerge(t *testing.T) {
	read := `path "a" { capabilities = ["read"] required_parameters = ["x"] min_wrapping_ttl = 5 }`
	deny := `path "a" { capabilities = ["deny"] }`
	for _, texts := range [][]string{{read, deny}, {deny, read}} {
		a := build(t, texts...)
		d := a.Decide(Question{Operation: Read, Path: "a"})
		if d.Allowed || d.Rule != `path "a" in policies "p0", "p1"` {
			t.Errorf("%+v", d)
		}
		if c, _ := d.Failed(); c.Name != "capability" || c.Received != "deny" {
			t.Errorf("failed check %+v", c)
		}
	}
}

func TestListSlash(t *testing.T) {
	tests := []struct {
		name, text string
		want       bool
	}{
		{"exact without slash", `path "a/b" { capabilities = ["list"] }`, true},
		{"exact with slash", `path "a/b/" { capabilities = ["list"] }`, true},
		{"prefix", `path "a/*" { capabilities = ["list"] }`, true},
		{"plus without slash", `path "a/+" { capabilities = ["list"] }`, true},
		{"deny exact without slash beats prefix", `path "a/b" { capabilities = ["deny"] } path "a/*" { capabilities = ["list"] }`, false},
		{"deny exact with slash beats prefix", `path "a/b/" { capabilities = ["deny"] } path "a/*" { capabilities = ["list"] }`, false},
		{"deny exact beats the other exact", `path "a/b" { capabilities = ["deny"] } path "a/b/" { capabilities = ["list"] }`, false},
		{"deny exact with slash beats the other exact", `path "a/b/" { capabilities = ["deny"] } path "a/b" { capabilities = ["list"] }`, false},
		{"deny plus beats the wider prefix", `path "a/+" { capabilities = ["deny"] } path "a/*" { capabilities = ["list"] }`, false},
		{"deny by a longer prefix", `path "a/b*" { capabilities = ["deny"] } path "a/*" { capabilities = ["list"] }`, false},
		{"a more specific prefix beats a wide deny", `path "a/*" { capabilities = ["deny"] } path "a/b/*" { capabilities = ["list"] }`, true},
		{"an exact rule beats a wide deny", `path "a/*" { capabilities = ["deny"] } path "a/b/" { capabilities = ["list"] }`, true},
		{"a weaker plus does not narrow the slash form", `path "a/+" { capabilities = ["read"] } path "a/*" { capabilities = ["list"] }`, true},
		{"nothing", `path "c" { capabilities = ["list"] }`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := build(t, tt.text)
			for _, path := range []string{"a/b", "a/b/"} {
				if got := a.Decide(Question{Operation: List, Path: path}).Allowed; got != tt.want {
					t.Errorf("list %q: %v, want %v", path, got, tt.want)
				}
				if got := slices.Contains(a.Capabilities(path), "list"); got != tt.want {
					t.Errorf("capability list on %q: %v, want %v", path, got, tt.want)
				}
			}
		})
	}
}

func TestSudo(t *testing.T) {
	a := build(t, `path "a" { capabilities = ["read"] } path "b" { capabilities = ["read","sudo"] } path "c" { capabilities = ["sudo"] }`)
	for path, want := range map[string]bool{"a": false, "b": true, "c": false} {
		d := a.Decide(Question{Operation: Read, Path: path, Sudo: true})
		if d.Allowed != want {
			t.Errorf("%s: %+v", path, d)
		}
	}
}

func TestWrappingBounds(t *testing.T) {
	tests := []struct {
		name  string
		texts []string
		ttl   time.Duration
		want  bool
	}{
		{"min, not wrapped", []string{`min_wrapping_ttl = "1m"`}, 0, false},
		{"min, too short", []string{`min_wrapping_ttl = "1m"`}, 59 * time.Second, false},
		{"min, exact", []string{`min_wrapping_ttl = "1m"`}, time.Minute, true},
		{"max, not wrapped", []string{`max_wrapping_ttl = "1m"`}, 0, false},
		{"max, exact", []string{`max_wrapping_ttl = "1m"`}, time.Minute, true},
		{"max, too long", []string{`max_wrapping_ttl = "1m"`}, 61 * time.Second, false},
		{"negative", []string{`max_wrapping_ttl = "1m"`}, -1, false},
		{"neither set", []string{``}, time.Hour, true},
		{"lower max wins", []string{`max_wrapping_ttl = "2m"`, `max_wrapping_ttl = "1m"`}, 90 * time.Second, false},
		{"lower min wins", []string{`min_wrapping_ttl = "1m"`, `min_wrapping_ttl = "2m"`}, 90 * time.Second, true},
		{"unset does not clear", []string{`max_wrapping_ttl = "1m"`, ``}, 0, false},
		{"merged bounds that exclude all", []string{`max_wrapping_ttl = "1m"`, `min_wrapping_ttl = "2m"`}, 90 * time.Second, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var texts []string
			for _, x := range tt.texts {
				texts = append(texts, `path "a" { capabilities = ["read"] `+x+` }`)
			}
			d := build(t, texts...).Decide(Question{Operation: Read, Path: "a", WrapTTL: tt.ttl})
			if d.Allowed != tt.want {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	type data = map[string]any
	tests := []struct {
		name  string
		texts []string
		data  data
		want  bool
	}{
		{"none set", []string{``}, data{"x": 1}, true},
		{"required missing", []string{`required_parameters = ["x"]`}, data{"y": 1}, false},
		{"required missing, no data", []string{`required_parameters = ["x"]`}, nil, false},
		{"required present", []string{`required_parameters = ["X"]`}, data{"x": 1}, true},
		{"required present in another case", []string{`required_parameters = ["x"]`}, data{"X": 1}, true},
		{"required of both policies", []string{`required_parameters = ["x"]`, `required_parameters = ["y"]`}, data{"x": 1}, false},
		{"denied star", []string{`denied_parameters = { "*" = [] }`}, data{"x": 1}, false},
		{"denied star, no data", []string{`denied_parameters = { "*" = [] }`}, nil, true},
		{"denied name", []string{`denied_parameters = { x = [] }`}, data{"x": 1}, false},
		{"denied name in another case", []string{`denied_parameters = { x = [] }`}, data{"X": 1}, false},
		{"other name", []string{`denied_parameters = { x = [] }`}, data{"y": 1}, true},
		{"denied value", []string{`denied_parameters = { x = ["a"] }`}, data{"x": "a"}, false},
		{"other value", []string{`denied_parameters = { x = ["a"] }`}, data{"x": "b"}, true},
		{"denied value inside a list", []string{`denied_parameters = { x = ["root"] }`}, data{"x": []any{"a", "root"}}, false},
		{"denied value inside a list of texts", []string{`denied_parameters = { x = ["root"] }`}, data{"x": []string{"root"}}, false},
		{"denied value in a list with commas", []string{`denied_parameters = { x = ["root"] }`}, data{"x": "default, root"}, false},
		{"denied value in a list in a list", []string{`denied_parameters = { x = ["root"] }`}, data{"x": []any{[]any{"a,root"}}}, false},
		{"denied value as a part of a word", []string{`denied_parameters = { x = ["root"] }`}, data{"x": "roots,uproot"}, true},
		{"denied value not in the list", []string{`denied_parameters = { x = ["root"] }`}, data{"x": []any{"a"}}, true},
		{"denied, value that cannot be compared", []string{`denied_parameters = { x = ["a"] }`}, data{"x": struct{}{}}, false},
		{"denied, raw bytes", []string{`denied_parameters = { x = ["a"] }`}, data{"x": []byte(`"a"`)}, false},
		{"denied number", []string{`denied_parameters = { x = [5] }`}, data{"x": 5}, false},
		{"denied bool", []string{`denied_parameters = { x = [true] }`}, data{"x": true}, false},
		{"denied list", []string{`denied_parameters = { x = [["a", "b"]] }`}, data{"x": []any{"a", "b"}}, false},
		{"denied value with a comma", []string{`denied_parameters = { x = ["a,b"] }`}, data{"x": "a,b"}, false},
		{"denied star value", []string{`denied_parameters = { x = ["*"] }`}, data{"x": "a"}, false},
		{"allowed name", []string{`allowed_parameters = { x = [] }`}, data{"X": "a"}, true},
		{"not among allowed", []string{`allowed_parameters = { x = [] }`}, data{"x": "a", "y": "b"}, false},
		{"allowed star", []string{`allowed_parameters = { "*" = [] }`}, data{"y": "b"}, true},
		{"allowed star does not open a listed name", []string{`allowed_parameters = { x = ["a"] "*" = [] }`}, data{"x": "b"}, false},
		{"allowed, no data", []string{`allowed_parameters = { x = ["a"] }`}, nil, true},
		{"allowed value", []string{`allowed_parameters = { x = ["a", "b"] }`}, data{"x": "b"}, true},
		{"allowed scalar instead of a list", []string{`allowed_parameters = { x = "a" }`}, data{"x": "a"}, true},
		{"allowed scalar, other value", []string{`allowed_parameters = { x = "a" }`}, data{"x": "b"}, false},
		{"denied scalar, other value", []string{`denied_parameters = { x = "a" }`}, data{"x": "b"}, true},
		{"allowed, other value", []string{`allowed_parameters = { x = ["a"] }`}, data{"x": "c"}, false},
		{"allowed, value that cannot be compared", []string{`allowed_parameters = { x = ["a"] }`}, data{"x": []any{struct{}{}}}, false},
		{"allowed, map that cannot be compared", []string{`allowed_parameters = { x = ["a"] }`}, data{"x": data{"k": struct{}{}}}, false},
		{"glob lead", []string{`allowed_parameters = { x = ["*a"] }`}, data{"x": "ba"}, true},
		{"glob lead, no match", []string{`allowed_parameters = { x = ["*a"] }`}, data{"x": "ab"}, false},
		{"glob trail", []string{`allowed_parameters = { x = ["a*"] }`}, data{"x": "ab"}, true},
		{"glob trail, no match", []string{`allowed_parameters = { x = ["a*"] }`}, data{"x": "ba"}, false},
		{"glob both", []string{`allowed_parameters = { x = ["*a*"] }`}, data{"x": "bab"}, true},
		{"glob both, no match", []string{`allowed_parameters = { x = ["*a*"] }`}, data{"x": "bb"}, false},
		{"glob in the middle is literal", []string{`allowed_parameters = { x = ["a*b"] }`}, data{"x": "aab"}, false},
		{"glob does not take numbers", []string{`allowed_parameters = { x = ["*"] }`}, data{"x": 1}, false},
		{"number", []string{`allowed_parameters = { x = [5] }`}, data{"x": json.Number("5")}, true},
		{"number, other spelling", []string{`allowed_parameters = { x = [5] }`}, data{"x": json.Number("5.0")}, true},
		{"number, Go int", []string{`allowed_parameters = { x = [5] }`}, data{"x": 5}, true},
		{"number, Go uint", []string{`allowed_parameters = { x = [5] }`}, data{"x": uint8(5)}, true},
		{"number, Go float", []string{`allowed_parameters = { x = [2.5] }`}, data{"x": 2.5}, true},
		{"number, NaN", []string{`denied_parameters = { x = [2.5] }`}, data{"x": math.NaN()}, false},
		{"number, negative", []string{`allowed_parameters = { x = [-5] }`}, data{"x": json.Number("-5")}, true},
		{"number, hexadecimal", []string{`allowed_parameters = { x = [0x10] }`}, data{"x": 16}, true},
		{"number is not text", []string{`allowed_parameters = { x = [5] }`}, data{"x": "5"}, false},
		{"number beyond float", []string{`allowed_parameters = { x = [9007199254740993] }`}, data{"x": json.Number("9007199254740992")}, false},
		{"bool", []string{`allowed_parameters = { x = [true] }`}, data{"x": true}, true},
		{"bool, other", []string{`allowed_parameters = { x = [true] }`}, data{"x": false}, false},
		{"named string type", []string{`allowed_parameters = { x = ["read"] }`}, data{"x": Read}, true},
		{"list deeply equal", []string{`allowed_parameters = { x = [["a", "b"]] }`}, data{"x": []any{"a", "b"}}, true},
		{"map deeply equal", []string{`allowed_parameters = { x = [{ a = 1 }] }`}, data{"x": data{"a": 1}}, true},
		{"map not equal", []string{`allowed_parameters = { x = [{ a = 1 }] }`}, data{"x": data{"a": 2}}, false},
		{"denied before allowed", []string{`allowed_parameters = { x = [] } denied_parameters = { x = ["a"] }`}, data{"x": "a"}, false},
		{"union of values", []string{`allowed_parameters = { x = ["a"] }`, `allowed_parameters = { x = ["b", "a"] }`}, data{"x": "b"}, true},
		{"union of names", []string{`allowed_parameters = { x = ["a"] }`, `allowed_parameters = { y = ["b"] }`}, data{"y": "b"}, true},
		{"union of values is no more", []string{`allowed_parameters = { x = ["a"] }`, `allowed_parameters = { x = ["b"] }`}, data{"x": "c"}, false},
		{"union of denied values", []string{`denied_parameters = { x = ["a"] }`, `denied_parameters = { x = ["b"] }`}, data{"x": "b"}, false},
		{"union of denied values is no more", []string{`denied_parameters = { x = ["a"] }`, `denied_parameters = { x = ["b"] }`}, data{"x": "c"}, true},
		{"any value wins", []string{`allowed_parameters = { x = ["a"] }`, `allowed_parameters = { x = [] }`}, data{"x": "z"}, true},
		{"union of names keeps their values", []string{`allowed_parameters = { x = ["a"] }`, `allowed_parameters = { y = ["b"] }`}, data{"y": "z"}, false},
		{"any value wins, other order", []string{`allowed_parameters = { x = [] }`, `allowed_parameters = { x = ["a"] }`}, data{"x": "z"}, true},
		{"any value wins for denied, other order", []string{`denied_parameters = { x = [] }`, `denied_parameters = { x = ["a"] }`}, data{"x": "z"}, false},
		{"any value wins for denied", []string{`denied_parameters = { x = ["a"] }`, `denied_parameters = { x = [] }`}, data{"x": "z"}, false},
		{"no map does not clear", []string{`allowed_parameters = { x = ["a"] }`, ``}, data{"x": "z"}, false},
		{"no map does not clear, other order", []string{``, `allowed_parameters = { x = ["a"] }`}, data{"x": "z"}, false},
		{"one map of two", []string{`allowed_parameters = { x = [] }`, `denied_parameters = { x = ["a"] }`}, data{"x": "a"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var texts []string
			for _, x := range tt.texts {
				texts = append(texts, `path "a" { capabilities = ["read","create","update","patch","delete"] `+x+` }`)
			}
			a := build(t, texts...)
			for _, op := range []Operation{Read, Create, Update, Patch} {
				if d := a.Decide(Question{Operation: op, Path: "a", Data: tt.data}); d.Allowed != tt.want {
					t.Errorf("%s: %+v", op, d)
				}
			}
			if d := a.Decide(Question{Operation: Delete, Path: "a", Data: tt.data}); !d.Allowed {
				t.Errorf("delete looks at parameters: %+v", d)
			}
		})
	}
}

func TestRefusalNamesTheSameParameterEachTime(t *testing.T) {
	a := build(t, `path "a" { capabilities = ["read"] allowed_parameters = { z = [] } }`)
	for range 50 {
		d := a.Decide(Question{Operation: Read, Path: "a", Data: map[string]any{"c": 1, "b": 2, "d": 3, "z": 1}})
		if c, _ := d.Failed(); c.Received != "b" {
			t.Fatalf("named %q", c.Received)
		}
	}
}

func TestGrantingPolicies(t *testing.T) {
	a := build(t, `path "a" { capabilities = ["read"] }`, `path "a" { capabilities = ["read","update"] }`)
	if d := a.Decide(Question{Operation: Read, Path: "a"}); !slices.Equal(d.Granting, []string{"p0", "p1"}) {
		t.Errorf("read: %v", d.Granting)
	}
	if d := a.Decide(Question{Operation: Update, Path: "a"}); !slices.Equal(d.Granting, []string{"p1"}) {
		t.Errorf("update: %v", d.Granting)
	}
}

func TestCanonicalNumber(t *testing.T) {
	for in, want := range map[string]number{
		"0": "0", "-0": "0", "0.0": "0", "1": "1e0", "10": "1e1", "1.50": "15e-1", "0.015": "15e-3", "1e3": "1e3", "1E+3": "1e3", "-2.5e-3": "-25e-4",
		"1000": "1e3", "1e999999999": "1e999999999",
	} {
		if got, ok := canonicalNumber(in); !ok || got != want {
			t.Errorf("%q: %q %v, want %q", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "-", ".", "1.", ".5", "a", "1e", "1ex", "NaN", "1e99999999999", "1 "} {
		if got, ok := canonicalNumber(in); ok {
			t.Errorf("%q: %q, want refusal", in, got)
		}
	}
}

func TestDefaultPolicy(t *testing.T) {
	a, err := Compile([]*Policy{Default()}, TemplateData{EntityID: "e-1", EntityName: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		op   Operation
		path string
		want bool
	}{
		{Read, "auth/token/lookup-self", true},
		{Update, "auth/token/renew-self", true},
		{Update, "auth/token/revoke-self", true},
		{Update, "auth/token/revoke", false},
		{Update, "sys/capabilities-self", true},
		{Read, "identity/entity/id/e-1", true},
		{Read, "identity/entity/id/e-2", false},
		{Read, "identity/entity/name/alice", true},
		{Read, "sys/internal/ui/resultant-acl", true},
		{Update, "sys/leases/renew", true},
		{Update, "sys/leases/lookup", true},
		{List, "cubbyhole/", true},
		{Create, "cubbyhole/a/b", true},
		{Update, "sys/wrapping/unwrap", true},
		{Update, "sys/tools/hash/sha2-256", true},
		{Read, "identity/oidc/provider/x/authorize", true},
		{Read, "secret/data/a", false},
		{Read, "sys/policies/acl/default", false},
	}
	for _, tt := range tests {
		if got := a.Decide(Question{Operation: tt.op, Path: tt.path}).Allowed; got != tt.want {
			t.Errorf("%s %s: %v", tt.op, tt.path, got)
		}
	}
	w, err := Compile([]*Policy{ResponseWrapping()}, TemplateData{})
	if err != nil || !w.Decide(Question{Operation: Update, Path: "sys/wrapping/unwrap"}).Allowed ||
		!w.Decide(Question{Operation: Read, Path: "cubbyhole/response"}).Allowed || w.Decide(Question{Operation: Read, Path: "cubbyhole/x"}).Allowed {
		t.Error("response-wrapping")
	}
}

func TestResultant(t *testing.T) {
	a := build(t, `path "a" { capabilities=["read"] } path "b/*" { capabilities=["list","deny"] } path "c/+/d*" { capabilities=["list"] }`)
	want := Resultant{
		ExactPaths: map[string]ResultantRule{"a": {[]string{"read"}}},
		GlobPaths:  map[string]ResultantRule{"b/": {[]string{"deny"}}, "c/+/d*": {[]string{"list"}}},
	}
	if got := a.Resultant(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestAnyUnder(t *testing.T) {
	tests := []struct {
		path, prefix string
		want         bool
	}{
		{"secret/data/a", "secret/", true}, {"secret/data/a", "kv/", false}, {"secret/*", "secret/", true}, {"secret/data/*", "secret/", true},
		{"*", "secret/", true}, {"s*", "secret/", true}, {"kv*", "secret/", false}, {"secret", "secret/", false},
		{"+/data/a", "secret/", true}, {"+", "secret/", false}, {"+", "sec", true}, {"+/data", "secret/meta", false}, {"+/data", "secret/da", true},
		{"+/data/*", "secret/data/x/y", true}, {"+/dat*", "secret/d", true}, {"+/dat*", "secret/dox", false}, {"+/x/y", "secret/data/", false},
		{"kv/+/x", "secret/", false}, {"+/a", "s/a/", false},
	}
	for _, tt := range tests {
		a := build(t, `path "`+tt.path+`" { capabilities=["list"] }`)
		if got := a.AnyUnder(tt.prefix); got != tt.want {
			t.Errorf("%q under %q: %v", tt.path, tt.prefix, got)
		}
	}
	for _, caps := range []string{`"deny"`, ``} {
		if build(t, `path "secret/*" { capabilities=[`+caps+`] }`).AnyUnder("secret/") {
			t.Errorf("a rule that grants nothing counts: [%s]", caps)
		}
	}
}
