package jwttool

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/jotgate/jotgate/internal/cli"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

type run struct {
	out, errs string
	status    int
}

// jot runs one command in memory.
func jot(t *testing.T, stdin string, args ...string) run {
	t.Helper()
	var out, errs bytes.Buffer
	env := &cli.Env{Name: "jotgate", Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Lookup: func(string) (string, bool) { return "", false }}
	root := newTree(&tool{env: env, now: func() time.Time { return noon }})
	status := cli.Run(env, root, cli.NormalizeFlags(root, args))
	return run{out.String(), errs.String(), status}
}

func must(t *testing.T, args ...string) string {
	t.Helper()
	r := jot(t, "", args...)
	if r.status != 0 {
		t.Fatalf("%v: status %d: %s", args, r.status, r.errs)
	}
	return r.out
}

func TestEveryAlgorithmSignsWhatItselfAndAnotherLibraryVerify(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		keygen []string
		algs   []string
	}{
		{[]string{"-type=rsa"}, []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}},
		{[]string{"-type=ec", "-curve=P-256"}, []string{"ES256"}},
		{[]string{"-type=ec", "-curve=p-384"}, []string{"ES384"}},
		{[]string{"-type=ec", "-curve=P-521"}, []string{"ES512"}},
		{[]string{"-type=ed25519"}, []string{"EdDSA"}},
	} {
		name := filepath.Join(dir, c.algs[0])
		must(t, append([]string{"keygen", "-out=" + name}, c.keygen...)...)
		for _, alg := range c.algs {
			t.Run(alg, func(t *testing.T) {
				token := strings.TrimSpace(must(t, "sign", "-key="+name+"_private_key.pem", "-alg="+alg, "-kid=k1", "-iss=me", "-ttl=1h"))
				must(t, "verify", "-key="+name+"_public_key.pem", "-iss=me", token)
				oracle(t, token, alg, name+"_public_key.pem")
			})
		}
	}
}

func oracle(t *testing.T, token, alg, keyFile string) {
	t.Helper()
	raw, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sig.Verify(pub); err != nil {
		t.Errorf("go-jose refuses our %s signature: %v", alg, err)
	}
}

func TestKeysFromOtherToolsSign(t *testing.T) {
	dir := t.TempDir()
	must(t, "keygen", "-out="+filepath.Join(dir, "r"))
	must(t, "keygen", "-type=ec", "-out="+filepath.Join(dir, "e"))
	for file, typ := range map[string]string{"r": "RSA PRIVATE KEY", "e": "EC PRIVATE KEY"} {
		raw, err := os.ReadFile(filepath.Join(dir, file+"_private_key.pem"))
		if err != nil {
			t.Fatal(err)
		}
		block, _ := pem.Decode(raw)
		signer, err := parsePrivate(block, file)
		if err != nil {
			t.Fatal(err)
		}
		old := filepath.Join(dir, file+".old.pem")
		if err := os.WriteFile(old, pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: oldForm(t, signer)}), 0o600); err != nil {
			t.Fatal(err)
		}
		token := strings.TrimSpace(must(t, "sign", "-key="+old, "-iss=x", "-ttl=1m"))
		must(t, "verify", "-key="+filepath.Join(dir, file+"_public_key.jwk.json"), token)
	}
}

func TestClaimsKeepTheirOrderAndNumbers(t *testing.T) {
	dir := t.TempDir()
	must(t, "keygen", "-type=ed25519", "-out="+filepath.Join(dir, "k"))
	key := "-key=" + filepath.Join(dir, "k_private_key.pem")
	token := must(t, "sign", key, "-sub=new", "-aud=a", "-aud=b", "-claim=n=12345678901234567890", "-claim=s=text", "-claim-string=z=1", "-exp=2026-11-21T13:00:00Z", "-nbf=now",
		`{"z":0,"sub":"old", "b":1.0}`)
	payload, err := decodeSegment(strings.Split(token, ".")[1])
	want := `{"z":"1","sub":"new","b":1.0,"aud":["a","b"],"nbf":1795262400,"exp":1795266000,"n":12345678901234567890,"s":"text"}`
	if err != nil || string(payload) != want {
		t.Errorf("got  %s\nwant %s", payload, want)
	}
}

func TestAReadableKeyFileIsPointedOut(t *testing.T) {
	dir := t.TempDir()
	must(t, "keygen", "-type=ed25519", "-out="+filepath.Join(dir, "k"))
	file := filepath.Join(dir, "k_private_key.pem")
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatal("a private key must be its owner's only:", st.Mode(), err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := jot(t, "", "sign", "-key="+file, "-iss=x", "-ttl=1h"); r.status != 0 || !strings.Contains(r.errs, "chmod 600") {
		t.Errorf("status %d, %q", r.status, r.errs)
	}
}

func TestDecodeNeverJudges(t *testing.T) {
	for _, token := range []string{
		"eyJhbGciOiJub25lIn0.e30.",                   // alg none, no signature
		"eyJhbGciOiJSUzI1NiJ9.eyJleHAiOiJ4In0.AAAA",  // exp is text
		"eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjF9.AAAA",     // expired
		"Bearer eyJhbGciOiJSUzI1NiJ9.eyJhIjoxfQ.AAA", // copied from a header
	} {
		r := jot(t, token+"\n", "decode", "-")
		if r.status != 0 {
			t.Errorf("%s: status %d: %s", token, r.status, r.errs)
		}
		if strings.Contains(strings.ToLower(r.out), "valid") {
			t.Errorf("%s: the output judges:\n%s", token, r.out)
		}
		if !strings.Contains(r.out, "NOT verified") {
			t.Errorf("%s: the output does not say that nothing was checked:\n%s", token, r.out)
		}
	}
}

func TestDecodeShowsNoControlCharacters(t *testing.T) {
	r := jot(t, "", "decode", "eyJhbGciOiJSUzI1NiJ9.eyJhIjoiXHUwMDFiWzMxbSJ9.AA")
	if strings.ContainsRune(r.out, 0x1b) {
		t.Errorf("an escape sequence reached the terminal: %q", r.out)
	}
}

func TestTimesForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "now", time.Second: "in 1 second", -90 * time.Second: "1 minute 30 seconds ago", 36 * time.Hour: "in 1 day 12 hours",
		400 * 24 * time.Hour: "in 1 year 35 days", 24*time.Hour + time.Second: "in 1 day", time.Millisecond: "in less than a second",
	} {
		if got := distance(d); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
}

func TestVerifyAgainstASetTakesTheKeyThatTheTokenNames(t *testing.T) {
	dir := t.TempDir()
	var set []string
	for _, kid := range []string{"one", "two"} {
		must(t, "keygen", "-type=ec", "-kid="+kid, "-out="+filepath.Join(dir, kid))
		set = append(set, must(t, "jwk", "-kid="+kid, filepath.Join(dir, kid+"_public_key.pem")))
	}
	file := filepath.Join(dir, "set.json")
	if err := os.WriteFile(file, []byte(`{"keys":[{"kty":"EC","kid":"broken"},`+strings.Join(set, ",")+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	token := strings.TrimSpace(must(t, "sign", "-key="+filepath.Join(dir, "two_private_key.pem"), "-kid=two", "-ttl=1h"))
	r := jot(t, "", "verify", "-key="+file, token)
	if r.status != 0 || !strings.Contains(r.out, "key two") || !strings.Contains(r.errs, "was skipped") {
		t.Errorf("status %d\n%s%s", r.status, r.out, r.errs)
	}
	named := strings.TrimSpace(must(t, "sign", "-key="+filepath.Join(dir, "two_private_key.pem"), "-kid=one", "-ttl=1h"))
	if r := jot(t, "", "verify", "-key="+file, named); r.status != cli.StatusLocal {
		t.Error("a token that names another key was taken")
	}
}

func TestSymmetricKeysVerifyOnlyWhenAskedFor(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "oct.json")
	if err := os.WriteFile(file, []byte(`{"kty":"oct","alg":"HS256","kid":"s","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	token := hmacToken(t, `{"alg":"HS256"}`, `{"exp":4102444800}`, "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
	if r := jot(t, "", "verify", "-key="+file, token); r.status == 0 {
		t.Error("an HMAC was taken without being asked for")
	}
	if r := jot(t, "", "verify", "-key="+file, "-alg=HS256", token); r.status != 0 {
		t.Errorf("%s%s", r.out, r.errs)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, token string) {
		r := jot(t, token, "decode", "-")
		if r.status == 0 && !strings.Contains(r.out, "NOT verified") {
			t.Errorf("%q: %s", token, r.out)
		}
	})
}
