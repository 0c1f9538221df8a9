package config

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
)

// maxFile is the largest settings file, in bytes.
const maxFile = 1 << 20

// Load reads the settings file at path. Relative paths in it are relative to
// its directory. The error is a Problems with everything that is wrong.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileProblem(path, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fileProblem(path, err)
	}
	if len(text) > maxFile {
		return nil, Problems{{File: path, Text: "is larger than 1 MiB", Remedy: "name the right file"}}
	}
	return Parse(path, text, os.Getenv)
}

func fileProblem(path string, err error) Problems {
	p := Problem{File: path, Text: "cannot be read: " + err.Error(), Remedy: "name a readable file with -config"}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		p.Text = "no such file"
	case errors.Is(err, fs.ErrPermission):
		p.Text, p.Remedy = "permission denied", "let the server's user read it"
	}
	return Problems{p}
}

// Parse is Load for a text that is at hand. file names it in problems, and its
// directory is where relative paths start. getenv looks up variables.
func Parse(file string, text []byte, getenv func(string) string) (*Config, error) {
	c, s := parse(file, text, getenv)
	if len(s.problems) > 0 {
		return nil, s.problems.sorted()
	}
	return c, nil
}

func parse(file string, text []byte, getenv func(string) string) (*Config, *source) {
	s := &source{file: file, asked: map[string]bool{}}
	m := s.parse(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))
	if len(s.problems) > 0 {
		return nil, s
	}
	r := &reader{s: s, c: defaults(), dir: filepath.Dir(file), getenv: getenv}
	r.c.File = file
	top := s.table("", m)
	r.log(top.sub("log"))
	for _, t := range top.subs("listener") {
		r.listener(t)
	}
	if len(r.c.Listeners) == 0 && !top.has("listener") {
		s.problem("", "no [[listener]]", `add one with address = "127.0.0.1:8200"`)
	}
	r.storage(top.sub("storage"))
	r.seal(top.sub("seal"))
	r.audit(top)
	r.rest(top)
	r.auditDirectory(top)
	top.finish()
	return r.c, s
}

// reader turns tables into the Config.
type reader struct {
	s      *source
	c      *Config
	dir    string
	getenv func(string) string
	// own are the files and directories that nothing but the server, or whoever
	// administers its machine, may write to; by setting.
	own []ownFile
}

type ownFile struct{ setting, path string }

// path makes a path absolute or relative to the settings file.
func (r *reader) path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(r.dir, p)
}

func (r *reader) log(t *table) {
	level := t.choice("level", "info", "debug", "info", "warn", "error")
	r.c.Log.Level = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}[level]
	r.c.Log.JSON = t.choice("format", "text", "text", "json") == "json"
	t.finish()
}

func (r *reader) listener(t *table) {
	l := Listener{
		Address: t.text("address", ""), CertFile: r.path(t.text("tls_cert_file", "")), KeyFile: r.path(t.text("tls_key_file", "")),
		TLS13: t.choice("tls_min_version", "1.2", "1.2", "1.3") == "1.3",
	}
	plain := t.bool("allow_plain_http", false)
	r.doors(t, &l)
	loopback, err := checkAddress(l.Address)
	if err != nil {
		t.problem("address", err.Error(), `write host:port, such as "127.0.0.1:8200"`)
	}
	for _, other := range r.c.Listeners {
		if other.Address == l.Address {
			t.problem("address", "is used by another listener", "give each listener an address of its own")
		}
	}
	switch {
	case (l.CertFile == "") != (l.KeyFile == ""):
		t.problem("tls_cert_file", "tls_cert_file and tls_key_file belong together", "set both or none")
	case l.CertFile != "":
		r.certificate(t, l)
	case err == nil && !loopback && !plain:
		t.problem("address", "would send tokens in clear beyond this machine", "set tls_cert_file and tls_key_file, or allow_plain_http = true behind a proxy that speaks TLS")
	case err == nil && !loopback:
		r.c.Warnings = append(r.c.Warnings, "listener "+l.Address+" speaks plain HTTP beyond this machine: put a proxy that speaks TLS before it")
	}
	t.finish()
	r.c.Listeners = append(r.c.Listeners, l)
}

func (r *reader) doors(t *table, l *Listener) {
	if !t.has("doors") {
		t.texts("doors")
		l.Vault, l.Pvault = true, true
		return
	}
	for _, d := range t.texts("doors") {
		switch d {
		case DoorVault:
			l.Vault = true
		case DoorPvault:
			l.Pvault = true
		default:
			t.problem("doors", fmt.Sprintf("unknown door %q", d), `use "vault" or "pvault"`)
		}
	}
	if !l.Vault && !l.Pvault {
		t.problem("doors", "names no door", `use "vault", "pvault" or both`)
	}
}

// checkAddress reports whether the address is on the loopback interface only.
func checkAddress(addr string) (loopback bool, err error) {
	if addr == "" {
		return false, errors.New("is missing")
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false, fmt.Errorf("%q is no address", addr)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return false, fmt.Errorf("%q has no valid port", addr)
	}
	if host == "localhost" {
		return true, nil
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback(), nil
}

func (r *reader) certificate(t *table, l Listener) {
	if _, err := tls.LoadX509KeyPair(l.CertFile, l.KeyFile); err != nil {
		t.problem("tls_cert_file", "certificate and key cannot be used: "+err.Error(), "name a PEM certificate chain and its key")
	}
	r.private(t, "tls_key_file", l.KeyFile)
}

// private refuses a secret that every user of the machine can read.
func (r *reader) private(t *table, name, path string) {
	r.own = append(r.own, ownFile{t.key(name), path})
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		t.problem(name, "can be read by every user", "chmod o= "+path)
	}
}

func (r *reader) storage(t *table) {
	s := &r.c.Storage
	s.Type = t.choice("type", StorageEmbedded, StorageEmbedded, StoragePostgres)
	s.Directory = r.path(t.text("directory", ""))
	s.DSN = r.dsn(t)
	s.MaxConnections = t.int("max_connections", s.MaxConnections, 1, 10000)
	switch {
	case s.Type == StorageEmbedded && s.Directory == "":
		t.problem("directory", "is missing", "name the directory that keeps the data")
	case s.Type == StorageEmbedded && s.DSN != "":
		t.problem("type", "is embedded, but a DSN is set", `set type = "postgres" or remove the DSN`)
	case s.Type == StoragePostgres && s.Directory != "":
		t.problem("type", "is postgres, but a directory is set", `set type = "embedded" or remove the directory`)
	}
	t.finish()
}

// dsn takes the data source name from exactly one of three places.
func (r *reader) dsn(t *table) string {
	text, env, file := t.text("dsn", ""), t.text("dsn_env", ""), r.path(t.text("dsn_file", ""))
	given := 0
	for _, v := range []string{text, env, file} {
		if v != "" {
			given++
		}
	}
	switch {
	case given > 1:
		t.problem("dsn", "is given more than once", "keep one of dsn, dsn_env, dsn_file")
		return ""
	case given == 0:
		if t.text("type", "") == StoragePostgres {
			t.problem("dsn", "is missing", "set dsn, dsn_env or dsn_file")
		}
		return ""
	case env != "":
		if text = r.getenv(env); text == "" {
			t.problem("dsn_env", fmt.Sprintf("the variable %q is not set", env), "set it to the DSN")
		}
	case file != "":
		text = r.secretFile(t, "dsn_file", file)
	case hasPassword(text):
		r.private(t, "dsn", r.s.file)
	}
	return text
}

func hasPassword(dsn string) bool {
	if u, err := url.Parse(dsn); err == nil && u.User != nil {
		_, ok := u.User.Password()
		return ok
	}
	return strings.Contains(dsn, "password")
}

// secretFile reads a short secret from a file of its own.
func (r *reader) secretFile(t *table, name, path string) string {
	f, err := os.Open(path)
	if err != nil {
		t.problem(name, "cannot be read: "+err.Error(), "name a readable file")
		return ""
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		t.problem(name, "cannot be read: "+err.Error(), "name a readable file")
		return ""
	}
	r.private(t, name, path)
	v := strings.TrimSpace(string(raw))
	if v == "" {
		t.problem(name, "is empty", "write the secret into it")
	}
	return v
}

func (r *reader) seal(t *table) {
	s := &r.c.Seal
	s.Type = t.choice("type", SealShamir, SealShamir, SealKeyFile, SealEnv)
	s.KeyFile, s.KeyEnv = r.path(t.text("key_file", "")), t.text("key_env", "")
	switch {
	case s.Type == SealKeyFile && s.KeyFile == "":
		t.problem("key_file", "is missing", "name the file with the root key")
	case s.Type == SealEnv && s.KeyEnv == "":
		t.problem("key_env", "is missing", "name the variable with the root key")
	case s.Type != SealKeyFile && s.KeyFile != "":
		t.problem("key_file", "is not used by this seal", `set type = "key_file" or remove it`)
	case s.Type != SealEnv && s.KeyEnv != "":
		t.problem("key_env", "is not used by this seal", `set type = "env" or remove it`)
	case s.Type == SealEnv && r.getenv(s.KeyEnv) == "":
		t.problem("key_env", fmt.Sprintf("the variable %q is not set", s.KeyEnv), "set it to the root key in base64")
	case s.Type == SealKeyFile:
		r.private(t, "key_file", s.KeyFile)
	}
	t.finish()
}

func (r *reader) audit(top *table) {
	a := &r.c.Audit
	a.None = top.bool("allow_no_audit", false)
	a.APIDirectory = r.path(top.text("audit_api_directory", ""))
	seen := map[string]bool{}
	for _, t := range top.subs("audit") {
		d := AuditDevice{Path: t.text("path", ""), Type: t.text("type", ""), Description: t.text("description", ""), Options: t.options("options")}
		if d.Path == "" {
			d.Path = d.Type
		}
		r.checkDevice(t, &d, seen)
		t.finish()
		a.Devices = append(a.Devices, d)
	}
	switch {
	case len(a.Devices) == 0 && !a.None:
		r.s.problem("audit", "no audit device is set up", `add [[audit]] with type = "file" and options.file_path, or allow_no_audit = true`)
	case len(a.Devices) > 0 && a.None:
		top.problem("allow_no_audit", "is true, but a device is set up", "remove it")
	case a.None:
		r.c.Warnings = append(r.c.Warnings, "no audit device: requests are not recorded")
	}
}

// checkDevice asks the audit package whether it can work with the options.
func (r *reader) checkDevice(t *table, d *AuditDevice, seen map[string]bool) {
	if p, ok := d.Options["file_path"]; ok && d.Type == "file" && p != "stdout" && p != "discard" {
		d.Options["file_path"] = r.path(p)
	}
	d.Path = audit.Normalize(d.Path)
	if seen[d.Path] {
		t.problem("path", "is used by another device", "give each device a path of its own")
	}
	seen[d.Path] = true
	err := audit.Check(audit.Device{Path: d.Path, Type: d.Type, Options: d.Options, Salt: make([]byte, 32)})
	if err != nil {
		t.problem("type", fault.PublicText(err), "correct the device's settings")
	}
}

func (r *reader) rest(top *table) {
	t := top.sub("iam")
	r.c.IAM.File = r.path(t.text("file", ""))
	if f := r.c.IAM.File; f != "" {
		if _, err := os.Stat(f); err != nil {
			t.problem("file", "cannot be read: "+err.Error(), "name the IAM file")
		}
	}
	t.finish()

	t = top.sub("keys")
	r.c.Keys.AllowLoopbackHTTP = t.bool("allow_loopback_http", false)
	t.finish()

	t = top.sub("limits")
	l := &r.c.Limits
	l.HeaderTimeout = t.duration("header_timeout", l.HeaderTimeout, time.Second, time.Minute)
	l.RequestTimeout = t.duration("request_timeout", l.RequestTimeout, time.Second, time.Hour)
	l.IdleTimeout = t.duration("idle_timeout", l.IdleTimeout, time.Second, time.Hour)
	l.ShutdownTimeout = t.duration("shutdown_timeout", l.ShutdownTimeout, 0, 10*time.Minute)
	l.MaxHeaderBytes = t.int("max_header_bytes", l.MaxHeaderBytes, 4<<10, 1<<20)
	t.finish()

	t = top.sub("vault")
	r.c.Vault.ClusterName = t.text("cluster_name", r.c.Vault.ClusterName)
	if r.c.Vault.OpenGenerateRoot = t.bool("open_generate_root", false); r.c.Vault.OpenGenerateRoot {
		r.c.Warnings = append(r.c.Warnings, "vault.open_generate_root: anybody can start and cancel the making of a root token; take the setting out when it is made")
	}
	t.finish()
	r.pvault(top.sub("pvault"))
}

func (r *reader) pvault(t *table) {
	p := &r.c.Pvault
	env, file := t.text("admin_key_env", ""), r.path(t.text("admin_key_file", ""))
	switch {
	case env != "" && file != "":
		t.problem("admin_key_env", "is given more than once", "keep one of admin_key_env, admin_key_file")
	case env != "":
		if p.AdminKey = r.getenv(env); p.AdminKey == "" {
			t.problem("admin_key_env", fmt.Sprintf("the variable %q is not set", env), "set it to the key")
		}
	case file != "":
		p.AdminKey = r.secretFile(t, "admin_key_file", file)
	}
	p.ForceReason = t.bool("force_access_reason", p.ForceReason)
	p.AdminMayReadData = t.bool("admin_may_read_data", p.AdminMayReadData)
	p.AllowOrigins = t.texts("allow_origins")
	for _, o := range p.AllowOrigins {
		if u, err := url.Parse(o); o != "*" && (err != nil || u.Host == "" || u.Scheme+"://"+u.Host != o) {
			t.problem("allow_origins", fmt.Sprintf("%q is no origin", o), `write scheme://host or scheme://host:port, or "*" for all`)
		}
	}
	p.MaxPageSize = t.int("max_page_size", p.MaxPageSize, 1, 10000)
	p.DefaultPageSize = t.int("default_page_size", min(p.DefaultPageSize, p.MaxPageSize), 1, 10000)
	if p.DefaultPageSize > p.MaxPageSize {
		t.problem("default_page_size", "is greater than max_page_size", "make it smaller")
	}
	t.finish()
}
