package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jotgate/jotgate/internal/config"
)

// spare is how much longer a connection lives than the longest request, so that
// the endpoint's own deadline answers first.
const spare = 10 * time.Second

// listener is one address with the doors that it serves.
type listener struct {
	net.Listener
	srv *http.Server
	url string
}

// listen opens an address. The error of a port in use says what to do.
func listen(c config.Listener, lim config.Limits, h http.Handler, cert *certificate, log *slog.Logger) (*listener, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", c.Address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use by another program: stop it or choose another address", c.Address)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", c.Address, err)
	}
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: lim.HeaderTimeout,
		ReadTimeout:       lim.RequestTimeout + spare,
		WriteTimeout:      lim.RequestTimeout + spare,
		IdleTimeout:       lim.IdleTimeout,
		MaxHeaderBytes:    lim.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	scheme := "http"
	if cert != nil {
		scheme = "https"
		srv.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.get, NextProtos: []string{"h2", "http/1.1"}}
		if c.TLS13 {
			srv.TLSConfig.MinVersion = tls.VersionTLS13
		}
		l = tls.NewListener(l, srv.TLSConfig)
	}
	return &listener{Listener: l, srv: srv, url: scheme + "://" + l.Addr().String()}, nil
}

// serve answers until the context ends, then lets running requests finish.
func (l *listener) serve(ctx context.Context, drain time.Duration) error {
	failed := make(chan error, 1)
	go func() { failed <- l.srv.Serve(l.Listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := l.srv.Shutdown(ctx); err != nil {
		return errors.Join(err, l.srv.Close())
	}
	return nil
}

// close ends the listener at once. One that was closed before is no error.
func (l *listener) close() error {
	if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// certificate is a TLS certificate that can be read anew while it is in use.
type certificate struct {
	certFile, keyFile string
	now               atomic.Pointer[tls.Certificate]
}

func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	return c, c.reload()
}

// reload reads the files again; on an error the old certificate stays.
func (c *certificate) reload() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("TLS certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	c.now.Store(&pair)
	return nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.now.Load(), nil }

// doors sends a request to the door whose prefix it has. net/http's own
// multiplexer is not used since it redirects paths that it thinks unclean;
// each door judges its paths itself.
type doors struct {
	vault, pvault http.Handler // nil: not served on this address
}

func (d doors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch p := r.URL.Path; {
	case strings.HasPrefix(p, vaultPrefix) && d.vault != nil:
		d.vault.ServeHTTP(w, r)
	case strings.HasPrefix(p, pvaultPrefix) && d.pvault != nil:
		d.pvault.ServeHTTP(w, r)
	case strings.HasPrefix(p, pvaultRoot) && d.pvault != nil:
		notFound(w, `{"error_code":"PV1012","message":"There is no such operation.","context":{}}`)
	case strings.HasPrefix(p, "//"): // many clients put an address and a path together
		notFound(w, `{"errors":["the path starts with two slashes: leave out the slash at the end of the server's address"]}`)
	default:
		notFound(w, `{"errors":[]}`)
	}
}

const (
	vaultPrefix  = "/v1/"
	pvaultRoot   = "/api/pvlt/"
	pvaultPrefix = "/api/pvlt/1.0/"
)

func notFound(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte(body + "\n")) // a caller that hung up gets nothing
}
