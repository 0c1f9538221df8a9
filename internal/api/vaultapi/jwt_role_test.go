package vaultapi

import (
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/idptest"
)

// withConfig mounts the method with one key and returns it.
func (d *door) withConfig() *idptest.Key {
	d.t.Helper()
	d.enableJWT()
	key := idptest.NewKey(d.t, "", "ES256")
	d.do("POST", "auth/jwt/config", rootToken, map[string]any{
		"jwt_validation_pubkeys": string(key.PEM(d.t)), "bound_issuer": "https://issuer.example",
	}).want(204)
	return key
}

// role writes a role that is good, changed by with; nil removes a field.
func (d *door) role(name string, with map[string]any) answer {
	d.t.Helper()
	body := map[string]any{"role_type": "jwt", "bound_audiences": "bao", "user_claim": "sub", "token_policies": "default"}
	for k, v := range with {
		if body[k] = v; v == nil {
			delete(body, k)
		}
	}
	return d.do("PUT", "auth/jwt/role/"+name, rootToken, body)
}

func TestRoleReadsBackAsTheReferenceShowsIt(t *testing.T) {
	d := newDoor(t)
	d.enableJWT()
	a := d.do("PUT", "auth/jwt/role/demo", rootToken, map[string]any{
		"bound_audiences": "bao", "bound_subject": "user", "groups_claim": "groups", "policies": "demo", "role_type": "jwt", "ttl": "1h", "user_claim": "sub",
	}).want(200)
	if w := a.json()["warnings"]; !reflect.DeepEqual(w, []any{`Policy "demo" does not exist`}) {
		t.Errorf("warnings %v", w)
	}
	got := d.do("GET", "auth/jwt/role/demo", rootToken, nil).want(200).data()
	want := map[string]string{
		"allowed_redirect_uris": "null", "bound_audiences": `["bao"]`, "bound_claims": "null", "bound_claims_type": `"string"`, "bound_subject": `"user"`,
		"callback_mode": `"client"`, "claim_mappings": "null", "clock_skew_leeway": "0", "expiration_leeway": "0", "groups_claim": `"groups"`, "max_age": "0",
		"not_before_leeway": "0", "oauth2_metadata": "null", "oidc_disable_confirmation": "false", "oidc_scopes": "null", "policies": `["demo"]`, "role_type": `"jwt"`,
		"token_bound_cidrs": "[]", "token_explicit_max_ttl": "0", "token_max_ttl": "0", "token_no_default_policy": "false", "token_num_uses": "0", "token_period": "0",
		"token_policies": `["demo"]`, "token_policies_template_claims": "false", "token_strictly_bind_ip": "false", "token_ttl": "3600", "token_type": `"default"`,
		"ttl": "3600", "user_claim": `"sub"`, "user_claim_json_pointer": "false", "verbose_oidc_logging": "false",
		"alias_metadata": "{}",
	}
	for k, w := range want {
		b, err := appendJSON(nil, got[k])
		must(t, err)
		if string(b) != w {
			t.Errorf("%s reads back as %s, want %s", k, b, w)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s reads back, the reference has no such field", k)
		}
	}
}

func TestRoleRefusals(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	for name, tc := range map[string]struct {
		with map[string]any
		want string
	}{
		"role type":           {map[string]any{"role_type": "x"}, "invalid 'role_type': x"},
		"ttl over max":        {map[string]any{"token_ttl": "2h", "token_max_ttl": "1h"}, "'token_ttl' cannot be greater than 'token_max_ttl'"},
		"old ttl over max":    {map[string]any{"ttl": "2h", "max_ttl": "1h"}, "ttl should not be greater than max ttl"},
		"callback mode":       {map[string]any{"callback_mode": "x"}, "invalid 'callback_mode': x"},
		"oauth2 metadata":     {map[string]any{"oauth2_metadata": "id_token,x"}, "Unrecognized oauth2 metadata name x"},
		"template includes":   {map[string]any{"token_policies_template_claims": true, "token_policies": `{{template "policy" .}}`}, `'token_policies' "{{template \"policy\" .}}" must not define or include templates`},
		"callback mode empty": {map[string]any{"callback_mode": ""}, "invalid 'callback_mode': "},
		"claims type empty":   {map[string]any{"bound_claims_type": ""}, "invalid 'bound_claims_type': "},
		"empty network":       {map[string]any{"token_bound_cidrs": []string{"", ""}}, `error parsing address "": it must be an IP address or a network in CIDR notation`},
		"deep bound claim":    {map[string]any{"bound_claims": map[string]any{"a": nested(80)}}, "bound_claims is nested too deeply: give values, or lists of values"},
		"user claim pointer":  {map[string]any{"user_claim": "/a~2", "user_claim_json_pointer": true}, `'user_claim': "/a~2" is not a valid JSON pointer`},
		"groups pointer":      {map[string]any{"groups_claim": "/~"}, `'groups_claim': "/~" is not a valid JSON pointer`},
		"mapping pointer":     {map[string]any{"claim_mappings": map[string]any{"/~x": "y"}}, `'claim_mappings': "/~x" is not a valid JSON pointer`},
		"network before type": {map[string]any{"token_bound_cidrs": "x", "token_type": "y"}, `error parsing address "x": it must be an IP address or a network in CIDR notation`},
		"batch before ttl":    {map[string]any{"token_type": "batch", "token_period": 4, "token_ttl": 10, "token_max_ttl": 5}, "'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens"},
		"uses before ttl":     {map[string]any{"token_num_uses": -1, "token_ttl": 10, "token_max_ttl": 5}, "'token_num_uses' cannot be negative"},
		"negative uses":       {map[string]any{"token_num_uses": -1}, "'token_num_uses' cannot be negative"},
		"negative ttl":        {map[string]any{"token_ttl": -1}, `error converting input for field "token_ttl": cannot provide negative value '-1'`},
		"token type":          {map[string]any{"token_type": "x"}, `invalid 'token_type' value "x"`},
		"periodic batch":      {map[string]any{"token_type": "batch", "token_period": 60}, "'token_type' cannot be 'batch' or 'default_batch' when set to generate periodic tokens"},
		"counted batch":       {map[string]any{"token_type": "batch", "token_num_uses": 3}, "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count"},
		"ip and cidr":         {map[string]any{"token_strictly_bind_ip": true, "token_bound_cidrs": "10.0.0.0/8"}, "'token_strictly_bind_ip' conflicts with 'token_bound_cidrs'; set only one"},
		"period":              {map[string]any{"token_period": "768h1s"}, `'period' of '"768h0m1s"' is greater than the backend's maximum lease TTL of '"768h0m0s"'`},
		"claims type":         {map[string]any{"bound_claims_type": "x"}, "invalid 'bound_claims_type': x"},
		"glob of number":      {map[string]any{"bound_claims_type": "glob", "bound_claims": map[string]any{"a": 1}}, "claim is not a string or list: 1"},
		"glob of list":        {map[string]any{"bound_claims_type": "glob", "bound_claims": map[string]any{"a": []any{"x", 1}}}, "claim is not a string: 1"},
		"mapping to role":     {map[string]any{"claim_mappings": map[string]any{"a": "role"}}, `metadata key "role" is reserved and may not be a mapping destination`},
		"mapping twice":       {map[string]any{"claim_mappings": map[string]any{"a": "x", "b": "x"}}, `multiple keys are mapped to metadata key "x"`},
		"user claim":          {map[string]any{"user_claim": nil}, "a user claim must be defined on the role"},
		"no redirect":         {map[string]any{"role_type": "oidc"}, "'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified."},
		"unbounded":           {map[string]any{"bound_audiences": nil}, "must have at least one bound constraint when creating/updating a role"},
		"empty bounds":        {map[string]any{"bound_audiences": nil, "bound_claims": map[string]any{}}, "must have at least one bound constraint when creating/updating a role"},
		"claims as text":      {map[string]any{"bound_claims": `{"a":"b"}`}, `error converting input for field "bound_claims": expected type object, got string`},
		"nested bound claim":  {map[string]any{"bound_claims": map[string]any{"a": []any{[]any{"x"}}}}, `bound claim "a" is not a string, bool, number or list of these`},
		"root policy":         {map[string]any{"token_policies": " Root "}, "auth methods cannot create root tokens"},
		"wrapping policy":     {map[string]any{"token_policies": "response-wrapping"}, `cannot assign policy "response-wrapping"`},
		"bad leeway":          {map[string]any{"clock_skew_leeway": "x"}, `error converting input for field "clock_skew_leeway": cannot parse as a duration`},
		"secret in the error": {map[string]any{"token_num_uses": "s3cr3t"}, `error converting input for field "token_num_uses": cannot parse as an integer`},
	} {
		t.Run(name, func(t *testing.T) {
			d.role("x", tc.with).refused(400, tc.want)
			d.do("GET", "auth/jwt/role/x", rootToken, nil).want(404)
		})
	}
	a := d.role("x", map[string]any{"token_bound_cidrs": "10.0.0.300"}).want(400)
	if !strings.Contains(a.errors()[0], "10.0.0.300") {
		t.Errorf("errors %q", a.errors())
	}
}

// nested is a list within lists.
func nested(levels int) any {
	var v any = "x"
	for range levels {
		v = []any{v}
	}
	return v
}

// TestNullTakesASettingAway: clients whose languages have null for an empty
// list mean it so, and rights that they take away must be gone.
func TestNullTakesASettingAway(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	full := map[string]any{
		"bound_subject": "s", "bound_claims": map[string]any{"a": "b*"}, "bound_claims_type": "glob", "groups_claim": "g", "claim_mappings": map[string]any{"a": "b"},
		"token_bound_cidrs": "192.0.2.1", "token_num_uses": 3, "token_no_default_policy": true, "token_type": "service", "token_ttl": 60, "allowed_redirect_uris": "http://x", "callback_mode": "direct",
	}
	nulls := map[string]any{"role_type": nil, "callback_mode": nil, "bound_claims_type": nil, "user_claim": "sub", "token_policies": nil}
	for name := range full {
		nulls[name] = nil
	}
	kept := map[string]any{"bound_claims_type": "glob", "role_type": "jwt", "callback_mode": "direct", "bound_audiences": "[bao]"}
	gone := map[string]string{
		"bound_subject": "", "bound_claims": "map[]", "groups_claim": "", "claim_mappings": "map[]", "token_bound_cidrs": "[]", "token_num_uses": "0",
		"token_no_default_policy": "false", "token_type": "default", "token_policies": "[]", "allowed_redirect_uris": "<nil>",
	}
	for verb, ttl := range map[string]string{"POST": "60", "PATCH": "0"} {
		d.role("r", full).want(204)
		d.do(verb, "auth/jwt/role/r", rootToken, nulls, "Content-Type", "application/merge-patch+json").want(204)
		role := d.do("GET", "auth/jwt/role/r", rootToken, nil).want(200).data()
		for k, want := range gone {
			if got := words(role[k]); got != want && (want != "map[]" || got != "<nil>") {
				t.Errorf("%s: %s is %s", verb, k, got)
			}
		}
		for k, want := range kept {
			if words(role[k]) != words(want) {
				t.Errorf("%s: %s is %v", verb, k, role[k])
			}
		}
		if got := words(role["token_ttl"]); got != ttl {
			t.Errorf("%s: token_ttl is %s, want %s", verb, got, ttl)
		}
		d.do(verb, "auth/jwt/role/r", rootToken, map[string]any{"bound_audiences": nil}, "Content-Type", "application/merge-patch+json").
			refused(400, "must have at least one bound constraint when creating/updating a role")
		d.do("DELETE", "auth/jwt/role/r", rootToken, nil).want(204)
	}
}

// TestAPatchMergesMaps: who adds a bound on a claim keeps those on others.
func TestAPatchMergesMaps(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	patch := func(body map[string]any) answer {
		return d.do("PATCH", "auth/jwt/role/r", rootToken, body, "Content-Type", "application/merge-patch+json")
	}
	type m = map[string]any
	patch(m{"bound_subject": "x"}).want(404)
	d.role("r", m{
		"bound_audiences": nil, "bound_claims": m{"env": "prod", "n": []any{"a", "b"}}, "claim_mappings": m{"a": "b", "c": "d"}, "alias_metadata": "k=v", "groups_claim": "g", "groups_map": m{"x": "y"},
	}).want(200)
	patch(m{"bound_claims": m{"team": "red", "n": nil}, "claim_mappings": m{"c": "e", "f": "g"}, "alias_metadata": m{"l": "w"}, "groups_map": m{"x": nil}}).want(200)
	role := d.do("GET", "auth/jwt/role/r", rootToken, nil).want(200).data()
	got := words(role["bound_claims"], role["claim_mappings"], role["alias_metadata"], role["groups_map"])
	if got != "map[env:prod team:red] map[a:b c:e f:g] map[k:v l:w] <nil>" {
		t.Error(got)
	}
	patch(m{"bound_claims": m{"env": nil, "team": nil}}).refused(400, "must have at least one bound constraint when creating/updating a role")
	patch(m{"claim_mappings": "h=i"}).want(200) // no object: it takes the place of the map
	if role = d.do("GET", "auth/jwt/role/r", rootToken, nil).want(200).data(); words(role["claim_mappings"], role["bound_claims"]) != "map[h:i] map[env:prod team:red]" {
		t.Error(role)
	}
	d.do("POST", "auth/jwt/role/r", rootToken, m{"bound_claims": m{"only": "this"}}).want(200)
	if role = d.do("GET", "auth/jwt/role/r", rootToken, nil).want(200).data(); words(role["bound_claims"]) != "map[only:this]" {
		t.Error("a write merged: ", role["bound_claims"])
	}
}

// TestTheKindOfARoleOutlivesAnEmptyType: "" is the reference's "unspecified".
func TestTheKindOfARoleOutlivesAnEmptyType(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	d.role("r", map[string]any{"allowed_redirect_uris": "http://x"}).want(204)
	d.do("POST", "auth/jwt/role/r", rootToken, map[string]any{"role_type": ""}).want(204)
	if role := d.do("GET", "auth/jwt/role/r", rootToken, nil).want(200).data(); role["role_type"] != "jwt" {
		t.Errorf("role_type is %v", role["role_type"])
	}
}

func TestOneBoundIsEnough(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	for name, value := range map[string]any{
		"bound_audiences": "a", "bound_subject": "a", "bound_claims": map[string]any{"a": "b"}, "token_bound_cidrs": "192.0.2.0/24",
	} {
		with := map[string]any{"bound_audiences": nil}
		with[name] = value
		if a := d.role("x", with); a.status >= 300 {
			t.Errorf("%s alone: %s", name, a.body)
		}
		d.do("DELETE", "auth/jwt/role/x", rootToken, nil).want(204)
	}
}

func TestRoleNameMustFit(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	for _, name := range []string{"-x", "x-", ".x", "a b", "a*", "ü"} {
		d.role(name, nil).refused(404, "1 error occurred:\n\t* unsupported path\n\n")
	}
	d.role("A_b-c.D1", nil).want(204)
	d.do("GET", "auth/jwt/role/a_B-C.d1", rootToken, nil).want(200)
	got := d.do("GET", "auth/jwt/role?list=true", rootToken, nil).want(200).data()["keys"]
	if !reflect.DeepEqual(got, []any{"a_b-c.d1"}) {
		t.Errorf("keys %v", got)
	}
}

func TestPartialRoleUpdateKeepsTheRest(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	d.role("r", map[string]any{"bound_claims": map[string]any{"p": "a*"}, "bound_claims_type": "glob", "token_num_uses": 5}).want(204)
	before := d.do("GET", "auth/jwt/role/r", rootToken, nil).data()
	d.do("POST", "auth/jwt/role/r", rootToken, map[string]any{"token_ttl": 60}).want(204)
	after := d.do("GET", "auth/jwt/role/r", rootToken, nil).data()
	if after["role_type"] != "jwt" || after["bound_claims_type"] != "glob" {
		t.Errorf("role_type %v, bound_claims_type %v after a partial update", after["role_type"], after["bound_claims_type"])
	}
	want := maps.Clone(before)
	want["token_ttl"] = after["token_ttl"]
	if !reflect.DeepEqual(after, want) {
		t.Errorf("after\n%v\nwant\n%v", after, want)
	}
	d.do("POST", "auth/jwt/role/r", rootToken, map[string]any{"bound_claims": map[string]any{}, "token_num_uses": 0}).want(204)
	after = d.do("GET", "auth/jwt/role/r", rootToken, nil).data()
	if len(after["bound_claims"].(map[string]any)) != 0 {
		t.Errorf("bound_claims %v after they were emptied", after["bound_claims"])
	}
}

func TestOldNamesOfRoleFields(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	d.role("r", map[string]any{"token_policies": "default", "policies": "other", "ttl": 60, "max_ttl": 120}).want(204)
	got := d.do("GET", "auth/jwt/role/r", rootToken, nil).data()
	if !reflect.DeepEqual(got["policies"], []any{"default"}) || !reflect.DeepEqual(got["token_policies"], []any{"default"}) {
		t.Errorf("policies %v, token_policies %v: the new name must win and both read back", got["policies"], got["token_policies"])
	}
	d.do("POST", "auth/jwt/role/r", rootToken, map[string]any{"token_ttl": 30}).want(204)
	got = d.do("GET", "auth/jwt/role/r", rootToken, nil).data()
	if _, echoed := got["ttl"]; echoed {
		t.Error("ttl is still echoed after a write of token_ttl")
	}
	if _, echoed := got["max_ttl"]; !echoed {
		t.Error("max_ttl is no longer echoed")
	}
	d.do("POST", "auth/jwt/role/r", rootToken, map[string]any{"ttl": 200, "token_max_ttl": 0, "max_ttl": 100}).want(204)

	// Under the old name the reference tidies the list, under the new one not.
	d.do("POST", "auth/jwt/role/r", rootToken, map[string]any{"policies": "Default,,default"}).want(204)
	if got = d.do("GET", "auth/jwt/role/r", rootToken, nil).data(); words(got["policies"], got["token_policies"]) != "[default] [default]" {
		t.Errorf("policies %v", got["policies"])
	}
	d.do("POST", "auth/jwt/role/r", rootToken, map[string]any{"token_policies": "Default,,default"}).want(204)
	if got = d.do("GET", "auth/jwt/role/r", rootToken, nil).data(); words(got["token_policies"]) != "[Default  default]" {
		t.Errorf("token_policies %v", got["token_policies"])
	}
}

func TestRoleBoundClaimsKeepTheirNumbers(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	d.role("r", nil).want(204)
	d.do("POST", "auth/jwt/role/r", rootToken, `{"bound_claims":{"n":9007199254740993,"f":1.50}}`).want(204)
	a := d.do("GET", "auth/jwt/role/r", rootToken, nil)
	if !strings.Contains(string(a.body), `"bound_claims":{"f":1.50,"n":9007199254740993}`) {
		t.Errorf("role reads back as %s", a.body)
	}
}

func TestRoleWarnsAboutWhatIsRarelyMeant(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	for name, tc := range map[string]struct {
		with map[string]any
		want string
	}{
		"max ttl":      {map[string]any{"token_max_ttl": "800h"}, "token max ttl is greater than"},
		"no audience":  {map[string]any{"bound_audiences": nil, "bound_subject": "x"}, "the role has no bound_audiences"},
		"literal star": {map[string]any{"bound_claims": map[string]any{"a": "b*"}}, `bound_claims contains "*"`},
		"policy":       {map[string]any{"token_policies": "nope,default"}, `Policy "nope" does not exist`},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := d.role(strings.ReplaceAll(name, " ", "-"), tc.with).want(200).json()["warnings"].([]any)
			if len(w) != 1 || !strings.HasPrefix(w[0].(string), tc.want) {
				t.Errorf("warnings %q, want %q", w, tc.want)
			}
		})
	}
}

func TestRoleCreateAndUpdateAreToldApart(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	d.do("PUT", "sys/policies/acl/maker", rootToken, map[string]any{"policy": `path "auth/jwt/role/*" { capabilities = ["create"] }`}).want(204)
	token := d.token("maker")
	d.do("PUT", "auth/jwt/role/new", token, map[string]any{"role_type": "jwt", "bound_audiences": "a", "user_claim": "sub"}).want(204)
	if e := d.audit.last(); e.Req.Operation != "create" {
		t.Errorf("audit says %s", e.Req.Operation)
	}
	d.do("PUT", "auth/jwt/role/new", token, map[string]any{"token_ttl": 60}).refused(403, "1 error occurred:\n\t* permission denied\n\n")
	d.do("DELETE", "auth/jwt/role/new", token, nil).want(403)
	d.do("DELETE", "auth/jwt/role/new", rootToken, nil).want(204)
	d.do("DELETE", "auth/jwt/role/new", rootToken, nil).want(204)
	d.do("LIST", "auth/jwt/role", rootToken, nil).want(404)
}

// TestWarningsOfStrayParametersStayShort: their names are the caller's.
func TestWarningsOfStrayParametersStayShort(t *testing.T) {
	d := newDoor(t)
	d.withConfig()
	with := map[string]any{"token_policies": "nope", "x" + strings.Repeat("y", 10_000): 1}
	for i := range 5000 {
		with[fmt.Sprintf("p%04d", i)] = 1
	}
	a := d.role("r", with).want(200)
	if !strings.Contains(string(a.body), "Endpoint ignored these unrecognized parameters: [p0000 p0001 ") || len(a.body) > 2000 {
		t.Errorf("%d bytes: %.300s", len(a.body), a.body)
	}
}
