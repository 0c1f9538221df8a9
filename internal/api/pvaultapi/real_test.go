package pvaultapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/api/pvaultapi"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/bearer"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/seal"
)

// real is a door with the real configuration, verifier and audit log behind it.
type real struct {
	*world
	store *iam.Store
	log   string // path of the audit log
}

func newReal(t testing.TB) *real {
	t.Helper()
	r := &real{log: filepath.Join(t.TempDir(), "audit.log")}
	r.world = newWorld(t, func(o *pvaultapi.Options) {
		ring := seal.NewKeyring(start)
		var err error
		r.store, err = iam.NewStore(iam.StoreOptions{Storage: seal.Wrap(openStore(t, o.Now), ring), Hasher: ring, Now: o.Now, DevMode: true})
		if err == nil {
			err = r.store.Load(context.Background())
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.store.Close() })
		o.IAM = r.store
		if o.Bearer, err = bearer.New(bearer.Options{Snapshot: r.store.Snapshot, Now: o.Now}); err != nil {
			t.Fatal(err)
		}
		o.Gate = gate.New(fileAudit(t, r.log), o.Now)
	})
	return r
}

func fileAudit(t testing.TB, path string) *audit.Broker {
	t.Helper()
	b := audit.New(audit.Options{})
	t.Cleanup(func() { _ = b.Close() })
	err := b.Enable(audit.Device{Path: "file/", Type: "file", Options: map[string]string{"file_path": path}, Salt: []byte("0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (r *real) logged(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(r.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func file(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// TestGuideTokenReadsVersion does what the reference's guide tells its reader:
// append the table to the IAM file, apply it, call with the token.
func TestGuideTokenReadsVersion(t *testing.T) {
	r := newReal(t)
	token := file(t, "guide.jwt")
	if a := r.refused(401, "PV1005", token, "GET", version, ""); a.context()["jwt_error"] != "unknown_issuer" {
		t.Errorf("before the table is applied: %s", a.body)
	}
	conf := r.must("pvaultauth", "GET", "ctl/iam/conf", "")
	text := conf.body + "\n" + file(t, "guide.idps.toml") + "\n"
	toml := []string{"Content-Type", "application/toml", "If-Match", conf.header.Get("ETag")}
	r.must("pvaultauth", "POST", "ctl/iam/conf", text, toml...)
	if got := r.must("pvaultauth", "GET", "ctl/iam/conf", "").body; got != text {
		t.Error("what was applied does not come back byte for byte")
	}
	r.refused(409, "PV3218", "pvaultauth", "POST", "ctl/iam/conf", text, toml...)

	if a := r.must(token, "GET", version, ""); !strings.Contains(a.body, `"vault_id":"384662711408558080"`) {
		t.Error(a.body)
	}
	r.must(token, "GET", "ctl/iam/conf", "")
	parts := strings.Split(token, ".")
	flipped := []byte(parts[2])
	flipped[10] ^= 1
	for reason, tok := range map[string]string{
		"bad_signature": parts[0] + "." + parts[1] + "." + string(flipped),
		"malformed":     parts[0] + "." + parts[1] + "." + parts[2] + "=",
	} {
		if a := r.refused(401, "PV1005", tok, "GET", version, ""); a.context()["jwt_error"] != reason {
			t.Errorf("%s: %s", reason, a.body)
		}
	}
	bad := r.refused(400, "PV1012", "pvaultauth", "POST", "ctl/iam/conf", text+"[nonsense]\n[users.x]\nrole = \"NoRole\"\n", "Content-Type", "application/toml")
	if !strings.Contains(bad.body, "nonsense") || !strings.Contains(bad.body, "NoRole") {
		t.Errorf("not all problems are told: %s", bad.body)
	}
	r.must(token, "GET", version, "")

	log := r.logged(t)
	for _, want := range []string{`"get-vault-version"`, `"app1"`, `"VaultAdmin"`, `"VaultAdminRole"`} {
		if !strings.Contains(log, want) {
			t.Errorf("%s is missing in the audit log", want)
		}
	}
	for _, secret := range []string{token, parts[2], "pvaultauth"} {
		if strings.Contains(log, secret) {
			t.Error("a credential stands in the audit log")
		}
	}
}

func TestRegeneratedKeyWorksAndOldOneDoesNot(t *testing.T) {
	r := newReal(t)
	regen := func() string {
		var out struct {
			Key string `json:"api_key"`
		}
		r.must("pvaultauth", "POST", "ctl/iam/user/regen", `{"name":"VaultAdmin"}`).json(t, &out)
		return out.Key
	}
	first := regen()
	r.must(first, "GET", version, "")
	second := regen()
	r.refused(401, "PV1005", first, "GET", version, "")
	r.must(second, "GET", version, "")
	r.must("pvaultauth", "POST", "ctl/iam/user/update-expiration", `{"name":"VaultAdmin","expiration_secs":0}`)
	r.refused(401, "PV1005", second, "GET", version, "")
	r.refused(403, "PV2021", "pvaultauth", "POST", "ctl/iam/user/regen", `{"name":"Admin"}`)
	r.refused(400, "PV1012", "pvaultauth", "POST", "ctl/iam/admin/set-api-key", `{"key":"short"}`)
	if log := r.logged(t); strings.Contains(log, first) || strings.Contains(log, second) {
		t.Error("an API key stands in the audit log")
	}
}

// TestTokensOfAnIdentityProvider takes tokens through a provider's namespace
// claims down to single rows.
func TestTokensOfAnIdentityProvider(t *testing.T) {
	r := newReal(t)
	key := idptest.NewKey(t, "k1", jwt.Algorithm("RS256"))
	text := iam.DefaultText + `
[idps.app]
type = "direct-jwt"
allowed_roles = ["VaultAdminRole"]
[idps.app.conf]
iss = "https://idp.test/"
aud = "vault"
keys = '''` + string(key.JWK(t)) + `'''
`
	r.must("pvaultauth", "POST", "ctl/iam/conf", text, "Content-Type", "application/toml")
	claims := func(more map[string]any) string {
		c := map[string]any{"iss": "https://idp.test/", "aud": "vault", "sub": "u", "exp": start.Unix() + 600, "roles": []string{"VaultAdminRole"}}
		for k, v := range more {
			c[k] = v
		}
		return key.Token(t, c)
	}
	admin := claims(nil)
	r.must(admin, "POST", "ctl/collections", schema)
	prop := "https://app.piiano.io/prop/user_id"
	alice, bob := claims(map[string]any{prop: "alice"}), claims(map[string]any{prop: []string{"bob"}})
	mine := r.add(alice, `{"email":"a@b.c","user_id":"alice"}`)
	r.must(alice, "GET", buyers+"objects/"+mine+why+"&props=email", "")
	r.refused(403, "PV1006", bob, "GET", buyers+"objects/"+mine+why+"&props=email", "")
	for reason, tok := range map[string]string{
		"expired":        claims(map[string]any{"exp": start.Unix() - 600}),
		"wrong_audience": claims(map[string]any{"aud": "other"}),
		"unknown_issuer": claims(map[string]any{"iss": "https://other.test/"}),
		"role_missing":   claims(map[string]any{"roles": []string{}}),
		"role_ambiguous": claims(map[string]any{"roles": []string{"VaultAdminRole", "CICDRole"}}),
		"role_unknown":   claims(map[string]any{"roles": []string{"NoSuchRole"}}),
	} {
		if a := r.refused(401, "PV1005", tok, "GET", version, ""); a.context()["jwt_error"] != reason {
			t.Errorf("want %s: %s", reason, a.body)
		}
	}
}

func TestDoorServesRealHTTP(t *testing.T) {
	r := newReal(t)
	srv := httptest.NewServer(r.door)
	defer srv.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+pvaultapi.Prefix+version, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer pvaultauth")
	res, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if b, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || !strings.Contains(string(b), "vault_id") {
		t.Errorf("%d %s", res.StatusCode, b)
	}
}

// BenchmarkVersionDirectJWT is the whole way of a remembered JWT, audit file
// included; BenchmarkEcho is a bare handler of the same server library.
func BenchmarkVersionDirectJWT(b *testing.B) {
	r := newReal(b)
	r.must("pvaultauth", "POST", "ctl/iam/conf", iam.DefaultText+"\n"+file(b, "guide.idps.toml"), "Content-Type", "application/toml")
	token := file(b, "guide.jwt")
	b.Run("handler", func(b *testing.B) { bench(b, r.world, token, "GET", version) })
	b.Run("http", func(b *testing.B) { overHTTP(b, r.door, token) })
	b.Run("echo", func(b *testing.B) {
		body := []byte(strings.Repeat("x", 110))
		overHTTP(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) }), token)
	})
}

func overHTTP(b *testing.B, h http.Handler, cred string) {
	srv := httptest.NewServer(h)
	defer srv.Close()
	req, _ := http.NewRequest(http.MethodGet, srv.URL+pvaultapi.Prefix+version, nil)
	req.Header.Set("Authorization", "Bearer "+cred)
	for b.Loop() {
		res, err := srv.Client().Do(req)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
}
