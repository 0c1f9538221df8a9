package auditstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/auditstore"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

func openDB(t *testing.T) storage.Store {
	t.Helper()
	db, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return storagetest.Twice(db)
}

// node is one server's view.
func node(t *testing.T, db storage.Store, dir string) (*auditstore.Store, *audit.Broker) {
	t.Helper()
	b := audit.New(audit.Options{Log: slog.New(slog.DiscardHandler), AllowNone: true})
	s, err := auditstore.Open(t.Context(), db, auditstore.Options{
		Broker: b, Directory: dir, Log: slog.New(slog.DiscardHandler), Salt: func(p string) []byte { return []byte(fmt.Sprintf("%-32s", p)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); _ = b.Close() })
	return s, b
}

func file(path, name string) audit.Device {
	return audit.Device{Path: path, Type: "file", Options: map[string]string{"file_path": name}}
}

// eventually waits for what another node does in its own time.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never happened: ", what)
		}
	}
}

func TestDevicesNeedADirectorySetAside(t *testing.T) {
	s, _ := node(t, openDB(t), "")
	err := s.Enable(t.Context(), file("f", "discard"))
	if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(fault.PublicText(err), "cannot enable audit device via API; ") {
		t.Errorf("without a directory: %v", err)
	}
}

func TestFilesStayInsideTheirDirectory(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	s, _ := node(t, openDB(t), dir)
	if err := os.Symlink(outside, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "x"), filepath.Join(dir, "filelink")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{filepath.Join(outside, "x"), "../x", dir + "/../x", "link/x", "filelink", "/etc/passwd", ".", "sub/x"} {
		if err := s.Enable(t.Context(), file("f", p)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if l, _ := os.ReadDir(outside); len(l) != 0 {
		t.Errorf("something was written outside: %v", l)
	}
	if err := s.Enable(t.Context(), file("f", "log")); err != nil {
		t.Errorf("relative path: %v", err)
	}
	if err := s.Enable(t.Context(), file("g", filepath.Join(dir, "log2"))); err != nil {
		t.Errorf("absolute path: %v", err)
	}
}

func TestDevicesSurviveAndOtherNodesFollow(t *testing.T) {
	db, dir := openDB(t), t.TempDir()
	s, b := node(t, db, dir)
	_, other := node(t, db, dir)
	if err := s.Enable(t.Context(), file("/f/", "log")); err != nil {
		t.Fatal(err)
	}
	if err := s.Enable(t.Context(), file("f", "log")); !fault.Is(err, fault.Conflict) {
		t.Errorf("second device on one path: %v", err)
	}
	eventually(t, "the other node has the device", func() bool { return len(other.Devices()) == 1 })
	h1, err1 := b.Hash("f", "x")
	h2, err2 := other.Hash("f/", "x")
	if h1 != h2 || err1 != nil || err2 != nil {
		t.Errorf("hashes differ: %s %s %v %v", h1, h2, err1, err2)
	}
	if err := other.Record(t.Context(), &audit.Entry{}); err != nil {
		t.Error(err)
	}
	_, later := node(t, db, dir)
	if len(later.Devices()) != 1 {
		t.Error("the device did not survive")
	}
	for range 2 {
		if err := s.Disable(t.Context(), "f"); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the other node has lost the device", func() bool { return len(other.Devices()) == 0 })
}

func TestAStoredDeviceThatCannotOpenRefusesUntilItCan(t *testing.T) {
	db, dir := openDB(t), t.TempDir()
	s, _ := node(t, db, dir)
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Enable(t.Context(), file("f", "sub/log")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	_, later := node(t, db, dir)
	if err := later.Record(t.Context(), &audit.Entry{}); err == nil {
		t.Error("an entry was accepted although its only device cannot be opened")
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := later.Record(t.Context(), &audit.Entry{Error: "mark"}); err != nil {
		t.Errorf("after the directory came back: %v", err)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "sub", "log")); err != nil || !bytes.Contains(raw, []byte("mark")) {
		t.Errorf("log: %q, %v", raw, err)
	}
}

func TestDevicesOfTheSettingsFileStay(t *testing.T) {
	s, b := node(t, openDB(t), t.TempDir())
	d := file("conf", "discard")
	d.Salt, d.FromConfig = make([]byte, 32), true
	if err := b.Enable(d); err != nil {
		t.Fatal(err)
	}
	if err := s.Disable(t.Context(), "conf/"); !fault.Is(err, fault.Invalid) || len(s.Devices()) != 1 {
		t.Errorf("disable: %v", err)
	}
	if err := s.Enable(t.Context(), file("conf", "discard")); !fault.Is(err, fault.Conflict) {
		t.Errorf("enable: %v", err)
	}
	for _, p := range []string{"", "/", strings.Repeat("a", 200), "a b", "a\x00"} {
		if err := s.Enable(t.Context(), file(p, "discard")); !fault.Is(err, fault.Invalid) {
			t.Errorf("path %q: %v", p, err)
		}
	}
}

func TestHeaders(t *testing.T) {
	db := openDB(t)
	s, _ := node(t, db, "")
	other, _ := node(t, db, "")
	for name, hmac := range map[string]bool{"X-Forwarded-For": false, "X-Secret": true, "X-Vault-Token": false} {
		if err := s.SetHeader(t.Context(), name, hmac); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"", "a b", "a\r\nb", "ä", strings.Repeat("a", 129)} {
		if err := s.SetHeader(t.Context(), name, true); !fault.Is(err, fault.Invalid) {
			t.Errorf("name %q: %v", name, err)
		}
		if err := s.DeleteHeader(t.Context(), name); !fault.Is(err, fault.Invalid) {
			t.Errorf("delete %q: %v", name, err)
		}
	}
	eventually(t, "the other node knows the headers", func() bool { return len(other.Headers().All()) == 3 })
	in := http.Header{"X-Forwarded-For": {"1.2.3.4", "5.6.7.8"}, "X-Secret": {"s"}, "X-Vault-Token": {"t"}, "User-Agent": {"u"}}
	show, hashed := other.Headers().Pick(in)
	if show["x-forwarded-for"] != "1.2.3.4, 5.6.7.8" || len(show) != 3 || !slices.Equal(hashed, []string{"x-secret", "x-vault-token"}) {
		t.Errorf("picked %v, hashed %v", show, hashed)
	}
	if h, ok := s.Headers().Get("x-SECRET"); !h || !ok {
		t.Error("Get")
	}
	if all := s.Headers().All(); len(all) != 3 || all["x-forwarded-for"] {
		t.Errorf("the node that set them knows %v", all)
	}
	if show, _ := s.Headers().Pick(http.Header{"User-Agent": {"u"}}); len(show) != 0 {
		t.Errorf("absent headers are shown: %v", show)
	}
	if err := s.DeleteHeader(t.Context(), "X-SECRET"); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Headers().Get("X-Secret"); ok {
		t.Error("deleted header is still there")
	}
	if show, hashed := (&auditstore.Headers{}).Pick(in); show != nil || hashed != nil {
		t.Error("the zero Headers shows something")
	}
}

func TestCredentialsAreHashedWhateverTheOperatorSays(t *testing.T) {
	s, _ := node(t, openDB(t), "")
	in := http.Header{}
	names := []string{"Authorization", "Cookie", "Proxy-Authorization", "X-Vault-Token"}
	for _, name := range names {
		in.Set(name, "s3cret")
		if err := s.SetHeader(t.Context(), name, false); err != nil {
			t.Fatal(err)
		}
	}
	if show, hashed := s.Headers().Pick(in); len(show) != len(names) || len(hashed) != len(names) {
		t.Errorf("of %v only %v are hashed", show, hashed)
	}
}

func TestDevicesAndHeadersAreBounded(t *testing.T) {
	s, _ := node(t, openDB(t), t.TempDir())
	for i := range 32 {
		if err := s.Enable(t.Context(), file(fmt.Sprint("d", i), "discard")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 64 {
		if err := s.SetHeader(t.Context(), fmt.Sprint("h", i), false); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Enable(t.Context(), file("more", "discard")); !fault.Is(err, fault.Invalid) {
		t.Errorf("one device more: %v", err)
	}
	if err := s.SetHeader(t.Context(), "more", true); !fault.Is(err, fault.Invalid) {
		t.Errorf("one header more: %v", err)
	}
	if err := s.SetHeader(t.Context(), "h0", true); err != nil {
		t.Errorf("a header that is there: %v", err)
	}
}

// A device that another node has enabled anew, with other settings, is opened
// anew here; one that stays as it is keeps its file.
func TestANodeFollowsTheSettingsOfADevice(t *testing.T) {
	db, dir := openDB(t), t.TempDir()
	s, _ := node(t, db, dir)
	if err := errors.Join(s.Enable(t.Context(), file("f", "one")), s.Enable(t.Context(), file("same", "same"))); err != nil {
		t.Fatal(err)
	}
	other, b := node(t, db, dir)
	if err := os.Rename(filepath.Join(dir, "same"), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Disable(t.Context(), "f"), s.Enable(t.Context(), file("f", "two"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other node has the new settings", func() bool {
		return slices.ContainsFunc(other.Devices(), func(d audit.Device) bool { return d.Options["file_path"] == "two" })
	})
	if err := b.Record(t.Context(), &audit.Entry{Error: "mark"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"one": false, "two": true, "moved": true} {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || bytes.Contains(raw, []byte("mark")) != want {
			t.Errorf("%s: %q, %v", name, raw, err)
		}
	}
}
