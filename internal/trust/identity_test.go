package trust_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/trust"
)

func TestUserClaimRules(t *testing.T) {
	for _, c := range []struct {
		name    string
		claim   string
		pointer bool
		with    claims
		user    string
		text    string
	}{
		{"string", "sub", false, nil, "alice", ""},
		{"case is kept", "sub", false, claims{"sub": "Alice"}, "Alice", ""},
		{"literal with a slash", "/a/b", false, claims{"/a/b": "x", "a": claims{"b": "y"}}, "x", ""},
		{"pointer", "/a/b", true, claims{"/a/b": "x", "a": claims{"b": "y"}}, "y", ""},
		{"pointer without a slash", "sub", true, nil, "alice", ""},
		{"pointer into a list", "/l/1", true, claims{"l": []string{"x", "y"}}, "y", ""},
		{"missing", "email", false, nil, "", `claim "email" not found in token`},
		{"missing sub", "sub", false, claims{"sub": nil}, "", `claim "sub" not found in token`},
		{"pointer to nowhere", "/a/b", true, nil, "", `claim "/a/b" not found in token`},
		{"number", "n", false, claims{"n": 5}, "", `claim "n" could not be converted to string`},
		{"list of null", "n", false, claims{"n": []any{nil}[0:1]}, "", `claim "n" could not be converted to string`},
		{"null", "n", false, claims{"n": json.RawMessage("null")}, "", `claim "n" not found in token`},
		{"list", "n", false, claims{"n": []string{"a"}}, "", `claim "n" could not be converted to string`},
		{"empty", "sub", false, claims{"sub": ""}, "", `claim "sub" is empty, so the token names no user`},
		{"too long", "sub", false, claims{"sub": strings.Repeat("x", 1025)}, "", `claim "sub" is longer than 1024 bytes`},
		{"control character", "sub", false, claims{"sub": "a\nb"}, "", `claim "sub" has a control character`},
	} {
		r := login(t, func(s *trust.Spec) { s.UserClaim, s.UserClaimPointer = c.claim, c.pointer })
		g, reason, text := admit(t, r, base(c.with))
		if g.User != c.user || text != c.text || (reason == trust.ReasonUser) != (c.text != "") {
			t.Errorf("%s: user %q, %s %q", c.name, g.User, reason, text)
		}
	}
}

func TestBearerTakesSubWithoutInsistingOnIt(t *testing.T) {
	g, reason, _ := admit(t, bearer(t, nil), base(nil))
	if reason != "" || g.User != "alice" || g.Subject != "alice" || g.Role != "Reader" || g.Metadata != nil {
		t.Errorf("%s %+v", reason, g)
	}
	if g, reason, _ := admit(t, bearer(t, nil), base(claims{"sub": nil})); reason != "" || g.User != "" {
		t.Errorf("%s %+v", reason, g)
	}
	named := bearer(t, func(s *trust.Spec) { s.UserClaim = "email" })
	if _, reason, _ := admit(t, named, base(nil)); reason != trust.ReasonUser {
		t.Errorf("a claim that the operator named may be missing: %q", reason)
	}
}

func TestGroupsRules(t *testing.T) {
	many := make([]string, 1025)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	for _, c := range []struct {
		groups any
		want   []string
		text   string
	}{
		{[]string{"b", "a"}, []string{"b", "a"}, ""},
		{"one", []string{"one"}, ""},
		{[]string{}, nil, ""},
		{[]string{"", "a", "a"}, []string{"a"}, ""},
		{nil, nil, `failed to fetch groups: "groups" claim not found in token`},
		{claims{"a": 1}, nil, `"groups" claim could not be converted to string list`},
		{5, nil, "a value in groups claim could not be parsed as string"},
		{true, nil, "a value in groups claim could not be parsed as string"},
		{[]any{"a", 5}, nil, "a value in groups claim could not be parsed as string"},
		{[]string{"a\x00"}, nil, "a value in groups claim has a control character"},
		{many, nil, "the groups claim has more than 1024 groups"},
	} {
		r := login(t, func(s *trust.Spec) { s.GroupsClaim = "groups" })
		g, _, text := admit(t, r, base(claims{"groups": c.groups}))
		if !slices.Equal(g.Groups, c.want) || text != c.text {
			t.Errorf("%.40v: %v %q", c.groups, g.Groups, text)
		}
	}
	r := login(t, func(s *trust.Spec) { s.GroupsClaim = "/o/g" })
	if g, _, _ := admit(t, r, base(claims{"o": claims{"g": "x"}})); !slices.Equal(g.Groups, []string{"x"}) {
		t.Errorf("a pointer to groups: %v", g.Groups)
	}
}

func TestOptionalGroupsMayBeMissingButNotUnusable(t *testing.T) {
	r := login(t, func(s *trust.Spec) { s.GroupsClaim, s.GroupsOptional = "groups", true })
	if g, reason, _ := admit(t, r, base(nil)); reason != "" || g.Groups != nil {
		t.Errorf("no groups claim: %q %v", reason, g.Groups)
	}
	for _, bad := range []any{claims{"a": 1}, 5, true, []any{"a", 5}} {
		if _, reason, _ := admit(t, r, base(claims{"groups": bad})); reason != trust.ReasonGroups {
			t.Errorf("%v: %q", bad, reason)
		}
	}
}

func TestClaimMappings(t *testing.T) {
	r := login(t, func(s *trust.Spec) {
		s.ClaimMappings = map[string]string{"email": "mail", "/o/p": "project", "gone": "x"}
	})
	g, reason, _ := admit(t, r, base(claims{"email": "a@b", "o": claims{"p": "q"}}))
	want := map[string]string{"mail": "a@b", "project": "q", "role": "demo"}
	if reason != "" || !maps.Equal(g.Metadata, want) || g.Role != "demo" {
		t.Errorf("%s %v", reason, g.Metadata)
	}
	// A claim that is null is one that is not there.
	if g, reason, _ := admit(t, r, base(claims{"email": (*string)(nil)})); reason != "" || !maps.Equal(g.Metadata, map[string]string{"role": "demo"}) {
		t.Errorf("%s %v", reason, g.Metadata)
	}
	for _, c := range []struct {
		v    any
		text string
	}{
		{5, "error converting claim 'email' to string"},
		{[]string{"a"}, "error converting claim 'email' to string"},
		{strings.Repeat("x", 4097), "claim 'email' is longer than 4096 bytes"},
	} {
		if _, reason, text := admit(t, r, base(claims{"email": c.v})); reason != trust.ReasonMetadata || text != c.text {
			t.Errorf("%.20v: %s %q", c.v, reason, text)
		}
	}
	idp := bearer(t, func(s *trust.Spec) { s.ClaimMappings = map[string]string{"email": "mail"} })
	if g, _, _ := admit(t, idp, base(claims{"email": "a@b"})); !maps.Equal(g.Metadata, map[string]string{"mail": "a@b"}) {
		t.Errorf("%v", g.Metadata)
	}
}

func TestExactlyOneRole(t *testing.T) {
	const nsRole = "https://app.piiano.io/role"
	mapped := &trust.RoleRule{Claim: "email", Map: map[string]string{"a@b": "Writer"}, Known: []string{"Reader", "Writer"}}
	for _, c := range []struct {
		name   string
		rule   *trust.RoleRule
		with   claims
		role   string
		reason string
	}{
		{"list of one", nil, nil, "Reader", ""},
		{"string", nil, claims{"roles": "Writer"}, "Writer", ""},
		{"no claim", nil, claims{"roles": nil}, "", trust.ReasonRoleMissing},
		{"empty list", nil, claims{"roles": []string{}}, "", trust.ReasonRoleMissing},
		{"empty string", nil, claims{"roles": ""}, "", trust.ReasonRoleMissing},
		{"two", nil, claims{"roles": []string{"Reader", "Writer"}}, "", trust.ReasonRoleAmbiguous},
		{"the same twice", nil, claims{"roles": []string{"Reader", "Reader"}}, "", trust.ReasonRoleAmbiguous},
		{"number", nil, claims{"roles": 1}, "", trust.ReasonRoleAmbiguous},
		{"list of a number", nil, claims{"roles": []int{1}}, "", trust.ReasonRoleAmbiguous},
		{"object", nil, claims{"roles": claims{"Reader": true}}, "", trust.ReasonRoleAmbiguous},
		{"unknown", nil, claims{"roles": "Other"}, "", trust.ReasonRoleUnknown},
		{"in another case", nil, claims{"roles": "reader"}, "", trust.ReasonRoleUnknown},
		{"wild card", nil, claims{"roles": "*"}, "", trust.ReasonRoleUnknown},
		{"administrator", nil, claims{"roles": "Admin"}, "", trust.ReasonRoleReserved},
		{"administrator although known", &trust.RoleRule{Known: []string{"Admin"}}, claims{"roles": "Admin"}, "", trust.ReasonRoleReserved},
		{"namespace claim", nil, claims{"roles": nil, nsRole: "Writer"}, "Writer", ""},
		{"both agree", nil, claims{nsRole: "Reader"}, "Reader", ""},
		{"both disagree", nil, claims{nsRole: "Writer"}, "", trust.ReasonRoleAmbiguous},
		{"empty beside the namespace claim", nil, claims{"roles": "", nsRole: "Writer"}, "", trust.ReasonRoleAmbiguous},
		{"a named claim overrides it", &trust.RoleRule{Claim: "my-roles", Known: []string{"Reader"}}, claims{"my-roles": "Reader", nsRole: "Writer"}, "Reader", ""},
		{"a named claim is the only source", &trust.RoleRule{Claim: "my-roles", Known: []string{"Reader"}}, nil, "", trust.ReasonRoleMissing},
		{"nested", &trust.RoleRule{Claim: "/realm/roles/0", Known: []string{"Reader"}}, claims{"realm": claims{"roles": []string{"Reader"}}}, "Reader", ""},
		{"mapped", mapped, claims{"email": "a@b"}, "Writer", ""},
		{"not mapped: no fall-through", mapped, claims{"email": "Writer"}, "", trust.ReasonRoleUnmapped},
		{"an empty map maps nothing", &trust.RoleRule{Map: map[string]string{}, Known: []string{"Reader"}}, nil, "", trust.ReasonRoleUnmapped},
		{"allowed", &trust.RoleRule{Allowed: []string{"Reader"}, Known: []string{"Reader", "Writer"}}, nil, "Reader", ""},
		{"not allowed", &trust.RoleRule{Allowed: []string{"Writer"}, Known: []string{"Reader", "Writer"}}, nil, "", trust.ReasonRoleNotAllowed},
		{"an empty list allows none", &trust.RoleRule{Allowed: []string{}, Known: []string{"Reader"}}, nil, "", trust.ReasonRoleNotAllowed},
		{"allowed after mapping", &trust.RoleRule{Map: map[string]string{"Reader": "Writer"}, Allowed: []string{"Writer"}, Known: []string{"Reader", "Writer"}}, nil, "Writer", ""},
		{"no role exists", &trust.RoleRule{}, nil, "", trust.ReasonRoleUnknown},
	} {
		r := bearer(t, func(s *trust.Spec) {
			if c.rule != nil {
				s.Role = c.rule
			}
		})
		if g, reason, text := admit(t, r, base(c.with)); g.Role != c.role || reason != c.reason {
			t.Errorf("%s: role %q, %s (%s)", c.name, g.Role, reason, text)
		}
	}
}

const ns = "https://app.piiano.io/"

func TestNarrowingClaims(t *testing.T) {
	type n = principal.Narrowing
	bound := func(property string, values ...string) n { return n{Property: property, Values: values} }
	for _, c := range []struct {
		name   string
		top    string
		extra  string
		with   claims
		want   []n
		reason string
	}{
		{"none", "", "", nil, nil, ""},
		{"one value", "", "", claims{ns + "prop/user_id": "u1"}, []n{bound("user_id", "u1")}, ""},
		{"several values", "", "", claims{ns + "prop/group": []string{"a", "b"}}, []n{bound("group", "a", "b")}, ""},
		{"reference", "", `{"` + ns + `prop-claim-ref/owner":"sub"}`, nil, []n{bound("owner", "alice")}, ""},
		{"reference by pointer", "", `{"` + ns + `prop-claim-ref/owner":"/o/p"}`, claims{"o": claims{"p": []string{"x", "y"}}}, []n{bound("owner", "x", "y")}, ""},
		{"reference of the token's", "", "", claims{ns + "prop-claim-ref/owner": "sub"}, []n{bound("owner", "alice")}, ""},
		{"the operator's holds beside the token's", "", `{"` + ns + `prop/p":"a"}`, claims{ns + "prop/p": "b"}, []n{bound("p", "a"), bound("p", "b")}, ""},
		{"nested", "top", "", claims{"top": claims{ns + "prop/p": "a", "other": 1}}, []n{bound("p", "a")}, ""},
		{"nested and beside: both hold", "top", "", claims{"top": claims{ns + "prop/p": "a"}, ns + "prop/q": "b"}, []n{bound("q", "b"), bound("p", "a")}, ""},
		{"no top claim", "top", "", nil, nil, ""},
		{"reference to nothing", "", `{"` + ns + `prop-claim-ref/owner":"gone"}`, nil, nil, trust.ReasonClaimMissing},
		{"reference to a number", "", `{"` + ns + `prop-claim-ref/owner":"exp"}`, nil, nil, trust.ReasonClaimMissing},
		{"empty list", "", "", claims{ns + "prop/p": []string{}}, nil, trust.ReasonNamespaceClaim},
		{"number", "", "", claims{ns + "prop/p": 5}, nil, trust.ReasonNamespaceClaim},
		{"list of numbers", "", "", claims{ns + "prop/p": []int{5}}, nil, trust.ReasonNamespaceClaim},
		{"no property", "", "", claims{ns + "prop/": "x"}, nil, trust.ReasonNamespaceClaim},
		{"reference without a property", "", "", claims{ns + "prop-claim-ref/": "sub"}, nil, trust.ReasonNamespaceClaim},
		{"reference that is no string", "", "", claims{ns + "prop-claim-ref/p": 5}, nil, trust.ReasonNamespaceClaim},
		{"role that is no string", "", "", claims{ns + "role": 5}, nil, trust.ReasonNamespaceClaim},
		{"role without a name", "", "", claims{ns + "role": ""}, nil, trust.ReasonNamespaceClaim},
		{"unknown: it may be a bound", "", "", claims{ns + "future": "x"}, nil, trust.ReasonNamespaceClaim},
		{"top claim that is no object", "top", "", claims{"top": "x"}, nil, trust.ReasonNamespaceClaim},
		{"unknown nested", "top", "", claims{"top": claims{ns + "future": "x"}}, nil, trust.ReasonNamespaceClaim},
		{"two broken ones", "top", "", claims{ns + "future": "x", "top": claims{ns + "prop/": "x"}}, nil, trust.ReasonNamespaceClaim},
	} {
		r := bearer(t, func(s *trust.Spec) { s.NamespaceTopClaim, s.ExtraClaims = c.top, c.extra })
		g, reason, _ := admit(t, r, base(c.with))
		if reason != c.reason || fmt.Sprint(g.Narrowing) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v %s, want %v %s", c.name, g.Narrowing, reason, c.want, c.reason)
		}
	}
}

func TestTheFirstBrokenNamespaceClaimIsNamed(t *testing.T) {
	r := bearer(t, func(s *trust.Spec) { s.NamespaceTopClaim = "top" })
	_, _, text := admit(t, r, base(claims{ns + "future": "x", "top": claims{ns + "prop/": "x"}}))
	if !strings.Contains(text, "unknown") {
		t.Errorf("got %q", text)
	}
}

func TestRolesOfTheOperatorAndTheTokenMustAgree(t *testing.T) {
	extra := `{"` + ns + `role":"Reader"}`
	r := bearer(t, func(s *trust.Spec) { s.ExtraClaims, s.NamespaceTopClaim = extra, "top" })
	for _, c := range []struct {
		with   claims
		reason string
	}{
		{claims{"roles": nil}, ""},
		{claims{"roles": "Reader"}, ""},
		{claims{"roles": "Writer"}, trust.ReasonRoleAmbiguous},
		{claims{"roles": nil, "top": claims{ns + "role": "Writer"}}, trust.ReasonRoleAmbiguous},
		{claims{"roles": nil, ns + "role": "Reader"}, ""},
	} {
		if g, reason, _ := admit(t, r, base(c.with)); reason != c.reason || reason == "" && g.Role != "Reader" {
			t.Errorf("%v: %q %s", c.with, g.Role, reason)
		}
	}
}

// TestATokenCannotLiftTheOperatorsBounds: many requests share one rule, so a
// token must not change it either.
func TestATokenCannotLiftTheOperatorsBounds(t *testing.T) {
	r := bearer(t, func(s *trust.Spec) { s.ExtraClaims = `{"` + ns + `prop/tenant":"t1"}` })
	for _, with := range []claims{nil, {ns + "prop/tenant": "t2"}, {ns + "prop/x": "y"}, nil} {
		g, _, _ := admit(t, r, base(with))
		if len(g.Narrowing) != 1+len(with) || g.Narrowing[0].Property != "tenant" || !slices.Equal(g.Narrowing[0].Values, []string{"t1"}) {
			t.Errorf("%v: %v", with, g.Narrowing)
		}
	}
}

func TestExtraClaimsThatMeanNothingAreRefusedWhenWritten(t *testing.T) {
	for _, text := range []string{`{`, `[]`, `"x"`, `{"a":1,"a":2}`, `{"roles":"Reader"}`, `{"` + ns + `future":"x"}`, `{"` + ns + `prop/p":5}`, `{"` + ns + `prop-claim-ref/p":"/a~"}`} {
		_, err := trust.Compile(trust.Spec{Style: trust.Bearer, Issuer: "i", Audiences: []string{"a"}, Role: &trust.RoleRule{}, ExtraClaims: text})
		if err == nil || !strings.Contains(err.Error(), "extra_claims") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
