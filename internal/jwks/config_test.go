package jwks_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
)

func pemOf(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func TestURLsThatAreNeverFetchedAreRefusedWhenWritten(t *testing.T) {
	strict, loose := jwks.NewClient(jwks.Options{}), jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true})
	for _, c := range []struct {
		url           string
		strict, loose bool
	}{
		{"https://idp.example.com/keys", true, true},
		{"https://idp.example.com:8443/keys?x=1", true, true},
		{"https://10.0.0.1/keys", true, true},
		{"https://[2001:db8::1]/keys", true, true},
		{"https://127.0.0.1/keys", false, true},
		{"https://[::1]/keys", false, true},
		{"http://127.0.0.1:80/keys", false, true},
		{"http://localhost/keys", false, true},
		{"http://[::1]/keys", false, true},
		{"http://idp.example.com/keys", false, false},
		{"http://10.0.0.1/keys", false, false},
		{"https://169.254.169.254/latest", false, false},
		{"https://[fe80::1]/", false, false},
		{"https://[fd00:ec2::254]/", false, false},
		{"https://[::ffff:169.254.169.254]/", false, false},
		{"https://[64:ff9b::a9fe:a9fe]/", false, false},
		{"https://[2002:a9fe:a9fe::]/", false, false},
		{"https://100.100.100.200/", false, false},
		{"https://[fd20:ce::254]/", false, false},
		{"https://168.63.129.16/", false, false},
		{"https://192.0.0.192/", false, false},
		{"https://0.0.0.0/", false, false},
		{"https://0.1.2.3/", false, false},
		{"https://[::]/", false, false},
		{"https://224.0.0.1/", false, false},
		{"https://user:secret-word@idp.example.com/keys", false, false},
		{"https://idp.example.com/keys#x", false, false},
		{"file:///etc/passwd", false, false},
		{"gopher://idp.example.com", false, false},
		{"https:keys", false, false},
		{"//idp.example.com", false, false},
		{"https://", false, false},
		{"", false, false},
		{"https://idp.example.com/%zz", false, false},
	} {
		for client, want := range map[*jwks.Client]bool{strict: c.strict, loose: c.loose} {
			_, err := client.URL(jwks.URLConfig{URL: c.url})
			_, err2 := client.Discovery(jwks.DiscoveryConfig{Issuer: c.url})
			if (err == nil) != want || (err2 == nil) != want {
				t.Errorf("%q (this machine allowed: %v): %v, %v", c.url, client == loose, err, err2)
			}
			if err != nil && (!fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "secret-word")) {
				t.Errorf("%q: %v", c.url, err)
			}
		}
	}
}

func TestOtherConfigurationThatIsRefused(t *testing.T) {
	client := jwks.NewClient(jwks.Options{})
	if _, err := client.URL(jwks.URLConfig{URL: "https://idp.example.com", CAPEM: "x"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("unreadable certificates: %v", err)
	}
	if _, err := client.Discovery(jwks.DiscoveryConfig{Issuer: "https://idp.example.com", CAPEM: "x"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("unreadable certificates: %v", err)
	}
	if _, err := client.Discovery(jwks.DiscoveryConfig{Issuer: "https://idp.example.com/.well-known/openid-configuration"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("the document's own URL: %v", err)
	}
}

// TestNamesAreJudgedByTheAddressTheyLeadTo: the check is made when dialling.
func TestNamesAreJudgedByTheAddressTheyLeadTo(t *testing.T) {
	idp := idptest.New(t)
	url := strings.Replace(idp.JWKSURL(), "127.0.0.1", "localhost", 1)
	src, err := jwks.NewClient(jwks.Options{}).URL(jwks.URLConfig{URL: url, CAPEM: idp.CAPEM()})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := src.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "on this machine is refused") {
		t.Errorf("got %v", err)
	}
	if n, _ := idp.Fetches(); n != 0 {
		t.Error("the endpoint was reached")
	}
}

func TestTLSMustChainToTheGivenCertificates(t *testing.T) {
	idp := idptest.New(t)
	client := jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true})
	src, err := client.URL(jwks.URLConfig{URL: idp.JWKSURL()})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := src.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate is not trusted") {
		t.Errorf("got %v", err)
	}
}

func TestPlainHTTPOnThisMachineWorksWhenAllowed(t *testing.T) {
	idp := idptest.NewPlain(t)
	client := jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true})
	for _, open := range []func() (jwks.Source, error){
		func() (jwks.Source, error) { return client.URL(jwks.URLConfig{URL: idp.JWKSURL()}) },
		func() (jwks.Source, error) { return client.Discovery(jwks.DiscoveryConfig{Issuer: idp.Issuer()}) },
	} {
		src, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if err := src.Probe(t.Context()); err != nil {
			t.Error(err)
		}
		src.Close()
	}
}

func TestRefusedConnectionsAreNamed(t *testing.T) {
	client := jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true})
	src, err := client.URL(jwks.URLConfig{URL: "http://127.0.0.1:1/keys?api_key=secret-word"}) // a port that nobody is given by chance
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	err = src.Probe(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the connection was refused") || strings.Contains(fmt.Sprint(err, src.Status()), "secret-word") {
		t.Errorf("got %v, %+v", err, src.Status())
	}
}

// TestDiscoveryDocuments: what the document says is not believed blindly.
func TestDiscoveryDocuments(t *testing.T) {
	var doc string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_, _ = w.Write([]byte(`{"keys":[]}`))
			return
		}
		_, _ = w.Write([]byte(strings.ReplaceAll(doc, "SELF", "https://"+r.Host)))
	}))
	defer server.Close()
	ca := string(pemOf(server))
	for _, c := range []struct{ doc, want string }{
		{`{"issuer":"SELF","jwks_uri":"SELF/keys"}`, ""},
		{`{"issuer":"SELF/","jwks_uri":"SELF/keys"}`, "for another issuer"},
		{`{"issuer":["SELF"],"jwks_uri":"SELF/keys"}`, "for another issuer"},
		{`{"jwks_uri":"SELF/keys"}`, "for another issuer"},
		{`{"issuer":"SELF","issuer":"SELF","jwks_uri":"SELF/keys"}`, "not one unambiguous"},
		{`{"issuer":"SELF"}`, "names no jwks_uri"},
		{`{"issuer":"SELF","jwks_uri":5}`, "names no jwks_uri"},
		{`{"issuer":"SELF","jwks_uri":"http://127.0.0.1:1/keys"}`, "is not https"},
		{`{"issuer":"SELF","jwks_uri":"http://idp.example.com/keys"}`, "is refused"},
		{`{"issuer":"SELF","jwks_uri":"https://169.254.169.254/keys"}`, "is refused"},
		{`{"issuer":"SELF","jwks_uri":"file:///etc/passwd"}`, "is refused"},
		{`[]`, "not one unambiguous"},
	} {
		doc = c.doc
		src, err := jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true}).Discovery(jwks.DiscoveryConfig{Issuer: server.URL, CAPEM: ca})
		if err != nil {
			t.Fatal(err)
		}
		err = src.Probe(t.Context())
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.doc, err)
		}
		src.Close()
	}
}

// TestADrippingEndpointIsLeftAfterFiveSeconds: a byte now and then keeps no
// fetch alive.
func TestADrippingEndpointIsLeftAfterFiveSeconds(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_, _ = w.Write([]byte(" "))
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}))
	defer server.Close()
	src, err := jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true}).URL(jwks.URLConfig{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	begin := time.Now()
	err = src.Probe(t.Context())
	if d := time.Since(begin); d > time.Minute || err == nil || !strings.Contains(err.Error(), "no answer within the time limit") {
		t.Errorf("%v after %v", err, d)
	}
}

// Who was not asked "if it changed" must not answer that it did not: there
// would be no set, or another document's.
func TestNotModifiedIsNoAnswerToAPlainQuestion(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }))
	defer server.Close()
	src, err := jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true}).URL(jwks.URLConfig{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := src.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "status 304") {
		t.Errorf("%v", err)
	}
}

func TestATruncatedAnswerIsNoSet(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Header().Set("ETag", strings.Repeat("e", 2<<10))
		_, _ = w.Write([]byte(`{"keys":[]}`))
	}))
	defer server.Close()
	src, err := jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true}).URL(jwks.URLConfig{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if err := src.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "reading the answer") {
		t.Errorf("got %v", err)
	}
}

func TestASetSkipsWhatItCannotUseAndKeepsTheRest(t *testing.T) {
	good := idptest.NewKey(t, "good", jwt.ES256)
	doc := fmt.Sprintf(`{"keys":[{"kty":"AKP","kid":"pq"},%s,7,{"kty":"RSA","kid":7},{"kid":"bad\u0001","kty":"x"},null],"more":1}`, good.JWK(t))
	keys, skipped, err := jwks.ParseSet([]byte(doc))
	if err != nil || len(keys) != 1 || keys[0].ID() != "good" || len(skipped) != 5 {
		t.Fatalf("%v %v %v", keys, skipped, err)
	}
	if skipped[0].Index != 0 || skipped[0].KeyID != "pq" || skipped[0].Reason == "" || skipped[1].Index != 2 || skipped[3].KeyID != "" {
		t.Errorf("%+v", skipped)
	}
	bare, _, err := jwks.ParseSet(good.JWK(t))
	if err != nil || len(bare) != 1 {
		t.Errorf("a bare key: %v, %v", bare, err)
	}
	long := fmt.Sprintf(`{"kty":"x","kid":%q}`, strings.Repeat("k", 200))
	if _, skipped, _ := jwks.ParseSet([]byte(long)); len(skipped) != 1 || skipped[0].KeyID != "" {
		t.Errorf("%+v", skipped)
	}
}

func TestWhatIsNoSetIsRefused(t *testing.T) {
	many := `{"keys":[` + strings.TrimSuffix(strings.Repeat("1,", 257), ",") + `]}`
	for name, doc := range map[string]string{
		"nothing": "", "web page": "<html>", "list": "[]", "no keys": "{}", "keys of null": `{"keys":null}`, "keys of an object": `{"keys":{}}`,
		"truncated": `{"keys":[`, "keys twice": `{"keys":[],"keys":[]}`, "deep": strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20),
		"too many": many, "too large": `{"keys":[],"x":"` + strings.Repeat("x", 1<<20) + `"}`, "keys in capitals": `{"KEYS":[]}`,
	} {
		_, _, err := jwks.ParseSet([]byte(doc))
		if !errors.Is(err, jwks.ErrSet) || !fault.Is(err, fault.Invalid) || fault.ReasonOf(err) != "invalid_key_set" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInlineSetsAreHeldToMore(t *testing.T) {
	secret, public := idptest.NewKey(t, "s", jwt.HS256), idptest.NewKey(t, "p", jwt.ES256)
	twin := idptest.NewKey(t, "p", jwt.ES256)
	set := func(keys ...*idptest.Key) []byte {
		var docs []string
		for _, k := range keys {
			docs = append(docs, string(k.JWK(t)))
		}
		return []byte(`{"keys":[` + strings.Join(docs, ",") + `]}`)
	}
	for name, c := range map[string]struct {
		doc             []byte
		usable, skipped int
	}{
		"one secret": {set(secret), 1, 0}, "one public": {set(public), 1, 0},
		"a secret beside a public key": {set(secret, public), 1, 1}, "two of one kid": {set(public, twin), 0, 2},
	} {
		keys, skipped, err := jwks.ParseInlineSet(c.doc)
		if err != nil || len(keys) != c.usable || len(skipped) != c.skipped || len(keys) == 1 && len(skipped) == 1 && keys[0].Symmetric() {
			t.Errorf("%s: %v %v %v", name, keys, skipped, err)
		}
	}
	if keys, skipped, _ := jwks.ParseSet(set(secret)); len(keys) != 0 || len(skipped) != 1 {
		t.Error("a published secret is taken")
	}
	if _, _, err := jwks.ParseInlineSet([]byte("x")); !errors.Is(err, jwks.ErrSet) {
		t.Error("what is no set is taken")
	}
}

func TestStaticKeysFitByKid(t *testing.T) {
	a, b, none := idptest.NewKey(t, "a", jwt.ES256).Public(t), idptest.NewKey(t, "b", jwt.ES256).Public(t), idptest.NewKey(t, "", jwt.ES256).Public(t)
	src := jwks.Static(a, b, nil, none)
	defer src.Close()
	for _, c := range []struct {
		kid  string
		has  bool
		want int
	}{{"a", true, 2}, {"b", true, 2}, {"c", true, 1}, {"", false, 3}, {"A", true, 1}} {
		if keys, err := src.Keys(t.Context(), c.kid, c.has); err != nil || len(keys) != c.want {
			t.Errorf("%q: %d keys, %v", c.kid, len(keys), err)
		}
	}
	if st := src.Status(); st.Keys != 3 || st.Kind != "static" || src.Generation() == 0 || src.Probe(t.Context()) != nil {
		t.Errorf("%+v", st)
	}
	if _, err := jwks.Static(a).Keys(t.Context(), "b", true); !errors.Is(err, jwt.ErrUnknownKey) {
		t.Error("a kid that is not there")
	}
	if _, err := jwks.Static().Keys(t.Context(), "", false); !errors.Is(err, jwt.ErrUnknownKey) {
		t.Error("no keys at all")
	}
}

func FuzzParseSet(f *testing.F) {
	for _, s := range []string{`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},1,null]}`, `{"kty":"oct","k":"AA","alg":"HS256"}`, `{"keys":{}}`, `{"keys":[[]]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		keys, skipped, err := jwks.ParseInlineSet(doc)
		if err != nil && len(keys)+len(skipped) > 0 {
			t.Fatal("an error and keys")
		}
		public, _, err2 := jwks.ParseSet(doc)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("two judgements: %v, %v", err, err2)
		}
		for _, k := range public {
			if k.Symmetric() {
				t.Fatal("a symmetric key in a published set")
			}
		}
	})
}
