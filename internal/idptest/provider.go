package idptest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/jwt"
)

// Failure is a way in which the provider's endpoints misbehave.
type Failure int

// The failures. The zero value is none.
const (
	Healthy     Failure = iota
	Hang                // takes the request and does not answer
	Status500           // answers 500 with a body that no caller may see
	Huge                // answers more than any key set needs
	GzipBomb            // the same, compressed to little
	Redirect            // sends the client to another path, which works
	NotJSON             // answers a web page
	WrongIssuer         // the discovery document is for another issuer
	Empty               // the key set has no keys
	Banner              // answers what is not HTTP
	NoDiscovery         // answers 503 for the discovery document only
)

// Secret stands in the bodies of failing answers: it must never be seen.
const Secret = "internal-body-that-nobody-may-see"

// Provider is a running identity provider. Its methods may be called while
// requests are under way.
type Provider struct {
	t      testing.TB
	server *httptest.Server
	now    func() time.Time

	mu           sync.Mutex
	keys         []*Key // published
	made         int
	failure      Failure
	cacheControl string
	counts       map[string]int
	conditional  int
	arrived      chan struct{}
	release      chan struct{}
}

// New starts a provider over TLS with one RS256 key. It ends with the test.
func New(t testing.TB) *Provider { return start(t, (*httptest.Server).StartTLS) }

// NewPlain starts a provider over plain http.
func NewPlain(t testing.TB) *Provider { return start(t, (*httptest.Server).Start) }

func start(t testing.TB, start func(*httptest.Server)) *Provider {
	p := &Provider{t: t, now: time.Now, counts: map[string]int{}, arrived: make(chan struct{}, 1024), release: make(chan struct{})}
	p.server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	start(p.server)
	t.Cleanup(func() {
		p.Recover()
		p.server.Close()
	})
	p.AddKey(jwt.RS256)
	return p
}

// SetClock sets the clock by which tokens are made.
func (p *Provider) SetClock(now func() time.Time) { p.now = now }

// Issuer returns the issuer's URL, without a slash at the end.
func (p *Provider) Issuer() string { return p.server.URL }

// JWKSURL returns the URL of the key set.
func (p *Provider) JWKSURL() string { return p.server.URL + "/keys" }

// CAPEM returns the certificate that the provider's TLS chains to; "" for a
// plain one.
func (p *Provider) CAPEM() string {
	cert := p.server.Certificate()
	if cert == nil {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

// AddKey publishes one more key and returns it. The newest key signs.
func (p *Provider) AddKey(alg jwt.Algorithm) *Key {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.made++
	k := NewKey(p.t, fmt.Sprintf("key-%d", p.made), alg)
	p.keys = append(p.keys, k)
	return k
}

// Rotate replaces every published key by a new one of the algorithm and
// returns it.
func (p *Provider) Rotate(alg jwt.Algorithm) *Key {
	p.t.Helper()
	p.mu.Lock()
	p.keys = nil
	p.mu.Unlock()
	return p.AddKey(alg)
}

// Remove takes a key out of the set.
func (p *Provider) Remove(k *Key) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = slices.DeleteFunc(p.keys, func(x *Key) bool { return x == k })
}

// Key returns the newest published key.
func (p *Provider) Key() *Key {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[len(p.keys)-1]
}

// Claims returns the claims of an ordinary token for the audience, changed by
// with; a nil value there removes a claim.
func (p *Provider) Claims(audience string, with map[string]any) map[string]any {
	now := p.now().Unix()
	c := map[string]any{
		"iss": p.Issuer(), "sub": "user-1", "aud": audience, "iat": now, "nbf": now, "exp": now + 3600, "roles": []string{"reader"},
	}
	maps.Copy(c, with)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// Token signs Claims with the newest key.
func (p *Provider) Token(audience string, with map[string]any) string {
	p.t.Helper()
	return p.Key().Token(p.t, p.Claims(audience, with))
}

// JWKS returns the published key set.
func (p *Provider) JWKS() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.jwks()
}

func (p *Provider) jwks() []byte {
	var docs [][]byte
	for _, k := range p.keys {
		if k.secret == nil {
			docs = append(docs, k.JWK(p.t))
		}
	}
	return []byte(`{"keys":[` + string(bytes.Join(docs, []byte(","))) + `]}`)
}

// Fail makes the endpoints misbehave from the next request on.
func (p *Provider) Fail(f Failure) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = f
}

// Recover makes the endpoints work again and lets hanging requests go.
func (p *Provider) Recover() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failure = Healthy
	close(p.release)
	p.release = make(chan struct{})
}

// SetCacheControl sets the header of the answers.
func (p *Provider) SetCacheControl(v string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cacheControl = v
}

// Fetches returns how many requests came for the key set and for the discovery
// document.
func (p *Provider) Fetches() (keys, discovery int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts["/keys"], p.counts["/.well-known/openid-configuration"]
}

// NotModified returns how many requests were answered with 304.
func (p *Provider) NotModified() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conditional
}

// Arrived receives once for each request, when it arrives.
func (p *Provider) Arrived() <-chan struct{} { return p.arrived }

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.counts[r.URL.Path]++
	failure, release := p.failure, p.release
	var body []byte
	switch r.URL.Path {
	case "/keys", "/elsewhere/keys":
		body = p.jwks()
	case "/.well-known/openid-configuration", "/elsewhere/.well-known/openid-configuration":
		body, _ = json.Marshal(map[string]string{"issuer": p.Issuer(), "jwks_uri": p.JWKSURL()})
	}
	w.Header().Set("Content-Type", "application/json")
	if p.cacheControl != "" {
		w.Header().Set("Cache-Control", p.cacheControl)
	}
	p.mu.Unlock()
	select {
	case p.arrived <- struct{}{}:
	default:
	}
	if body == nil {
		http.NotFound(w, r)
		return
	}
	if failure != Healthy && !strings.HasPrefix(r.URL.Path, "/elsewhere") {
		body = p.misbehave(w, r, failure, release)
		if body == nil {
			return
		}
	}
	sum := sha256.Sum256(body)
	etag := `"` + hex.EncodeToString(sum[:8]) + `"`
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		p.mu.Lock()
		p.conditional++
		p.mu.Unlock()
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(body)
}

// misbehave answers for a failure, or returns the body to answer with.
func (p *Provider) misbehave(w http.ResponseWriter, r *http.Request, f Failure, release chan struct{}) []byte {
	isKeys := r.URL.Path == "/keys"
	switch f {
	case Hang:
		select {
		case <-release:
		case <-r.Context().Done():
		}
	case Status500:
		http.Error(w, Secret, http.StatusInternalServerError)
	case Huge:
		pour(func(b []byte) error { _, err := w.Write(b); return err })
	case GzipBomb:
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		pour(func(b []byte) error { _, err := z.Write(b); return err })
		_ = z.Close()
	case Redirect:
		http.Redirect(w, r, "/elsewhere"+r.URL.Path, http.StatusFound)
	case NotJSON:
		_, _ = w.Write([]byte("<html>" + Secret + "</html>"))
	case Banner:
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_, _ = conn.Write([]byte(Secret + "\r\n\r\n"))
			_ = conn.Close()
		}
	case NoDiscovery:
		if isKeys {
			return p.JWKS()
		}
		http.Error(w, Secret, http.StatusServiceUnavailable)
	case WrongIssuer:
		if isKeys {
			return p.JWKS()
		}
		doc, _ := json.Marshal(map[string]string{"issuer": p.Issuer() + "/", "jwks_uri": p.JWKSURL()})
		return doc
	case Empty:
		if isKeys {
			return []byte(`{"keys":[]}`)
		}
		doc, _ := json.Marshal(map[string]string{"issuer": p.Issuer(), "jwks_uri": p.JWKSURL()})
		return doc
	}
	return nil
}

// pour writes up to 64 MiB of what looks like the start of a key set.
func pour(write func([]byte) error) {
	chunk := []byte(`{"keys":["` + strings.Repeat("A", 1<<16))
	for range 1 << 10 {
		if write(chunk) != nil {
			return
		}
		chunk = bytes.Repeat([]byte("A"), 1<<16)
	}
}
