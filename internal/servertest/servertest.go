// Package servertest is a whole jotgate server inside a test: the real store,
// seal, gate, doors and listeners, on a loopback port, in development mode.
//
// It refuses to let a test go on without a server: what does not start ends
// the test.
package servertest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/config"
	"github.com/jotgate/jotgate/internal/server"
	"github.com/jotgate/jotgate/internal/storage/postgres/pgtest"
)

// RootToken is the root token of every server that this package starts, and
// AdminKey the pvault door's.
const (
	RootToken = "root"
	AdminKey  = config.DevAdminKey
)

// Options of Start. The zero value is an embedded store on an empty directory.
type Options struct {
	Dir      string           // "" = a fresh directory of the test
	Postgres string           // DSN; "" = the embedded store
	IAM      string           // text of the IAM file; "" = the built-in one
	Now      func() time.Time // nil = time.Now
	// Shamir starts outside development mode, sealed by shares: the test
	// initialises and unseals. There is no root token and no admin key.
	Shamir bool
	// OpenGenerateRoot is config.Vault's.
	OpenGenerateRoot bool
}

// Server is a running server.
type Server struct {
	URL   string
	Dir   string
	t     testing.TB
	inner *server.Server
	stop  func()
}

// Start starts a server and ends it with the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	dev := config.DevOptions{RootToken: RootToken, ListenAddress: "127.0.0.1:0", Directory: filepath.Join(o.Dir, "data"), AuditFile: filepath.Join(o.Dir, "audit.log")}
	if o.IAM != "" {
		dev.IAMFile = filepath.Join(o.Dir, "iam.toml")
		if err := os.WriteFile(dev.IAMFile, []byte(o.IAM), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Dev(dev)
	if err != nil {
		t.Fatal(err)
	}
	if o.Postgres != "" {
		cfg.Storage = config.Storage{Type: config.StoragePostgres, DSN: o.Postgres, MaxConnections: 8}
	}
	if o.Shamir {
		cfg.Dev, cfg.DevRootToken, cfg.Pvault.AdminKey = false, "", ""
		cfg.Seal = config.Seal{Type: config.SealShamir}
	}
	cfg.Vault.OpenGenerateRoot = o.OpenGenerateRoot
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.New(ctx, cfg, server.Options{
		Now: o.Now, Log: slog.New(slog.NewTextHandler(testLog{t}, nil)),
		DatabaseTimeout: time.Minute, // the machine may be busy
	})
	if err != nil {
		cancel()
		t.Fatalf("start the server: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	out := &Server{URL: s.URLs()[0], Dir: o.Dir, t: t, inner: s, stop: func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	}}
	t.Cleanup(out.stop)
	return out
}

// Postgres returns the DSN of a fresh database on a real PostgreSQL server.
func Postgres(t testing.TB) string {
	t.Helper()
	return pgtest.DSN(t)
}

// Each runs fn on a server of each storage driver.
func Each(t *testing.T, o Options, fn func(t *testing.T, s *Server)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { fn(t, Start(t, o)) })
	t.Run("postgres", func(t *testing.T) {
		o := o
		o.Postgres = Postgres(t)
		fn(t, Start(t, o))
	})
}

// Stop ends the server before the test does.
func (s *Server) Stop() { s.stop() }

// Reload does what SIGHUP does.
func (s *Server) Reload() error { return s.inner.Reload(context.Background()) }

// Audit returns the audit log so far.
func (s *Server) Audit() string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir, "audit.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// Do sends a request and returns status and body. header is name, value, …
func (s *Server) Do(method, path, body string, header ...string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// Vault sends a request of the Vault door, with a client token unless it is "".
func (s *Server) Vault(method, path, token, body string) (int, string) {
	s.t.Helper()
	var h []string
	if token != "" {
		h = []string{"X-Vault-Token", token}
	}
	return s.Do(method, "/v1/"+path, body, h...)
}

// Pvault sends a request of the pvault door, with a bearer unless it is "".
func (s *Server) Pvault(method, path, bearer, body string, header ...string) (int, string) {
	s.t.Helper()
	if bearer != "" {
		header = append(header, "Authorization", "Bearer "+bearer)
	}
	return s.Do(method, "/api/pvlt/1.0/"+path, body, header...)
}

// testLog shows the server's log as the test's.
type testLog struct{ t testing.TB }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("server: %s", bytes.TrimRight(p, "\n"))
	return len(p), nil
}

// WriteIAM replaces the IAM file of a server that was started with one. The
// server reads it at Reload.
func WriteIAM(t testing.TB, s *Server, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, "iam.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
