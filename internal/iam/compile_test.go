package iam

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
)

// base is a small valid file; tests append to it.
const base = `[users.Web]
role = "WebRole"

[roles.WebRole]
capabilities = ["CapDataReader"]
policies = ["PolRead"]

[policies.PolRead]
policy_type = "allow"
operations = ["read"]
reasons = ["*"]
resources = ["*/types/EMAIL"]
`

func key(t testing.TB) string {
	t.Helper()
	return string(idptest.NewKey(t, "k", jwt.ES256).JWK(t))
}

// idp is base with one identity provider, whose tables hold more.
func idp(more, conf string) string {
	return base + "\n[idps.app1]\ntype = \"direct-jwt\"\n" + more + "\n[idps.app1.conf]\niss = \"https://idp.example\"\naud = \"vault1\"\n" + conf + "\n"
}

func problems(t *testing.T, text string) Problems {
	t.Helper()
	_, err := Compile(text, Options{File: "f.toml"})
	if err == nil {
		return nil
	}
	if !fault.Is(err, fault.Invalid) || fault.ReasonOf(err) != "iam_config" {
		t.Fatalf("kind %v, reason %q", fault.Of(err), fault.ReasonOf(err))
	}
	var p Problems
	if !errors.As(err, &p) || len(p) == 0 || fault.PublicText(err) == "" {
		t.Fatalf("no problems in %v", err)
	}
	return p
}

func TestProblems(t *testing.T) {
	k := key(t)
	keys := "keys = '''" + k + "'''"
	oct := `keys = '''{"kty":"oct","k":"c2hvcnQ","alg":"HS256"}'''`
	tests := []struct{ name, text, want string }{
		{"not TOML", "[users", "f.toml:1: not valid TOML"},
		{"table twice", base + "[users.Web]\n", "f.toml:13: not valid TOML"},
		{"bad UTF-8", "# \xff", "f.toml: the file is not valid UTF-8"},
		{"too large", strings.Repeat("#", MaxSize+1), "f.toml: the file is larger than"},
		{"too deep", "a = " + strings.Repeat("[", 100) + strings.Repeat("]", 100), "f.toml: lists or inline tables are nested deeper than 64"},
		{"unknown table", base + "[user]\n", `f.toml:13: user: unknown key; did you mean "users"?`},
		{"mandatory table", "[users]\n[roles]\n", "f.toml: policies: the table is missing; add [policies]"},
		{"unknown key of a user", strings.Replace(base, "role = ", "enabled = true\nrole = ", 1), "f.toml:2: users.Web.enabled: unknown key; known here are role, disabled"},
		{"user without a role", base + "[users.B]\n", "f.toml:13: users.B.role: is missing"},
		{"user with an unknown role", base + "[users.B]\nrole = \"WebRol\"\n", `f.toml:14: users.B.role: role "WebRol" is not defined; did you mean "WebRole"?`},
		{"user with a role far from any", base + "[users.B]\nrole = \"Else\"\n", `role "Else" is not defined; define [roles.Else]`},
		{"user with an empty role", base + "[users.B]\nrole = \"\"\n", `users.B.role: role "" is not defined`},
		{"user with the administrator's role", base + "[users.B]\nrole = \"admin\"\n", `role "Admin" is built in`},
		{"role of the wrong type", base + "[users.B]\nrole = 3\n", "f.toml:14: users.B.role: must be a text in quotes"},
		{"disabled of the wrong type", base + "[users.B]\nrole = \"WebRole\"\ndisabled = \"no\"\n", "users.B.disabled: must be true or false"},
		{"user that is no table", "[roles]\n[policies]\n[users]\nB = 3\n", "f.toml:4: users.B: must be a table, such as [users.B]"},
		{"user named Admin", base + "[users.Admin]\nrole = \"WebRole\"\n", `users.Admin: "Admin" is built in`},
		{"role named admin", base + "[roles.admin]\n", `roles.admin: "Admin" is built in`},
		{"names that differ in case", base + "[users.web]\nrole = \"WebRole\"\n", `users.web: differs only in case from "Web"`},
		{"name that begins with a digit", base + "[users.1web]\nrole = \"WebRole\"\n", "users.1web: user name must begin with a letter"},
		{"name with a dash", base + "[users.web-app]\nrole = \"WebRole\"\n", "user name must consist of the letters"},
		{"name with another letter", base + "[users.\"wéb\"]\nrole = \"WebRole\"\n", `users."wéb": user name must consist of`},
		{"empty name", base + "[users.\"\"]\nrole = \"WebRole\"\n", "user name must begin with a letter"},
		{"long name", base + "[users." + strings.Repeat("a", 451) + "]\nrole = \"WebRole\"\n", "user name is longer than 450 characters"},
		{"unknown capability", base + "[roles.R]\ncapabilities = [\"CapDataReeder\"]\n", `f.toml:14: roles.R.capabilities: unknown capability "CapDataReeder"; did you mean "CapDataReader"?`},
		{"unknown policy", base + "[roles.R]\npolicies = [\"PolWrite\"]\n", `roles.R.policies: policy "PolWrite" is not defined`},
		{"policies of the wrong type", base + "[roles.R]\npolicies = \"PolRead\"\n", `roles.R.policies: must be a list of texts`},
		{"policies with a number", base + "[roles.R]\npolicies = [1]\n", `roles.R.policies: must be a list of texts`},
		{"unknown trusted role", base + "[roles.R]\ntrusted_roles = [\"Nobody\"]\n", `roles.R.trusted_roles: role "Nobody" is not defined`},
		{"trusted role is the administrator's", base + "[roles.R]\ntrusted_roles = [\"Admin\"]\n", `role "Admin" is built in`},
		{"role trusts itself", base + "[roles.R]\ntrusted_roles = [\"R\"]\n", `a role cannot act as itself`},
		{"policy without a type", base + "[policies.P]\noperations=[\"*\"]\nreasons=[\"*\"]\nresources=[\"*\"]\n", `policies.P.policy_type: is missing`},
		{"policy of another type", base + "[policies.P]\npolicy_type=\"Deny\"\noperations=[\"*\"]\nreasons=[\"*\"]\nresources=[\"*\"]\n", `f.toml:14: policies.P.policy_type: policy_type is "Deny"`},
		{"policy without operations", base + "[policies.P]\npolicy_type=\"deny\"\nreasons=[\"*\"]\nresources=[\"*\"]\n", `f.toml:13: policies.P.operations: must name at least one value`},
		{"unknown operation", base + "[policies.P]\npolicy_type=\"deny\"\noperations=[\"reed\"]\nreasons=[\"*\"]\nresources=[\"*\"]\n", `policies.P.operations: unknown operation "reed"`},
		{"unknown reason", base + "[policies.P]\npolicy_type=\"deny\"\noperations=[\"*\"]\nreasons=[\"Fun\"]\nresources=[\"*\"]\n", `policies.P.reasons: unknown reason "Fun"`},
		{"old two-part resource", base + "[policies.P]\npolicy_type=\"deny\"\noperations=[\"*\"]\nreasons=[\"*\"]\nresources=[\"c/email\"]\n", `policies.P.resources: resource "c/email" has no known kind`},
		{"unknown policy key", base + "[policies.P]\nconditions=[]\n", `policies.P.conditions: unknown key`},

		{"idp without a type", base + "[idps.a]\n[idps.a.conf]\niss=\"i\"\naud=\"a\"\n" + keys + "\n", `idps.a.type: is missing; write type = "direct-jwt"`},
		{"idp of another type", base + "[idps.a]\ntype=\"oidc\"\n[idps.a.conf]\niss=\"i\"\naud=\"a\"\n" + keys + "\n", `idps.a.type: unknown type "oidc"`},
		{"idp without conf", base + "[idps.a]\ntype=\"direct-jwt\"\n", `idps.a.conf: the table is missing; add [idps.a.conf]`},
		{"idp name", base + "[idps.\"a b\"]\ntype=\"direct-jwt\"\n", `identity provider name must consist of the letters A to Z and a to z, digits, "_" and "-"`},
		{"idp names that differ in case", idp("", keys) + "[idps.App1]\ntype=\"direct-jwt\"\n", `differs only in case`},
		{"conf that is no table", base + "[idps.a]\ntype=\"direct-jwt\"\nconf=1\n", `idps.a.conf: must be a table`},
		{"key instead of keys", idp("", "key = '''"+k+"'''"), `idps.app1.conf.key: unknown key; did you mean "keys"?`},
		{"roles_map in conf", idp("", keys+"\n[idps.app1.conf.roles_map]\na=\"WebRole\""), `idps.app1.conf.roles_map: unknown key`},
		{"iss missing", strings.Replace(idp("", keys), "iss = ", "#", 1), `idps.app1.conf.iss: the issuer (iss) must be set`},
		{"iss of the wrong type", strings.Replace(idp("", keys), "iss = \"https://idp.example\"", "iss = 1", 1), `idps.app1.conf.iss: must be a text in quotes`},
		{"aud missing", strings.Replace(idp("", keys), "aud = ", "#", 1), `idps.app1.conf.aud: the audience (aud) must be set`},
		{"aud empty", strings.Replace(idp("", keys), "aud = \"vault1\"", "aud = \"\"", 1), `the audience (aud) must be set`},
		{"aud twice", strings.Replace(idp("", keys), "aud = \"vault1\"", "aud = [\"a\",\"a\"]", 1), `idps.app1.conf.aud: names "a" twice`},
		{"no key source", idp("", ""), `idps.app1.conf: no key source; set exactly one of keys, jwks_uri and discovery_url`},
		{"two key sources", idp("", keys+"\njwks_uri = \"https://idp.example/jwks\""), `idps.app1.conf.jwks_uri: set exactly one of keys, jwks_uri and discovery_url, not keys and jwks_uri`},
		{"three key sources", idp("", keys+"\njwks_uri = \"https://idp.example/jwks\"\ndiscovery_url = \"https://idp.example\""), `not keys and jwks_uri and discovery_url`},
		{"keys empty", idp("", "keys = \"\""), `idps.app1.conf.keys: must not be empty`},
		{"keys of the wrong type", idp("", "keys = [1]"), `idps.app1.conf.keys: must be a text in quotes`},
		{"keys not JSON", idp("", "keys = \"abc\""), `idps.app1.conf.keys: the key document is not one unambiguous JSON object; write`},
		{"keys that is an empty set", idp("", "keys = '{\"keys\":[]}'"), `the set has no keys`},
		{"keys with one that cannot be used", idp("", "keys = '''{\"keys\":["+k+",{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}'''"), `key 2 cannot be used`},
		{"short symmetric key", idp("", oct), `key 1 cannot be used`},
		{"broken PEM", idp("", "keys = '''-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'''"), `PEM block 1 cannot be used`},
		{"PEM without an end", idp("", "keys = '''-----BEGIN PUBLIC KEY-----\nAAAA'''"), `PEM block 1 cannot be used`},
		{"jwks_uri over http", idp("", "jwks_uri = \"http://idp.example/jwks\""), `idps.app1.conf.jwks_uri: the key source's URL must begin with https://`},
		{"jwks_uri to link-local", idp("", "jwks_uri = \"https://169.254.169.254/jwks\""), `idps.app1.conf.jwks_uri: `},
		{"discovery_url of another issuer", idp("", "discovery_url = \"https://idp.example/\""), `idps.app1.conf.discovery_url: must be equal to iss`},
		{"discovery_url that is no URL", strings.Replace(idp("", "discovery_url = \"x\""), "https://idp.example", "x", 1), `idps.app1.conf.discovery_url: the key source must be an absolute URL`},
		{"ca_pem beside keys", idp("", keys+"\nca_pem = \"x\""), `idps.app1.conf.ca_pem: is for keys that are fetched`},
		{"ca_pem unreadable", idp("", "jwks_uri = \"https://idp.example/jwks\"\nca_pem = \"x\""), `the CA certificates`},
		{"unknown algorithm", idp("", keys+"\nalgorithms = [\"RS255\"]"), `idps.app1.conf.algorithms: unsupported signing algorithm "RS255"`},
		{"no algorithm", idp("", keys+"\nalgorithms = []"), `idps.app1.conf.algorithms: must name at least one algorithm`},
		{"allowed_roles unknown", idp("allowed_roles = [\"Nobody\"]", keys), `f.toml:16: idps.app1.allowed_roles: allowed_roles names the role "Nobody", which does not exist`},
		{"allowed_roles with the administrator", idp("allowed_roles = [\"Admin\"]", keys), `the built-in administrator's`},
		{"allowed_roles empty", idp("allowed_roles = []", keys), `idps.app1.allowed_roles: names no role`},
		{"roles_map unknown", idp("[idps.app1.roles_map]\n\"a@x\" = \"Nobody\"", keys), `idps.app1.roles_map: roles_map names the role "Nobody"`},
		{"roles_map of the wrong type", idp("[idps.app1.roles_map]\n\"a@x\" = 3", keys), `idps.app1.roles_map."a@x": must be a text`},
		{"roles_map empty", idp("[idps.app1.roles_map]", keys), `idps.app1.roles_map: maps nothing`},
		{"roles_claim empty", idp("", keys+"\nroles_claim = \"\""), `idps.app1.conf.roles_claim: must not be empty`},
		{"extra_claims not JSON", idp("", keys+"\nextra_claims = \"x\""), `idps.app1.conf.extra_claims: `},
		{"bound claim of a wrong type", idp("", keys+"\n[idps.app1.conf.bound_claims]\na = 2024-01-01"), `idps.app1.conf.bound_claims.a: must be a text, a number`},
		{"bound claim with a table", idp("", keys+"\n[idps.app1.conf.bound_claims.a]\nb = 1"), `idps.app1.conf.bound_claims.a: must be a text, a number`},
		{"bound claim with an empty list", idp("", keys+"\n[idps.app1.conf.bound_claims]\na = []"), `is an empty list, which no token could match`},
		{"bound_claims empty", idp("", keys+"\n[idps.app1.conf.bound_claims]"), `idps.app1.conf.bound_claims: binds nothing`},
		{"clock_skew too long", idp("", keys+"\nclock_skew = \"2m\""), `idps.app1.conf.clock_skew: the clock skew must be at most 60 seconds`},
		{"clock_skew negative", idp("", keys+"\nclock_skew = -1"), `idps.app1.conf.clock_skew: must be a number of seconds`},
		{"clock_skew of the wrong type", idp("", keys+"\nclock_skew = true"), `idps.app1.conf.clock_skew: must be a number of seconds`},
		{"ignore_cnf of the wrong type", idp("", keys+"\nignore_cnf = \"yes\""), `idps.app1.conf.ignore_cnf: must be true or false`},
		{"max_token_age zero", idp("", keys+"\nmax_token_age = 0"), `idps.app1.conf.max_token_age: must be a number of seconds`},
		{"max_token_age unreadable", idp("", keys+"\nmax_token_age = \"soon\""), `idps.app1.conf.max_token_age: must be a number of seconds`},
		{"same issuer and audience", idp("", keys) + "[idps.app2]\ntype=\"direct-jwt\"\n[idps.app2.conf]\niss=\"https://idp.example\"\naud=[\"x\",\"vault1\"]\n" + keys + "\n",
			`idps.app2.conf.aud: identity provider "app1" has the same issuer and the audience "vault1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := problems(t, tt.text)
			if !strings.Contains(p.Error(), tt.want) {
				t.Errorf("problems:\n%v\nlack:\n%s", p, tt.want)
			}
		})
	}
}

func TestEveryProblemAtOnceInOrder(t *testing.T) {
	text := "[users.A]\nrole = \"X\"\n[users.B]\nrole = \"Y\"\n[roles.R]\ncapabilities = [\"Cap\"]\n[policies.P]\npolicy_type = \"x\"\noperations = []\nreasons = [\"*\"]\nresources = [\"*\"]\n[idps.i]\ntype = \"x\"\n"
	p := problems(t, text)
	if len(p) != 7 {
		t.Errorf("%d problems:\n%v", len(p), p)
	}
	if !slices.IsSortedFunc(p, func(a, b Problem) int { return a.Line - b.Line }) {
		t.Errorf("not in the order of the file:\n%v", p)
	}
}

func TestPublicTextIsBounded(t *testing.T) {
	var text strings.Builder
	text.WriteString("[roles]\n[policies]\n")
	for i := range 500 {
		fmt.Fprintf(&text, "[users.u%d]\n", i)
	}
	_, err := Compile(text.String(), Options{})
	if s := fault.PublicText(err); strings.Count(s, "\n") != maxShown || !strings.Contains(s, "… and 400 more") {
		t.Errorf("%d lines", strings.Count(s, "\n"))
	}
}

func TestProblemsShowNoKey(t *testing.T) {
	secret := "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
	p := problems(t, idp("", `keys = '''{"kty":"oct","k":"`+secret+`","alg":"RS256"}'''`))
	if strings.Contains(p.Error(), secret) {
		t.Errorf("%v", p)
	}
}

func TestCompileTakes(t *testing.T) {
	k := key(t)
	keys := "keys = '''" + k + "'''"
	for name, text := range map[string]string{
		"default file":                 DefaultText,
		"byte order mark":              "\ufeff" + base,
		"empty tables":                 "[users]\n[roles]\n[policies]\n",
		"empty idps":                   base + "[idps]\n",
		"inline tables":                "users = {Web = {role = \"R\"}}\nroles.R = {}\n[policies]\n",
		"both spellings":               base + "[roles.R]\ncapabilities = [\"CapOjectsReader\", \"CapActionReader\", \"CapActionsReader\", \"*\", \"CapSystem\"]\npolicies=[\"*\"]\n",
		"several audiences":            strings.Replace(idp("", keys), "aud = \"vault1\"", "aud = [\"a\", \"b\"]", 1),
		"jwks_uri":                     idp("", "jwks_uri = \"https://idp.example/jwks\""),
		"discovery":                    idp("", "discovery_url = \"https://idp.example\""),
		"clock skew none":              idp("", keys+"\nclock_skew = 0"),
		"clock skew seconds as a text": idp("", keys+"\nclock_skew = \"30\"\nmax_token_age = \"10m\""),
		"tokens bound to a key":        idp("", keys+"\nignore_cnf = true"),
		"all of conf": idp("allowed_roles = [\"WebRole\"]\ndisabled = false\n[idps.app1.roles_map]\n\"a@x\" = \"WebRole\"",
			keys+"\nalgorithms = [\"ES256\"]\nroles_claim = \"/realm/role\"\nnamespace_top_claim = \"piiano\"\nextra_claims = '{\"https://app.piiano.io/prop-claim-ref/u\":\"sub\"}'\n[idps.app1.conf.bound_claims]\nteam = [\"a\", 1, true, 1.5]\n\"/x/y\" = \"z\""),
		"same issuer, other audience":      idp("", keys) + "[idps.app2]\ntype=\"direct-jwt\"\n[idps.app2.conf]\niss=\"https://idp.example\"\naud=\"vault2\"\n" + keys + "\n",
		"same pair, one disabled":          idp("", keys) + "[idps.app2]\ntype=\"direct-jwt\"\ndisabled=true\n[idps.app2.conf]\niss=\"https://idp.example\"\naud=\"vault1\"\n" + keys + "\n",
		"idp name with a dash":             base + "[idps.my-idp]\ntype=\"direct-jwt\"\n[idps.my-idp.conf]\niss=\"i\"\naud=\"a\"\n" + keys + "\n",
		"brackets and quotes in a string":  base + "[users.A] # [[[ '\nrole = \"WebRole\" # \"\"\"\n",
		"brackets inside multi-line texts": idp("", "keys = '''\n"+k+"\n'''\nextra_claims = \"\"\"\n{\\\"https://app.piiano.io/role\\\": \\\"WebRole\\\"}\"\"\""),
	} {
		if p := problems(t, text); p != nil {
			t.Errorf("%s: %v", name, p)
		}
	}
}

func TestSnapshot(t *testing.T) {
	text := idp("", "keys = '''"+key(t)+"'''") + "[users.B]\nrole = \"WebRole\"\ndisabled = true\n"
	s, err := Compile(text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Text() != text || s.ETag() != ETag(text) || len(s.ETag()) != 64 {
		t.Error("text or entity tag")
	}
	if u := s.Users(); len(u) != 2 || u[0] != (User{"B", "WebRole", true}) || u[1] != (User{"Web", "WebRole", false}) {
		t.Errorf("users %v", u)
	}
	if u, ok := s.User("Web"); !ok || u.Role != "WebRole" {
		t.Errorf("user %v", u)
	}
	if got := s.RoleNames(); !slices.Equal(got, []string{"WebRole"}) {
		t.Errorf("roles %v", got)
	}
	if r, ok := s.Role("WebRole"); !ok || !r.Capability("list-objects").Allowed || !r.Vote("read", "c/properties/e/EMAIL", "Other").Allowed {
		t.Error("role")
	}
	if _, ok := s.Role(Admin); !ok {
		t.Error("built-in role")
	}
	if p := s.Policies(); len(p) != 1 || p[0].Name != "PolRead" {
		t.Errorf("policies %v", p)
	}
	if p, ok := s.Provider("app1"); !ok || p.Rule.Issuer() != "https://idp.example" {
		t.Error("provider")
	}
	if _, ok := s.Provider("app2"); ok {
		t.Error("unknown provider")
	}
	for _, tt := range []struct {
		iss    string
		aud    []string
		n      int
		issuer bool
	}{
		{"https://idp.example", []string{"vault1"}, 1, true}, {"https://idp.example", []string{"x", "vault1", "vault1"}, 1, true}, {"https://idp.example", nil, 0, true},
		{"https://idp.example/", []string{"vault1"}, 0, false}, {"", []string{"vault1"}, 0, false},
	} {
		if found, known := s.Match(tt.iss, tt.aud); len(found) != tt.n || known != tt.issuer {
			t.Errorf("Match(%q, %q) = %v, %v", tt.iss, tt.aud, found, known)
		}
	}
}

func TestZeroSnapshotHasNobody(t *testing.T) {
	for _, s := range []*Snapshot{nil, {}} {
		_, user := s.User("x")
		_, role := s.Role("x")
		_, provider := s.Provider("x")
		found, known := s.Match("", []string{""})
		if user || role || provider || known || len(found)+len(s.Users())+len(s.RoleNames())+len(s.Policies())+len(s.Providers()) > 0 || s.Text()+s.ETag() != "" {
			t.Error("zero snapshot has somebody")
		}
		s.CloseExcept(nil)
	}
}

func TestDisabledProviderIsNotThere(t *testing.T) {
	s, err := Compile(idp("disabled = true", "jwks_uri = \"https://idp.example/jwks\""), Options{})
	if err != nil || len(s.Providers()) != 0 {
		t.Errorf("%v %v", s.Providers(), err)
	}
}

func TestFetchSwitchedOff(t *testing.T) {
	o := Options{DisableFetch: true}
	if _, err := Compile(idp("", "jwks_uri = \"https://idp.example/jwks\""), o); err == nil || !strings.Contains(err.Error(), "switched off") {
		t.Errorf("%v", err)
	}
	if _, err := Compile(idp("", "keys = '''"+key(t)+"'''"), o); err != nil {
		t.Errorf("keys in the file: %v", err)
	}
	if _, err := Compile(idp("disabled = true", "jwks_uri = \"https://idp.example/jwks\""), o); err != nil {
		t.Errorf("disabled provider: %v", err)
	}
}

// closing counts Close.
type closing struct {
	jwks.Source
	closed int
}

func (c *closing) Close() { c.closed++ }

func TestSourcesOfTheSameConfigurationAreTakenOver(t *testing.T) {
	one := idp("", "jwks_uri = \"https://idp.example/jwks\"")
	a, err := Compile(one, Options{})
	if err != nil {
		t.Fatal(err)
	}
	src := &closing{Source: a.providers[0].Keys}
	a.providers[0].Keys = src
	b, err := Compile(one+"# changed\n", Options{Previous: a})
	if err != nil || b.providers[0].Keys != jwks.Source(src) {
		t.Fatalf("not taken over: %v", err)
	}
	if a.CloseExcept(b); src.closed != 0 {
		t.Error("closed though it is in use")
	}
	// A text that does not compile closes nothing that is in use.
	if _, err := Compile(one+"[x]\n", Options{Previous: b}); err == nil || src.closed != 0 {
		t.Errorf("%v, closed %d", err, src.closed)
	}
	c, err := Compile(strings.ReplaceAll(one, "/jwks", "/keys"), Options{Previous: b})
	if err != nil || c.providers[0].Keys == jwks.Source(src) {
		t.Errorf("source of another URL was taken over: %v", err)
	}
	if b.CloseExcept(c); src.closed != 1 {
		t.Error("not closed though nobody uses it")
	}
}

func TestNesting(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "[a.b]": 1, "a = [[1], {b = [2]}]": 3, "a = \"[[[\"": 0, "a = '[[\\'": 0, "# [[[\n[a]": 1, "# [[": 0,
		"a = \"\"\"[[\n\\\"\"\"[\"\"\"\"\nb = [1]": 1, "a = '''[\n''''\nb=[1]": 1, "a = \"\\\"[\"": 0, "a = \"[\n[": 1, "a = \"\"\"[": 0, "a = \"\\": 0,
	} {
		if got := nesting(text); got != want {
			t.Errorf("nesting(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"users", "roles", "policies"}
	for got, want := range map[string]string{"user": "users", "Users": "users", "rolse": "roles", "polices": "policies", "idp": "", "": "", strings.Repeat("x", 100): ""} {
		hint := nearest(got, known)
		if want == "" && hint != "" || want != "" && !strings.Contains(hint, `"`+want+`"`) {
			t.Errorf("%q: %q, want %q", got, hint, want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	f.Add(base)
	f.Add(DefaultText)
	f.Add(idp("roles_map = {a = \"WebRole\"}", "keys = '''{\"keys\":[]}'''\nbound_claims = {\"/a\" = [1]}\nclock_skew = \"1s\""))
	f.Add("users = 1\nroles.a.b = []\n[[policies]]\n[idps.\"a\\u0041\".conf]\naud = {}")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Compile(text, Options{})
		if err != nil {
			var p Problems
			if !fault.Is(err, fault.Invalid) || !errors.As(err, &p) || len(p) == 0 {
				t.Errorf("%v", err)
			}
			return
		}
		if s.Text() != text {
			t.Error("text changed")
		}
		s.CloseExcept(nil)
	})
}
