package server_test

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/config"
	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/server"
	"github.com/jotgate/jotgate/internal/servertest"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
)

// devConfig is development mode on dir and a free port.
func devConfig(t *testing.T, dir string) *config.Config {
	t.Helper()
	c, err := config.Dev(config.DevOptions{RootToken: "root", ListenAddress: "127.0.0.1:0", Directory: dir})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// refused starts a server that must not start, and returns why.
func refused(t *testing.T, c *config.Config) error {
	t.Helper()
	s, err := server.New(t.Context(), c, server.Options{})
	if err == nil {
		_ = s.Close()
		t.Fatal("the server started")
	}
	return err
}

// oneLine fails unless the message is one line that holds every part.
func oneLine(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%q does not say %q", err, p)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q is more than one line", err)
	}
}

func TestASecondServerOnTheSameStoreIsTurnedAway(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	err := refused(t, devConfig(t, filepath.Join(s.Dir, "data")))
	if !errors.Is(err, storage.ErrInUse) {
		t.Errorf("%v", err)
	}
	oneLine(t, err, "locked", "stop the other server")
	if status, _ := s.Vault("GET", "sys/health", "", ""); status != 200 {
		t.Errorf("the first server suffers: %d", status)
	}
}

func TestAnAddressInUseIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := devConfig(t, t.TempDir())
	c.Listeners[0].Address = l.Addr().String()
	oneLine(t, refused(t, c), l.Addr().String(), "in use", "choose another address")
}

func TestADamagedStoreIsRefusedAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	servertest.Start(t, servertest.Options{Dir: dir}).Stop()
	file := filepath.Join(dir, "data", embedded.FileName)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cut := whole[:9000] // in the middle of the third page
	if err := os.WriteFile(file, cut, 0o600); err != nil {
		t.Fatal(err)
	}
	err = refused(t, devConfig(t, filepath.Join(dir, "data")))
	if !errors.Is(err, storage.ErrDamaged) {
		t.Errorf("%v", err)
	}
	oneLine(t, err, file, "from a backup")
	if now, _ := os.ReadFile(file); string(now) != string(cut) {
		t.Error("the damaged file was changed")
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	s := servertest.Start(t, servertest.Options{Dir: dir})
	if status, out := s.Vault("GET", "auth/token/lookup-self", servertest.RootToken, ""); status != 200 {
		t.Errorf("after the restore: %d %s", status, out)
	}
}

func TestAWrongKeyFileIsRefusedAndNothingIsLost(t *testing.T) {
	dir := t.TempDir()
	s := servertest.Start(t, servertest.Options{Dir: dir})
	if status, out := s.Vault("POST", "secret/data/a", servertest.RootToken, `{"data":{"k":"kept"}}`); status != 200 {
		t.Fatalf("%d %s", status, out)
	}
	s.Stop()
	keyFile := filepath.Join(dir, "data", "root.key")
	right, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	other := make([]byte, seal.KeySize)
	_, _ = rand.Read(other)
	for name, c := range map[string]struct{ text, says string }{
		"another key":   {base64.StdEncoding.EncodeToString(other), "belongs to another store"},
		"not a key":     {"hello", "root.key"},
		"empty":         {"", "root.key"},
		"one bit wrong": {flip(string(right)), "root.key"},
	} {
		if err := os.WriteFile(keyFile, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := refused(t, devConfig(t, filepath.Join(dir, "data")))
		oneLine(t, err, c.says)
		if c.text != "" && strings.Contains(err.Error(), strings.TrimSpace(c.text)) {
			t.Errorf("%s: the message shows the key", name)
		}
	}
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	oneLine(t, refused(t, devConfig(t, filepath.Join(dir, "data"))), "another store")
	if err := os.WriteFile(keyFile, right, 0o600); err != nil {
		t.Fatal(err)
	}
	s = servertest.Start(t, servertest.Options{Dir: dir})
	if status, out := s.Vault("GET", "secret/data/a", servertest.RootToken, ""); status != 200 || !strings.Contains(out, "kept") {
		t.Errorf("with the right key: %d %s", status, out)
	}
}

func flip(s string) string {
	c := byte('A')
	if s[0] == c {
		c = 'B'
	}
	return string(c) + s[1:]
}

func TestABadIAMFileStopsTheStartWithFileAndLine(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "iam.toml")
	if err := os.WriteFile(file, []byte(iam.DefaultText+"\n[users.bob]\nrole = \"Nobody\"\nrolle = \"x\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := devConfig(t, filepath.Join(dir, "data"))
	c.IAM.File = file
	err := refused(t, c)
	for _, want := range []string{file + ":", "Nobody", "rolle"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	c.IAM.File = filepath.Join(dir, "none.toml")
	oneLine(t, refused(t, c), "none.toml")
}

func TestAnAuditFileThatCannotBeWrittenStopsTheStart(t *testing.T) {
	c := devConfig(t, t.TempDir())
	c.Audit.Devices[0].Options["file_path"] = filepath.Join(t.TempDir(), "missing", "audit.log")
	oneLine(t, refused(t, c), "audit device file", "missing")
}

func TestWhatWasWrittenIsThereAfterARestart(t *testing.T) {
	for _, driver := range []string{"embedded", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			o := servertest.Options{Dir: t.TempDir()}
			if driver == "postgres" {
				o.Postgres = servertest.Postgres(t)
			}
			s := servertest.Start(t, o)
			if status, out := s.Vault("POST", "secret/data/a", servertest.RootToken, `{"data":{"k":"kept"}}`); status != 200 {
				t.Fatalf("%d %s", status, out)
			}
			s.Stop()
			s = servertest.Start(t, o)
			if status, out := s.Vault("GET", "secret/data/a", servertest.RootToken, ""); status != 200 || !strings.Contains(out, "kept") {
				t.Errorf("%d %s", status, out)
			}
		})
	}
}

func TestSealedMeansClosedAtBothDoors(t *testing.T) {
	servertest.Each(t, servertest.Options{}, func(t *testing.T, s *servertest.Server) {
		if status, out := s.Vault("PUT", "sys/seal", servertest.RootToken, ""); status != 204 {
			t.Fatalf("seal: %d %s", status, out)
		}
		if status, out := s.Vault("GET", "secret/data/a", servertest.RootToken, ""); status != 503 || !strings.Contains(out, "Vault is sealed") {
			t.Errorf("vault door: %d %s", status, out)
		}
		if status, out := s.Pvault("GET", "system/info/version", servertest.AdminKey, ""); status != 503 || !strings.Contains(out, "PV1010") {
			t.Errorf("pvault door: %d %s", status, out)
		}
		if status, _ := s.Vault("GET", "sys/health", "", ""); status != 503 {
			t.Errorf("health: %d", status)
		}
	})
}

func TestUnknownPathsGetTheDoorsOwnShape(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	for path, want := range map[string]string{
		"/": `{"errors":[`, "/nothing": `{"errors":[`, "/v2/x": `{"errors":[`,
		"/api/pvlt/1.0/nothing": `"error_code"`, "/api/pvlt/2.0/x": `"error_code"`,
	} {
		if status, out := s.Do("GET", path, ""); status != 404 || !strings.Contains(out, want) {
			t.Errorf("%s: %d %s", path, status, out)
		}
	}
	if status, out := s.Vault("GET", "no/such/mount", servertest.RootToken, ""); status != 404 || !strings.Contains(out, `"errors"`) {
		t.Errorf("%d %s", status, out)
	}
}

// The root token of development mode is well known. What it enables must not
// be able to write into any file of whoever runs the server.
func TestDevelopmentModeWritesAuditFilesInADirectoryOfTheirOwn(t *testing.T) {
	s := servertest.Start(t, servertest.Options{})
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("mine\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(s.Dir, "data")
	if err := os.Symlink(victim, filepath.Join(data, "audit", "link")); err != nil {
		t.Fatal(err)
	}
	enable := func(name, file string) (int, string) {
		return s.Vault("PUT", "sys/audit/"+name, servertest.RootToken, fmt.Sprintf(`{"type":"file","options":{"file_path":%q}}`, file))
	}
	for i, file := range []string{victim, "../root.key", filepath.Join(data, "root.key"), "link", "../../victim"} {
		if status, out := enable(fmt.Sprint("bad", i), file); status != 400 {
			t.Errorf("%s: %d %s", file, status, out)
		}
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "mine\n" {
		t.Errorf("%q %v", b, err)
	}
	if status, out := enable("good", "more.log"); status != 204 {
		t.Fatalf("%d %s", status, out)
	}
	s.Vault("GET", "sys/mounts", servertest.RootToken, "")
	if b, err := os.ReadFile(filepath.Join(data, "audit", "more.log")); err != nil || len(b) == 0 {
		t.Error(len(b), err)
	}
}
