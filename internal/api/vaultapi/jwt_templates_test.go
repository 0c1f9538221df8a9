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
