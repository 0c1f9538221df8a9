package jwks_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/idptest"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
)

// authority issues certificates for a test.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, key: key}
	a.cert = a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}, nil, &key.PublicKey)
	return a
}

func (a *authority) sign(c, parent *x509.Certificate, pub *ecdsa.PublicKey) *x509.Certificate {
	a.t.Helper()
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, pub, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return out
}

func (a *authority) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}))
}

// server serves a key set under a certificate that change has changed.
func (a *authority) server(change func(*x509.Certificate)) *httptest.Server {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "leaf"}, DNSNames: []string{"keys.internal"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(c)
	}
	leaf := a.sign(c, a.cert, &key.PublicKey)
	jwk := idptest.NewKey(a.t, "k", jwt.ES256).JWK(a.t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(jwk) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // failed handshakes are what is tested
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}}
	s.StartTLS()
	a.t.Cleanup(s.Close)
	return s
}

func TestTheCertificateOfAnEndpointMayCarryAnotherName(t *testing.T) {
	ca, stranger := newAuthority(t), newAuthority(t)
	critical := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}
	plain := ca.server(nil)
	odd := ca.server(func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{critical} })
	both := ca.server(func(c *x509.Certificate) {
		c.IPAddresses, c.ExtraExtensions = []net.IP{net.IPv4(127, 0, 0, 1)}, []pkix.Extension{critical}
	})
	old := ca.server(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	client := ca.server(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	names := func(n ...string) jwks.TLSConfig { return jwks.TLSConfig{ServerNames: n} }
	tolerant := func(ids ...string) jwks.TLSConfig {
		return jwks.TLSConfig{ServerNames: []string{"keys.internal"}, CriticalExtensions: ids}
	}
	for name, c := range map[string]struct {
		server *httptest.Server
		ca     string
		tls    jwks.TLSConfig
		ok     bool
	}{
		"the name is not the endpoint's":       {plain, ca.pem(), jwks.TLSConfig{}, false},
		"the other name":                       {plain, ca.pem(), names("keys.internal"), true},
		"one of two":                           {plain, ca.pem(), names("a.internal", "keys.internal"), true},
		"none of two":                          {plain, ca.pem(), names("a.internal", "internal"), false},
		"the endpoint's name is not meant":     {both, ca.pem(), jwks.TLSConfig{ServerNames: []string{"x"}, CriticalExtensions: []string{critical.Id.String()}}, false},
		"another authority":                    {plain, stranger.pem(), names("keys.internal"), false},
		"the system's authorities":             {plain, "", names("keys.internal"), false},
		"over":                                 {old, ca.pem(), names("keys.internal"), false},
		"not for servers":                      {client, ca.pem(), names("keys.internal"), false},
		"a critical extension":                 {odd, ca.pem(), tolerant(), false},
		"another one is tolerated":             {odd, ca.pem(), tolerant("1.2.3"), false},
		"it is tolerated":                      {odd, ca.pem(), tolerant("1.2.3", critical.Id.String()), true},
		"tolerated, with no name to check":     {both, ca.pem(), jwks.TLSConfig{CriticalExtensions: []string{critical.Id.String()}}, false},
		"tolerated, and the address is a name": {both, ca.pem(), jwks.TLSConfig{ServerNames: []string{"127.0.0.1"}, CriticalExtensions: []string{critical.Id.String()}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			src, err := jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true}).URL(jwks.URLConfig{URL: c.server.URL, CAPEM: c.ca, TLS: c.tls})
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			err = src.Probe(t.Context())
			if (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), "the endpoint's certificate is not trusted: ") {
				t.Errorf("the operator does not learn why: %v", err)
			}
		})
	}
}

// TestTheEndpointsOwnNameStillCountsWhereOnlyExtensionsAreTolerated: the check
// that replaces the library's must not forget the name.
func TestTheEndpointsOwnNameStillCountsWhereOnlyExtensionsAreTolerated(t *testing.T) {
	ca := newAuthority(t)
	tolerate := jwks.TLSConfig{CriticalExtensions: []string{"1.2.3"}}
	for name, ok := range map[string]bool{"localhost": true, "keys.internal": false} {
		s := ca.server(func(c *x509.Certificate) { c.DNSNames = []string{name} })
		src, err := jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true}).URL(jwks.URLConfig{
			URL: strings.Replace(s.URL, "127.0.0.1", "localhost", 1), CAPEM: ca.pem(), TLS: tolerate,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		if err := src.Probe(t.Context()); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWhatOneSourceToleratesAnotherDoesNot: crypto/tls shares parsed
// certificates between connections.
func TestWhatOneSourceToleratesAnotherDoesNot(t *testing.T) {
	ca := newAuthority(t)
	critical := pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 2}, Critical: true, Value: []byte{5, 0}}
	s := ca.server(func(c *x509.Certificate) { c.ExtraExtensions = []pkix.Extension{critical} })
	probe := func(ids ...string) error {
		src, err := jwks.NewClient(jwks.Options{AllowLoopbackHTTP: true}).URL(jwks.URLConfig{
			URL: s.URL, CAPEM: ca.pem(), TLS: jwks.TLSConfig{ServerNames: []string{"keys.internal"}, CriticalExtensions: ids},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		return src.Probe(t.Context())
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := probe(critical.Id.String()); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if err := probe(); err == nil {
				t.Error("what another source tolerates was tolerated here")
			}
		})
	}
	wg.Wait()
}
