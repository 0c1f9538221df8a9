// Package pgtest runs a real PostgreSQL server for tests: one for each test
// process, started when first asked for and gone with the process, with a
// schema of its own for each test.
//
// The server's programs are found under /usr/lib/postgresql or in PATH. A
// server that runs already can be used instead: set JOTGATE_TEST_POSTGRES to a
// connection string whose user may create schemas.
//
// The package refuses to skip: without a server the test fails and says how to
// get one.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// EnvDSN names the variable with the connection string of a running server.
const EnvDSN = "JOTGATE_TEST_POSTGRES"

const (
	dirPrefix  = "jotgate-pgtest-"
	adminUser  = "postgres"
	startLimit = 60 * time.Second
)

var errNoServer = errors.New("pgtest: no PostgreSQL found: run `make setup`, or set " + EnvDSN + " to the connection string of one")

var (
	wanted atomic.Bool // somebody asked for the shared server
	shared = sync.OnceValues(startShared)
)

func sharedIfStarted() (*Server, error) {
	if !wanted.Load() {
		return nil, nil
	}
	return shared()
}

func startShared() (*Server, error) {
	wanted.Store(true)
	if dsn := os.Getenv(EnvDSN); dsn != "" {
		return &Server{admin: dsn}, nil
	}
	s, err := newServer()
	if err == nil {
		err = s.Start()
	}
	return s, err
}

// forgetSettings takes the settings of other databases out of the environment:
// clients, and the server's own programs, would add them to what is said here.
var forgetSettings = sync.OnceFunc(func() {
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "PG") {
			_ = os.Unsetenv(name)
		}
	}
})

// DSN returns a connection string for a new, empty schema on the shared server.
// It is dropped when the test ends.
func DSN(tb testing.TB) string {
	tb.Helper()
	s, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	return s.DSN(tb)
}

// Server is one PostgreSQL server.
type Server struct {
	admin string // connection string; empty while it is one of ours
	bin   string
	dir   string // holds data and the socket
	port  string
	owner *owner

	mu  sync.Mutex
	cmd *exec.Cmd
}

// owner is the account that the server runs as: PostgreSQL refuses root.
type owner struct{ uid, gid uint32 }

// New starts a server for this test alone, for tests that stop it or kill it.
func New(tb testing.TB) *Server {
	tb.Helper()
	s, err := newServer()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		s.Kill()
		_ = os.RemoveAll(s.dir)
	})
	if err := s.Start(); err != nil {
		tb.Fatal(err)
	}
	return s
}

// DSN returns a connection string for a new, empty schema on this server,
// which is where everything the connection creates goes. A schema is as good as
// a database for what tests do, and made in a fiftieth of the time.
func (s *Server) DSN(tb testing.TB) string {
	tb.Helper()
	name := "t" + strings.ToLower(rand.Text())
	if err := s.exec("CREATE SCHEMA " + name); err != nil {
		tb.Fatalf("pgtest: creating a schema: %v", err)
	}
	tb.Cleanup(func() { _ = s.exec("DROP SCHEMA IF EXISTS " + name + " CASCADE") })
	if s.admin == "" {
		return s.ours() + " search_path=" + name
	}
	return s.given(name)
}

// ours is the connection string of a server that we started.
func (s *Server) ours() string {
	return fmt.Sprintf("host=%s port=%s user=%s dbname=postgres sslmode=disable", s.dir, s.port, adminUser)
}

// given adds the schema to the connection string that we were given.
func (s *Server) given(schema string) string {
	u, err := url.Parse(s.admin)
	if err != nil || u.Scheme == "" {
		return s.admin + " search_path=" + schema
	}
	q := u.Query()
	q.Set("search_path", schema)
	u.RawQuery = q.Encode()
	return u.String()
}

func (s *Server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	conn, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

func (s *Server) connect(ctx context.Context) (*pgx.Conn, error) {
	if s.admin != "" {
		return pgx.Connect(ctx, s.admin)
	}
	return pgx.Connect(ctx, s.ours())
}

// newServer prepares a data directory; Start starts the server on it.
func newServer() (*Server, error) {
	bin, err := findBin()
	if err != nil {
		return nil, err
	}
	owner, err := findOwner()
	if err != nil {
		return nil, err
	}
	forgetSettings()
	base := tempDir(owner)
	removeStale(base)
	// The name holds our process id so that others can tell what was left behind.
	dir, err := os.MkdirTemp(base, dirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	s := &Server{bin: bin, dir: dir, port: "5432", owner: owner}
	if err := s.initialise(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

// initialise makes an empty database in s.dir.
func (s *Server) initialise() error {
	if s.owner != nil {
		if err := os.Chown(s.dir, int(s.owner.uid), int(s.owner.gid)); err != nil {
			return fmt.Errorf("pgtest: %w", err)
		}
	}
	init := s.command("initdb", "-D", s.data(), "-U", adminUser, "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale")
	if out, err := init.CombinedOutput(); err != nil {
		return fmt.Errorf("pgtest: initdb: %w: %s", err, out)
	}
	return nil
}

// tempDir returns the folder for servers: os.TempDir, or /tmp where a socket's
// path, which may have 107 bytes, would become too long, or where the server's
// account may not look.
func tempDir(o *owner) string {
	const most, fallback = 56, "/tmp"
	dir := os.TempDir()
	if len(dir) > most {
		return fallback
	}
	for p := dir; o != nil && p != filepath.Dir(p); p = filepath.Dir(p) {
		if fi, err := os.Stat(p); err != nil || fi.Mode().Perm()&0o001 == 0 {
			return fallback
		}
	}
	return dir
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...) //nolint:gosec // found by findBin
	cmd.Dir = s.dir
	confine(cmd, s.owner)
	return cmd
}

// Start starts the server and waits until it answers.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cmd := s.command("postgres", "-D", s.data(), "-k", s.dir, "-p", s.port,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off",
		"-c", "max_connections=200", "-c", "shared_buffers=32MB", "-c", "unix_socket_permissions=0777")
	if err := start(cmd); err != nil {
		return fmt.Errorf("pgtest: starting postgres: %w", err)
	}
	s.cmd = cmd
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for {
		conn, err := s.connect(ctx)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("pgtest: postgres does not answer: %w", err)
		}
	}
}

// Kill ends the server at once. What it had told is kept survives: only the
// machine's own end could lose that, as the server does not sync here.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	quit(s.cmd)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// findBin returns the folder of the newest server's programs.
func findBin() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", fmt.Errorf("pgtest: %w", err)
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			found = append(found, path)
		}
	}
	for _, path := range found {
		dir := filepath.Dir(path)
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil {
			return dir, nil
		}
	}
	return "", errNoServer
}

// version reads 15 out of /usr/lib/postgresql/15/bin/postgres.
func version(path string) int {
	v, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return v
}

// findOwner returns the account to run the server as, nil for our own.
func findOwner() (*owner, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &owner{uint32(uid), uint32(gid)}, nil
		}
	}
	return nil, errors.New("pgtest: PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

// removeStale removes what test processes that were killed have left.
func removeStale(base string) {
	found, err := filepath.Glob(filepath.Join(base, dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range found {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		if n, err := strconv.Atoi(pid); err == nil && !alive(n) {
			_ = os.RemoveAll(dir)
		}
	}
}

// Main runs a package's tests and then removes the shared server. Call it from
// TestMain; without it the server ends with the process, and its files are
// removed by the next test process that starts one.
func Main(m *testing.M) {
	code := m.Run()
	if s, err := sharedIfStarted(); err == nil && s != nil && s.admin == "" {
		s.Kill()
		_ = os.RemoveAll(s.dir)
	}
	os.Exit(code)
}
