package bearer

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/principal"
)

// guideNow is an instant at which the guide's token has not expired.
var guideNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(b), "\n")
}

func compile(t testing.TB, text string) *iam.Snapshot {
	t.Helper()
	s, err := iam.Compile(text, iam.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// verifier serves one configuration at one instant, which a test may change.
func verifier(t testing.TB, text string, now time.Time) *Verifier {
	t.Helper()
	snap := compile(t, text)
	v, err := New(Options{Snapshot: func() *iam.Snapshot { return snap }, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func refused(t *testing.T, v *Verifier, token, reason string) {
	t.Helper()
	for range 2 { // a refusal is not remembered as anything else
		p, err := v.Authenticate(context.Background(), token)
		if p != nil || !fault.Is(err, fault.Unauthenticated) || fault.ReasonOf(err) != reason {
			t.Fatalf("got %v, kind %v, reason %q, want refusal with reason %q (%v)", p, fault.Of(err), fault.ReasonOf(err), reason, err)
		}
	}
}

// TestGuide uses the guide's own table, key and token, on the default file with
// the table appended.
func TestGuide(t *testing.T) {
	token := read(t, "guide.jwt")
	file := iam.DefaultText + "\n" + read(t, "guide.idps.toml")
	v := verifier(t, file, guideNow)
	for range 2 { // verified, then remembered
		p, err := v.Authenticate(context.Background(), token)
		if err != nil {
			t.Fatal(err)
		}
		a := p.Attrs()
		if p.Kind() != principal.BearerJWT || a.Role != "VaultAdminRole" || a.Issuer != "app1" || a.Subject != "VaultAdmin" || a.Name != "VaultAdmin" {
			t.Errorf("caller %+v", a)
		}
		if end := time.Unix(1893412799, 0); a.Expires.Before(end) || a.Expires.After(end.Add(time.Minute)) {
			t.Errorf("expires %v", a.Expires)
		}
	}
	role, ok := compile(t, file).Role("VaultAdminRole")
	if !ok || !role.Capability("get-vault-version").Allowed || !role.Capability("get-iam-conf").Allowed {
		t.Error("the guide's role may not do what the guide does")
	}
}

func TestGuideKeyInEveryForm(t *testing.T) {
	token := read(t, "guide.jwt")
	jwk := read(t, "guide.jwk.json")
	for name, keys := range map[string]string{
		"bare key": jwk, "key set": `{"keys":[` + jwk + `]}`, "PEM": read(t, "guide.pem"), "two PEM blocks": read(t, "guide.pem") + "\n" + read(t, "guide.pem"),
	} {
		file := iam.DefaultText + "\n[idps.app1]\ntype = \"direct-jwt\"\n[idps.app1.conf]\niss = \"https://jwt.io/\"\naud = \"vault1\"\nkeys = '''\n" + keys + "'''\n"
		if _, err := verifier(t, file, guideNow).Authenticate(context.Background(), token); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// rig is a local identity provider's key and the IAM file that trusts it.
type rig struct {
	key  *idptest.Key
	file string
}

const rigIssuer, rigAudience = "https://idp.example/", "vault1"

func newRig(t testing.TB, idp, conf string) rig {
	t.Helper()
	k := idptest.NewKey(t, "abc", jwt.RS256)
	file := fmt.Sprintf("%s\n[idps.app1]\ntype = \"direct-jwt\"\n%s\n[idps.app1.conf]\niss = %q\naud = %q\nkeys = '''%s'''\n%s\n",
		iam.DefaultText, idp, rigIssuer, rigAudience, k.JWK(t), conf)
	return rig{key: k, file: file}
}

func claims(with map[string]any) map[string]any {
	c := map[string]any{"iss": rigIssuer, "aud": rigAudience, "sub": "alice", "exp": guideNow.Add(time.Hour).Unix(), "roles": []string{"DeveloperRole"}}
	for k, v := range with {
		if v == nil {
			delete(c, k)
		} else {
			c[k] = v
		}
	}
	return c
}

// TestGuideBasics holds each line of the guide's "JWT authentication basics",
// in both directions.
func TestGuideBasics(t *testing.T) {
	r := newRig(t, "", "[idps.app1.conf.bound_claims]\nteam = \"red\"\n")
	type m = map[string]any
	tests := []struct {
		name   string
		with   m
		reason string // "" = admitted
	}{
		{"all as it should be", nil, ""},
		{"audience in a list", m{"aud": []string{"other", rigAudience}}, ""},
		{"role as a plain text", m{"roles": "DeveloperRole"}, ""},

		{"expired", m{"exp": guideNow.Add(-2 * time.Minute).Unix()}, "expired"},
		{"no expiry", m{"exp": nil}, "expiration_missing"},
		{"not yet valid", m{"nbf": guideNow.Add(2 * time.Minute).Unix()}, "not_yet_valid"},
		{"wrong issuer", m{"iss": "https://other.example/"}, "unknown_issuer"},
		{"issuer without its slash", m{"iss": "https://idp.example"}, "unknown_issuer"},
		{"no issuer", m{"iss": nil}, "unknown_issuer"},
		{"wrong audience", m{"aud": "vault2"}, "wrong_audience"},
		{"no audience", m{"aud": nil}, "wrong_audience"},
		{"empty list of audiences", m{"aud": []string{}}, "wrong_audience"},
		{"no role", m{"roles": nil}, "role_missing"},
		{"empty list of roles", m{"roles": []string{}}, "role_missing"},
		{"two roles", m{"roles": []string{"DeveloperRole", "CICDRole"}}, "role_ambiguous"},
		{"role not in the IAM file", m{"roles": []string{"Nobody"}}, "role_unknown"},
		{"role in another case", m{"roles": []string{"developerrole"}}, "role_unknown"},
		{"the administrator's role", m{"roles": []string{"Admin"}}, "role_reserved"},
		{"bound claim missing", m{"team": nil}, "claim_missing"},
		{"bound claim differs", m{"team": "blue"}, "claim_mismatch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			with := m{"team": "red"}
			for k, v := range tt.with {
				with[k] = v
			}
			v := verifier(t, r.file, guideNow)
			token := r.key.Token(t, claims(with))
			if tt.reason != "" {
				refused(t, v, token, tt.reason)
				return
			}
			p, err := v.Authenticate(context.Background(), token)
			if err != nil || p.Role() != "DeveloperRole" || p.Name() != "alice" {
				t.Errorf("%v %v", p, err)
			}
		})
	}
}

func TestSignatureMustBeByTheConfiguredKey(t *testing.T) {
	r := newRig(t, "", "")
	v := verifier(t, r.file, guideNow)
	good := r.key.Token(t, claims(nil))
	if _, err := v.Authenticate(context.Background(), good); err != nil {
		t.Fatal(err)
	}
	other := idptest.NewKey(t, "abc", jwt.RS256)
	refused(t, v, other.Token(t, claims(nil)), "bad_signature")
	refused(t, v, idptest.NewKey(t, "xyz", jwt.RS256).Token(t, claims(nil)), "unknown_key")
	refused(t, v, idptest.NewKey(t, "abc", jwt.ES256).Token(t, claims(nil)), "algorithm_not_allowed")
	flipped := []byte(good)
	at := len(flipped) - 20
	flipped[at] = map[bool]byte{true: 'B', false: 'A'}[flipped[at] == 'A']
	refused(t, v, string(flipped), "bad_signature")
	for _, text := range []string{"", "a.b.c", good + ".", good + "\n", " " + good, strings.TrimRight(good, "AQgw")[:len(good)-40]} {
		p, err := v.Authenticate(context.Background(), text)
		if p != nil || !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%.20q…: %v %v", text, p, err)
		}
	}
	p, err := v.Authenticate(context.Background(), good+strings.Repeat("A", 16<<10))
	if p != nil || !fault.Is(err, fault.TooLarge) {
		t.Errorf("oversized: %v %v", p, err)
	}
}

func TestRolesMapAndAllowedRoles(t *testing.T) {
	r := newRig(t, "allowed_roles = [\"DeveloperRole\"]\n[idps.app1.roles_map]\n\"dev@x\" = \"DeveloperRole\"\n\"ops@x\" = \"CICDRole\"", "roles_claim = \"email\"")
	v := verifier(t, r.file, guideNow)
	p, err := v.Authenticate(context.Background(), r.key.Token(t, claims(map[string]any{"email": "dev@x", "roles": nil})))
	if err != nil || p.Role() != "DeveloperRole" {
		t.Errorf("%v %v", p, err)
	}
	refused(t, v, r.key.Token(t, claims(map[string]any{"email": "ops@x"})), "role_not_allowed")
	refused(t, v, r.key.Token(t, claims(map[string]any{"email": "DeveloperRole"})), "role_not_mapped")
	refused(t, v, r.key.Token(t, claims(nil)), "role_missing")
}

func TestSymmetricKeys(t *testing.T) {
	k := idptest.NewKey(t, "h", jwt.HS256)
	file := fmt.Sprintf("%s\n[idps.app1]\ntype = \"direct-jwt\"\n[idps.app1.conf]\niss = %q\naud = %q\nkeys = '''%s'''\n", iam.DefaultText, rigIssuer, rigAudience, k.JWK(t))
	v := verifier(t, file, guideNow)
	if _, err := v.Authenticate(context.Background(), k.Token(t, claims(nil))); err != nil {
		t.Error(err)
	}
	refused(t, v, idptest.NewKey(t, "h", jwt.HS256).Token(t, claims(nil)), "bad_signature")
	// A provider with an RSA key never takes HS256, whatever the secret.
	r := newRig(t, "", "")
	refused(t, verifier(t, r.file, guideNow), k.Token(t, claims(nil)), "algorithm_not_allowed")
}

func TestNarrowingReachesThePrincipal(t *testing.T) {
	r := newRig(t, "", "extra_claims = '''{\"https://app.piiano.io/prop-claim-ref/user_id\": \"sub\"}'''")
	v := verifier(t, r.file, guideNow)
	p, err := v.Authenticate(context.Background(), r.key.Token(t, claims(map[string]any{"https://app.piiano.io/prop/group_id": []string{"g1", "g2"}})))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, n := range p.Narrowing() {
		got[n.Property] = strings.Join(n.Values, ",")
	}
	if len(got) != 2 || got["user_id"] != "alice" || got["group_id"] != "g1,g2" {
		t.Errorf("narrowing %v", got)
	}
}
