package jwks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	connectTimeout = 2 * time.Second
	totalTimeout   = 5 * time.Second
)

// fetcher gets documents over HTTP within bounds.
type fetcher struct {
	secure *http.Client // https
	plain  *http.Client // http, this machine only
}

func newFetcher(o Options, tlsConfig *tls.Config) *fetcher {
	return &fetcher{secure: newHTTPClient(o, "https", tlsConfig), plain: newHTTPClient(o, "http", tlsConfig)}
}

func newHTTPClient(o Options, scheme string, tlsConfig *tls.Config) *http.Client {
	g := o.guard(scheme)
	dialer := &net.Dialer{Timeout: connectTimeout, Control: g.control}
	return &http.Client{
		// A redirect is not followed: the operator named one place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  o.Proxy,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        tlsConfig.Clone(),
			TLSHandshakeTimeout:    connectTimeout,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true, // one fetch in minutes: nothing to keep
		},
	}
}

// document is one answer.
type document struct {
	body        []byte
	etag        string
	maxAge      time.Duration // negative: the endpoint says nothing
	notModified bool
}

// get fetches one document. Its errors never hold any of the answer but the
// status, nor the URL, which may carry a key in its query.
func (f *fetcher) get(ctx context.Context, rawURL, etag string) (document, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return document{}, errors.New("the URL cannot be requested")
	}
	req.Header.Set("Accept", "application/json, application/jwk-set+json")
	req.Header.Set("User-Agent", "jotgate")
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	client := f.secure
	if req.URL.Scheme == "http" {
		client = f.plain
	}
	resp, err := client.Do(req)
	if err != nil {
		return document{}, explain(err)
	}
	defer resp.Body.Close()
	d := document{maxAge: maxAge(resp.Header), etag: resp.Header.Get("ETag")}
	if len(d.etag) > 1<<10 {
		d.etag = ""
	}
	switch {
	case resp.StatusCode == http.StatusNotModified && etag != "":
		d.notModified = true
		return d, nil
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return document{}, fmt.Errorf("the endpoint answered with a redirect (status %d), which is not followed: configure the final URL", resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return document{}, fmt.Errorf("the endpoint answered with status %d", resp.StatusCode)
	}
	// The transport has unpacked the body by now, so that the bound holds for
	// what comes out of a compressed answer.
	d.body, err = io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil {
		return document{}, fmt.Errorf("reading the answer: %w", explain(err))
	}
	if len(d.body) > maxDocument {
		return document{}, errors.New("the answer is larger than 1 MiB")
	}
	return d, nil
}

// explain says in our own words why no answer came. The client's own errors
// quote what the other side sent, which may be anything on that network, and
// the URL.
func explain(err error) error {
	var (
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		timeout net.Error
	)
	for _, refused := range []error{errAddressForbidden, errAddressLoopback, errAddressPlain} {
		if errors.Is(err, refused) {
			return refused
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("no answer within the time limit")
	case errors.As(err, &dns):
		return errors.New("the host name cannot be resolved")
	case errors.As(err, &cert):
		return fmt.Errorf("the endpoint's certificate is not trusted: %w", cert.Err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("the connection was refused")
	}
	return errors.New("the connection failed, or the answer is not proper HTTP")
}

// maxAge returns the max-age of Cache-Control, zero for no-store and no-cache,
// and a negative value when the endpoint says nothing.
func maxAge(h http.Header) time.Duration {
	age := time.Duration(-1)
	for _, directive := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err == nil && (age < 0 || time.Duration(n)*time.Second < age) {
				age = time.Duration(n) * time.Second
			}
		}
	}
	return age
}
