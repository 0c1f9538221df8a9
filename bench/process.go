package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of CPU times in /proc/PID/stat on Linux.
const tick = 10 * time.Millisecond

// anyPort lets the system choose. A port that is looked for first may be taken
// by the time the child asks for it.
const anyPort = "127.0.0.1:0"

// child is a server process that this program started.
type child struct {
	cmd    *exec.Cmd
	binary string
	dir    string
	addr   string
	ready  time.Duration

	postgres string // DSN; "" = the embedded store of development mode
	root     string // token of the Vault door
	admin    string // API key of the pvault door
}

// startServer starts the binary on an empty store and waits until it serves: in
// development mode, or on the PostgreSQL database with the DSN.
func startServer(ctx context.Context, binary, dsn string) (*child, error) {
	dir, err := os.MkdirTemp("", "jotgate-bench-")
	if err != nil {
		return nil, err
	}
	c := &child{dir: dir, addr: anyPort, binary: binary, postgres: dsn, root: "root", admin: "pvaultauth"}
	if err := c.serve(ctx); err != nil || dsn == "" {
		return c, err
	}
	if err := c.initialise(ctx); err != nil {
		c.stop()
		return nil, fmt.Errorf("initialise the server on PostgreSQL: %w", err)
	}
	return c, nil
}

// serve starts the server process on the child's directory.
func (c *child) serve(ctx context.Context) error {
	audit := filepath.Join(c.dir, "audit.log")
	args := []string{"server", "-dev", "-dev-root-token-id=root", "-dev-listen-address=" + c.addr, "-dev-dir=" + filepath.Join(c.dir, "data"), "-audit-file=" + audit}
	if c.postgres != "" {
		args = []string{"server", "-config=" + filepath.Join(c.dir, "jotgate.toml")}
		if err := c.configure(audit); err != nil {
			return err
		}
	}
	c.cmd = exec.CommandContext(ctx, c.binary, args...)
	log, err := os.Create(filepath.Join(c.dir, "server.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	c.cmd.Stderr = log
	return c.start(ctx, "/v1/sys/health?uninitcode=200")
}

// configure writes the settings of a server on PostgreSQL.
func (c *child) configure(audit string) error {
	key := filepath.Join(c.dir, "seal.key")
	if _, err := os.Stat(key); err != nil {
		raw := make([]byte, 32)
		_, _ = rand.Read(raw) // never fails
		if err := os.WriteFile(key, raw, 0o600); err != nil {
			return err
		}
	}
	c.admin = "Bench-4dmin-Key-of-one-run"
	admin := filepath.Join(c.dir, "admin.key")
	if err := os.WriteFile(admin, []byte(c.admin), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.dir, "jotgate.toml"), fmt.Appendf(nil, `
[[listener]]
address = %q
[storage]
type = "postgres"
dsn = %q
[seal]
type = "key_file"
key_file = %q
[[audit]]
type = "file"
options = { file_path = %q }
[pvault]
admin_key_file = %q
admin_may_read_data = true
`, c.addr, c.postgres, key, audit, admin), 0o600)
}

// initialise makes the root key and the key-value store that development mode
// brings along.
func (c *child) initialise(ctx context.Context) error {
	client := &http.Client{Timeout: 30 * time.Second}
	b, err := fetch(ctx, client, call{method: "POST", url: "http://" + c.addr + "/v1/sys/init", body: []byte("{}"), want: 200})
	if err != nil {
		return err
	}
	var made struct {
		RootToken string `json:"root_token"`
	}
	if err := json.Unmarshal(b, &made); err != nil {
		return err
	}
	c.root = made.RootToken
	_, err = fetch(ctx, client, call{
		method: "POST", url: "http://" + c.addr + "/v1/sys/mounts/secret", header: [2]string{"X-Vault-Token", c.root},
		body: []byte(`{"type":"kv","options":{"version":"2"}}`), want: 204,
	})
	return err
}

// restart ends the server and starts it again on the same directory.
func (c *child) restart(ctx context.Context) error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("the server ended with: %w", err)
	}
	return c.serve(ctx)
}

// start runs the process, learns from its first line where it listens and waits
// until the path there answers 200.
func (c *child) start(ctx context.Context, path string) error {
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w (build it with: make build)", c.cmd.Path, err)
	}
	greeting := bufio.NewReader(out)
	line, _ := greeting.ReadString('\n')
	_, addr, ok := strings.Cut(strings.TrimSpace(line), "http://")
	if !ok {
		c.stop()
		return fmt.Errorf("%s did not say where it listens: %q", c.cmd.Path, line)
	}
	go func() { _, _ = io.Copy(io.Discard, greeting) }()
	c.addr = addr
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.stop()
		return fmt.Errorf("the server does not answer: %w", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		c.stop()
		return fmt.Errorf("the server answers %s", resp.Status)
	}
	c.ready = time.Since(began)
	return nil
}

func (c *child) stop() {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	_ = c.cmd.Wait()
	if c.dir != "" {
		_ = os.RemoveAll(c.dir)
	}
}

// cpu returns the user and system time that the process has used.
func (c *child) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("CPU time needs Linux: %w", err)
	}
	_, rest, _ := strings.Cut(string(b), ") ") // the name may hold spaces
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, errors.New("/proc/PID/stat has too few fields")
	}
	user, err1 := strconv.Atoi(f[11])
	sys, err2 := strconv.Atoi(f[12])
	return time.Duration(user+sys) * tick, errors.Join(err1, err2)
}

// rss returns the resident memory in MiB, or 0 where it cannot be read. It
// counts the pages of the store's file that are mapped in, which the system
// takes back when it needs them; anon leaves them out.
func (c *child) rss() float64 { return c.memory("VmRSS:") }

// anon returns the resident memory that is the process's own, in MiB.
func (c *child) anon() float64 { return c.memory("RssAnon:") }

func (c *child) memory(field string) float64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, field); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(v)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// size returns the bytes that the store occupies, in MiB.
func (c *child) size() float64 {
	var n int64
	_ = filepath.WalkDir(filepath.Join(c.dir, "data"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if i, err := d.Info(); err == nil {
			n += i.Size()
		}
		return nil
	})
	return float64(n) / (1 << 20)
}
