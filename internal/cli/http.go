package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// DefaultTimeout bounds one request.
const DefaultTimeout = 60 * time.Second

// MaxAnswer bounds what is read of an answer.
const MaxAnswer = 64 << 20

// HTTPConfig says how to reach a server. The zero value uses the system's
// certificate authorities and the default timeout.
type HTTPConfig struct {
	Timeout    time.Duration
	CACert     string // PEM file
	CAPath     string // directory of PEM files
	CAPEM      string // PEM text
	ClientCert string // PEM file, with ClientKey
	ClientKey  string
	ServerName string // name to expect in the server's certificate
	SkipVerify bool   // accept any certificate: for tests only
	// Proxy is the URL of the proxy for every request; "" means as HTTP_PROXY,
	// HTTPS_PROXY and NO_PROXY say.
	Proxy string
}

// NewHTTPClient returns a client that follows no redirect by itself: a
// redirect would carry the caller's token to wherever the answer points.
func NewHTTPClient(c HTTPConfig) (*http.Client, error) {
	tlsConfig, err := c.tls()
	if err != nil {
		return nil, err
	}
	proxy := http.ProxyFromEnvironment
	if c.Proxy != "" {
		u, err := url.Parse(c.Proxy)
		if err != nil || u.Host == "" {
			return nil, Usagef("the proxy's address must be a URL such as http://proxy.example.com:3128")
		}
		proxy = http.ProxyURL(u)
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			Proxy:                 proxy,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			TLSHandshakeTimeout:   10 * time.Second,
			TLSClientConfig:       tlsConfig,
			ForceAttemptHTTP2:     true,
			ResponseHeaderTimeout: timeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func (c HTTPConfig) tls() (*tls.Config, error) {
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         c.ServerName,
		InsecureSkipVerify: c.SkipVerify, //nolint:gosec // only when the caller asks for it by flag or variable
	}
	if err := c.addRoots(config); err != nil {
		return nil, err
	}
	if (c.ClientCert == "") != (c.ClientKey == "") {
		return nil, Usagef("a client certificate needs both -client-cert and -client-key")
	}
	if c.ClientCert != "" {
		pair, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
		if err != nil {
			return nil, Usagef("cannot load the client certificate %s with key %s: %v", c.ClientCert, c.ClientKey, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (c HTTPConfig) addRoots(config *tls.Config) error {
	if c.CACert == "" && c.CAPath == "" && c.CAPEM == "" {
		return nil
	}
	pool := x509.NewCertPool()
	if c.CAPEM != "" && !pool.AppendCertsFromPEM([]byte(c.CAPEM)) {
		return Usagef("the CA certificate in the environment is not PEM text of a certificate")
	}
	if c.CACert != "" {
		if err := addCAFile(pool, c.CACert); err != nil {
			return err
		}
	}
	if c.CAPath != "" {
		entries, err := os.ReadDir(c.CAPath)
		if err != nil {
			return FileError("read", c.CAPath, err)
		}
		for _, entry := range entries {
			if entry.IsDir() {
				continue
			}
			if err := addCAFile(pool, filepath.Join(c.CAPath, entry.Name())); err != nil {
				return err
			}
		}
	}
	config.RootCAs = pool
	return nil
}

func addCAFile(pool *x509.CertPool, path string) error {
	pem, err := os.ReadFile(path) //nolint:gosec // the caller names the file
	if err != nil {
		return FileError("read", path, err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return Usagef("%s holds no PEM certificate", path)
	}
	return nil
}

// ReadAnswer reads an answer's body up to MaxAnswer.
func ReadAnswer(body io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(body, MaxAnswer+1))
	if err != nil {
		return nil, Fail(err, "the answer broke off")
	}
	if len(b) > MaxAnswer {
		return nil, Failf("the answer is larger than %d MiB", MaxAnswer>>20)
	}
	return b, nil
}

// ParseAddr checks a server's address: http or https, a host, no user
// information, query or fragment. A path stays as a prefix.
func ParseAddr(addr, source string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(addr))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, WithHint(Usagef("%s: not a server address: %q", source, redactURL(addr)),
			"write it as http://127.0.0.1:8200 or https://vault.example.com:8200")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, Usagef("%s: the address must not hold a user, a query or a fragment", source)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

// redactURL drops what stands before "@" in an address: it may be a password.
func redactURL(s string) string {
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		return "…" + s[i:]
	}
	return s
}

// NetError turns a transport error into a local failure with a hint. The
// address is shown, the path and the query are not.
func NetError(err error, addr *url.URL, what NetHints) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	base := addr.Scheme + "://" + addr.Host
	failure := Fail(err, "cannot reach %s", base)
	if hint := netHint(err, addr, what); hint != "" {
		return WithHint(failure, hint)
	}
	return failure
}

// NetHints holds the words of one client for its hints.
type NetHints struct {
	AddrSetting string // where the address is set, such as "-address or VAULT_ADDR"
	CASetting   string // where a certificate authority is set
	Start       string // how to start a server on this machine
}

func netHint(err error, addr *url.URL, what NetHints) string {
	var unknown x509.UnknownAuthorityError
	var wrongHost x509.HostnameError
	var dns *net.DNSError
	var notTLS tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect":
		return "the proxy cannot be reached; check the variable that names it, such as HTTPS_PROXY"
	case errors.Is(err, syscall.ECONNREFUSED):
		if ip := net.ParseIP(addr.Hostname()); addr.Hostname() != "localhost" && !ip.IsLoopback() {
			return "nothing listens there; check " + what.AddrSetting
		}
		return fmt.Sprintf("nothing listens there; %s, or set %s", what.Start, what.AddrSetting)
	case errors.As(err, &unknown):
		return "the server's certificate is signed by an unknown authority; name it with " + what.CASetting
	case errors.As(err, &wrongHost):
		return "the server's certificate is for another name; use that name in " + what.AddrSetting
	case errors.As(err, &notTLS) || errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Sprintf("that port speaks plain HTTP: use http://%s in %s", addr.Host, what.AddrSetting)
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %q is not known; check %s", dns.Name, what.AddrSetting)
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "the server did not answer in time; check " + what.AddrSetting + " and the server's log"
	}
	return ""
}
