package cli

import (
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var hints = NetHints{AddrSetting: "-address", CASetting: "-ca-cert", Start: "start one"}

func get(t *testing.T, c HTTPConfig, addr string) error {
	t.Helper()
	client, err := NewHTTPClient(c)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(addr)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Get(addr)
	if err != nil {
		return NetError(err, u, hints)
	}
	return resp.Body.Close()
}

func TestNetworkFailuresSayWhatToDo(t *testing.T) {
	tlsServer := httptest.NewTLSServer(http.NotFoundHandler())
	defer tlsServer.Close()
	tlsServer.Config.ErrorLog = nil
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	hung, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hung.Close() }()
	for _, c := range []struct {
		name, addr, hint string
		config           HTTPConfig
	}{
		{"refused", "http://127.0.0.1:1", "nothing listens there; start one", HTTPConfig{}},
		{"unknown authority", tlsServer.URL, "name it with -ca-cert", HTTPConfig{}},
		{"plain behind https", strings.Replace(plain.URL, "http:", "https:", 1), "speaks plain HTTP", HTTPConfig{}},
		{"no proxy", "http://vault.example", "the proxy cannot be reached", HTTPConfig{Proxy: "http://127.0.0.1:1"}},
		{"hung", "http://" + hung.Addr().String(), "did not answer in time", HTTPConfig{Timeout: 50 * time.Millisecond}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := get(t, c.config, c.addr+"/v1/secret?token=s3cret")
			if err == nil {
				t.Fatal("succeeded")
			}
			if !strings.Contains(HintOf(err), c.hint) {
				t.Errorf("hint %q for %v", HintOf(err), err)
			}
			if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "/v1/") {
				t.Errorf("path or query shown: %v", err)
			}
		})
	}
}

// The system's resolver is not asked: what a network says of a name that does
// not exist is its own affair.
func TestAnUnknownNameIsSaidToBe(t *testing.T) {
	unknown := &url.Error{Op: "Get", URL: "http://vault.example/v1/secret?token=s3cret", Err: &net.OpError{Op: "dial", Net: "tcp",
		Err: &net.DNSError{Err: "no such host", Name: "vault.example", IsNotFound: true}}}
	err := NetError(unknown, &url.URL{Scheme: "http", Host: "vault.example"}, hints)
	if !strings.Contains(HintOf(err), `the name "vault.example" is not known`) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("hint %q for %v", HintOf(err), err)
	}
}

func TestCertificateAuthoritiesAndVerification(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]HTTPConfig{"file": {CACert: ca}, "directory": {CAPath: dir}, "text": {CAPEM: string(text)}, "not verified": {SkipVerify: true}} {
		if err := get(t, c, server.URL); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := get(t, HTTPConfig{CACert: ca, ServerName: "other.example"}, server.URL); err == nil {
		t.Error("a certificate for another name was accepted")
	}
	for name, c := range map[string]HTTPConfig{
		"missing file": {CACert: filepath.Join(dir, "none")}, "no certificate": {CAPEM: "x"}, "missing directory": {CAPath: filepath.Join(dir, "none")},
		"certificate without key": {ClientCert: ca}, "key without certificate": {ClientKey: ca}, "unreadable pair": {ClientCert: ca, ClientKey: ca},
	} {
		if _, err := NewHTTPClient(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	followed := false
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer target.Close()
	source := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusTemporaryRedirect))
	defer source.Close()
	if err := get(t, HTTPConfig{}, source.URL); err != nil {
		t.Fatal(err)
	}
	if followed {
		t.Error("the redirect was followed")
	}
}
