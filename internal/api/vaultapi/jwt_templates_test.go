package vaultapi

import (
	"reflect"
	"strings"
	"testing"
)

func TestPoliciesFromClaims(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{
		"token_policies_template_claims": true,
		"token_policies":                 []string{"plain", "Team-{{.team}}", `{{if .admin}}admins{{end}}`, `{{range .groups}}{{if eq . "ops"}}ops{{end}}{{end}}`},
	})
	if r := d.do("GET", "auth/jwt/role/demo", rootToken, nil).want(200).data(); r["token_policies_template_claims"] != true {
		t.Errorf("role reads %v", r)
	}
	claims := func(team any, admin bool, groups ...string) map[string]any {
		return map[string]any{"team": team, "admin": admin, "groups": groups}
	}
	for _, tc := range []struct {
		claims map[string]any
		want   []any
	}{
		{claims("Red", false), []any{"default", "plain", "team-red"}},
		{claims("red", true, "dev", "ops"), []any{"admins", "default", "ops", "plain", "team-red"}},
		{claims("red,admins", false), []any{"default", "plain", "team-red,admins"}},
		{claims("{{.admin}}", false), []any{"default", "plain", "team-{{.admin}}"}},
		{claims(7, false), []any{"default", "plain", "team-7"}},
	} {
		if got := login("alice", tc.claims).want(200).auth()["policies"]; !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%v: policies %v, want %v", tc.claims, got, tc.want)
		}
	}
	const refused = "error in 'token_policies': a template cannot be filled in from the token's claims"
	login("alice", map[string]any{"team": "red"}).refused(400, refused)
	login("alice", claims(nil, false)).refused(400, refused)
	login("alice", claims(strings.Repeat("r", 600), false)).refused(400, refused)
	for _, name := range []string{"red\x00admins", "red\u0085x", "red\nadmins"} { // no policy can be called that
		login("alice", claims(name, false)).refused(400, refused)
	}
}

// What a token says can never make it root.
func TestPoliciesFromClaimsAreNeverRoot(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, map[string]any{"token_policies_template_claims": true, "token_policies": "{{.role}}"})
	for _, name := range []string{"root", "ROOT", " Root\t"} {
		login("eve", map[string]any{"role": name}).refused(400, "auth methods cannot create root tokens")
	}
	login("eve", map[string]any{"role": "response-wrapping"}).refused(400, `cannot assign policy "response-wrapping"`)
	if got := login("eve", map[string]any{"role": "  "}).want(200).auth()["policies"]; !reflect.DeepEqual(got, []any{"default"}) {
		t.Errorf("policies %v", got)
	}
}

func TestPolicyTemplatesAreCheckedWhenWritten(t *testing.T) {
	d := newDoor(t)
	withLogin(t, d, nil)
	for _, text := range []string{"{{", "{{.a", "{{nofunc .a}}", `{{define "x"}}a{{end}}{{template "x"}}`, `{{template "policy" .}}`, `{{if .a}}{{else}}{{range .b}}{{with .c}}{{template "policy" .}}{{end}}{{end}}{{end}}`} {
		a := d.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{"token_policies_template_claims": true, "token_policies": []string{text}})
		if a.status != 400 || !strings.HasPrefix(a.errors()[0], "'token_policies' ") {
			t.Errorf("%q: %d %s", text, a.status, a.body)
		}
	}
	if a := d.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{"token_policies_template_claims": true, "token_policies": []string{"template-{{.a}}", "{{if .a}}b{{else}}c{{end}}"}}); a.status != 204 {
		t.Errorf("%d %s", a.status, a.body)
	}
	d.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{"token_policies_template_claims": false, "token_policies": "demo"}).want(204)
	// Without the setting the same text is the name of a policy.
	if a := d.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{"token_policies": []string{"{{.a}}"}}); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A template that would never end, or fill the memory, is refused when it is
// written or ends the login, and not the server.
func TestPolicyTemplatesAreBounded(t *testing.T) {
	d := newDoor(t)
	login := withLogin(t, d, nil)
	write := func(texts ...string) answer {
		return d.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{"token_policies_template_claims": true, "token_policies": texts})
	}
	for _, loop := range []string{"1000000000", "(1000000000)", "len .groups", "(len .groups)", "(1000000000 | print | len)"} {
		text := "x{{if .a}}{{range " + loop + "}}y{{end}}{{end}}"
		write(text).refused(400, `'token_policies' "`+text+`" must not range over a number: range over a list of the token`)
	}
	if a := write(strings.Repeat("x", 5000)); a.status != 400 || !strings.HasSuffix(a.errors()[0], "is longer than 4096 bytes") {
		t.Errorf("%d %s", a.status, a.body)
	}
	double := "{{$x := .team}}" + strings.Repeat("{{$x = print $x $x}}", 50) + "{{$x}}"
	for _, text := range []string{
		"{{$n := 1000000000000}}{{range $n}}{{end}}x",
		"{{with 1000000000000}}{{range .}}{{else}}{{end}}{{end}}x",
		"{{range .groups}}{{range $.groups}}{{range $.groups}}{{range $.groups}}{{$y := .}}{{end}}{{end}}{{end}}{{end}}x",
		double, strings.ReplaceAll(double, "print $x $x", "printf `%s%s` $x $x"), strings.ReplaceAll(double, "print $x $x", "js (print `\\\\` $x $x)"),
		"{{printf `%1000000s` .team}}", "{{printf `%-.100000d` 7}}", "{{printf `%*d` 1000 7}}", "{{printf `%[1]*d` 1000000}}",
	} {
		if a := write(text); a.status >= 300 {
			t.Fatalf("%q: %d %s", text, a.status, a.body)
		}
		login("alice", map[string]any{"team": "red", "groups": strings.Split(strings.Repeat("g,", 500), ",")}).
			refused(400, "error in 'token_policies': a template cannot be filled in from the token's claims")
	}
	write(`{{printf "team-%.3s-%02d" .team 7}}`, `{{range .groups}}{{range $.groups}}{{end}}{{end}}last`, `{{html .team}}`).want(204)
	got := login("alice", map[string]any{"team": "reddish", "groups": []string{"a", "b"}}).want(200).auth()["policies"]
	if !reflect.DeepEqual(got, []any{"default", "last", "reddish", "team-red-07"}) {
		t.Errorf("policies %v", got)
	}
}
