package jwks

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

// Options configures a Client. The zero value is fit for production.
type Options struct {
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// AllowLoopbackHTTP permits key endpoints on this machine, over https and
	// plain http. It is for development and for sidecars.
	AllowLoopbackHTTP bool
	// Proxy chooses a proxy for a request, as http.ProxyFromEnvironment does;
	// nil means none. Behind a proxy the address checks apply to the proxy,
	// and what it may reach is for the proxy to say.
	Proxy func(*http.Request) (*url.URL, error)
	// Logger receives failures and changes of key sets; nil means none.
	Logger *slog.Logger
	// Fetched is called after each fetch with nil or why it failed; nil means
	// nobody counts.
	Fetched func(error)
	// Memory keeps key sets over restarts; nil means that nothing does.
	Memory Memory
	// Jitter returns a number in [0,1) that spreads background fetches; nil
	// means a random one.
	Jitter func() float64
	// After is the timer of background fetches; nil means time.After.
	After func(time.Duration) <-chan time.Time
}

// Client makes sources that fetch their keys, and knows those that are open.
type Client struct {
	o    Options
	open openSources
}

// NewClient returns a client.
func NewClient(o Options) *Client {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	if o.After == nil {
		o.After = time.After
	}
	return &Client{o: o, open: openSources{all: map[*remote]struct{}{}}}
}

// URLConfig names a JWKS endpoint.
type URLConfig struct {
	URL   string // https://…
	CAPEM string // certificates that the endpoint's must chain to; empty: those of the system
	TLS   TLSConfig
}

// TLSConfig is what an operator asks of an endpoint's certificate besides its
// chain. The zero value is the usual: it names the endpoint's host.
type TLSConfig struct {
	// ServerNames, when not empty, are the names of which the certificate must
	// carry one, in place of the endpoint's host.
	ServerNames []string
	// CriticalExtensions are object ids, in dotted form, of certificate
	// extensions that are tolerated although they are marked critical and
	// nobody here understands them.
	CriticalExtensions []string
}

// URL returns a source that fetches the key set at a URL. Nothing is fetched
// before the first use. It fails with kind Invalid for a URL that is never
// fetched, and for unreadable certificates.
func (c *Client) URL(cfg URLConfig) (Source, error) {
	if err := c.checkURL(cfg.URL); err != nil {
		return nil, err
	}
	f, err := c.fetcher(cfg.CAPEM, cfg.TLS)
	if err != nil {
		return nil, err
	}
	return c.open.add(newRemote(c.o, "jwks", cfg.URL, sourceName("jwks", cfg.URL, cfg.CAPEM, cfg.TLS), &urlLocator{f: f, url: cfg.URL})), nil
}

// DiscoveryConfig names an issuer that publishes a discovery document.
type DiscoveryConfig struct {
	Issuer string // the issuer's URL, byte for byte as the document says it
	CAPEM  string // certificates for the document and the keys; empty: those of the system
	TLS    TLSConfig
}

// Discovery returns a source that finds the key set through the issuer's
// OpenID Connect discovery document. Nothing is fetched before the first use.
// It fails like URL.
func (c *Client) Discovery(cfg DiscoveryConfig) (Source, error) {
	if err := c.checkURL(cfg.Issuer); err != nil {
		return nil, err
	}
	if strings.Contains(cfg.Issuer, ".well-known/openid-configuration") {
		return nil, fault.New(fault.Invalid, "give the issuer's URL without /.well-known/openid-configuration")
	}
	f, err := c.fetcher(cfg.CAPEM, cfg.TLS)
	if err != nil {
		return nil, err
	}
	l := &discoveryLocator{f: f, issuer: cfg.Issuer, check: c.checkURL, now: c.o.Now}
	return c.open.add(newRemote(c.o, "discovery", cfg.Issuer, sourceName("discovery", cfg.Issuer, cfg.CAPEM, cfg.TLS), l)), nil
}

// checkURL refuses what would never be fetched, so that the operator learns of
// it when the URL is written and not at the first login.
func (c *Client) checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return fault.New(fault.Invalid, "the key source must be an absolute URL such as https://idp.example.com")
	case u.User != nil:
		return fault.New(fault.Invalid, "the key source's URL must not contain a user name or password")
	case u.Fragment != "":
		return fault.New(fault.Invalid, "the key source's URL must not have a fragment")
	case u.Scheme != "https" && u.Scheme != "http":
		return fault.New(fault.Invalid, "the key source's URL must begin with https://")
	case u.Scheme == "http" && !c.o.AllowLoopbackHTTP:
		return fault.New(fault.Invalid, "the key source's URL must begin with https://: over plain http anyone on the way could replace the keys")
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if err == nil {
		if err := c.o.guard(u.Scheme).check(addr); err != nil {
			return fault.Wrap(fault.Invalid, err, err.Error())
		}
	}
	if u.Scheme == "http" && err != nil && u.Hostname() != "localhost" {
		return fault.New(fault.Invalid, "plain http is for key sources on this machine only: use https")
	}
	return nil
}

// ErrCertificates says that given CA certificates are none. Kind Invalid.
var ErrCertificates = fault.New(fault.Invalid, "the CA certificates for the key source cannot be read: give PEM blocks of type CERTIFICATE").
	WithReason("ca_unreadable")

func (c *Client) fetcher(caPEM string, asked TLSConfig) (*fetcher, error) {
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if caPEM != "" {
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM([]byte(caPEM)) {
			return nil, ErrCertificates
		}
	}
	asked.apply(tlsConfig)
	return newFetcher(c.o, tlsConfig), nil
}

// Shown is the URL of a key source as logs, status and messages show it:
// without a query, in which some endpoints want a key, and without a user and
// password. What is no URL is not shown, as it may be anything: "".
func Shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}
