package cli

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func testEnv(vars map[string]string, stdin string) (*Env, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	return &Env{Name: "prog", Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		Lookup: func(k string) (string, bool) { v, ok := vars[k]; return v, ok }}, &out, &errs
}

func TestFirstSetVariableWins(t *testing.T) {
	e, _, _ := testEnv(map[string]string{"A": "", "B": "b", "C": "c"}, "")
	if v, name := e.Get("A", "B", "C"); v != "b" || name != "B" {
		t.Errorf("got %q from %q: an empty variable counts as not set", v, name)
	}
	if v, name := e.Get("X"); v != "" || name != "" {
		t.Errorf("got %q from %q", v, name)
	}
}

func TestASwitchThatIsNoBooleanIsRefused(t *testing.T) {
	e, _, _ := testEnv(map[string]string{"ON": "true", "OFF": "0", "ODD": "maybe"}, "")
	if on, err := e.Bool("ON"); !on || err != nil {
		t.Error(on, err)
	}
	if on, err := e.Bool("OFF"); on || err != nil {
		t.Error(on, err)
	}
	if on, err := e.Bool("NONE"); on || err != nil {
		t.Error(on, err)
	}
	if on, err := e.Bool("ODD"); on || err == nil || !strings.Contains(err.Error(), "ODD") {
		t.Error("must refuse and name the variable:", on, err)
	}
}

func TestDurations(t *testing.T) {
	for in, want := range map[string]time.Duration{"30": 30 * time.Second, "1h30m": 90 * time.Minute, "7d": 168 * time.Hour, "0": 0, "-5s": -5 * time.Second, " 10 ": 10 * time.Second} {
		if got, err := ParseDuration(in); err != nil || got != want {
			t.Errorf("%q: got %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "soon", "1x", "9223372036854775807", "99999999999d", "d", "-1d"} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func TestDataFromArguments(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "v.txt")
	object := filepath.Join(dir, "o.json")
	if err := errors.Join(os.WriteFile(file, []byte("from file\n"), 0o600), os.WriteFile(object, []byte(`{"n":12345678901234567890,"s":"x"}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, stdin string
		args        []string
		want        string
	}{
		{"plain", "", []string{"a=1", "b=x=y", "c="}, `{"a":"1","b":"x=y","c":""}`},
		{"file keeps its line end", "", []string{"a=@" + file}, `{"a":"from file\n"}`},
		{"standard input", "in\n", []string{"a=-"}, `{"a":"in\n"}`},
		{"an escaped @", "", []string{`a=\@me`}, `{"a":"@me"}`},
		{"repeated becomes a list", "", []string{"a=1", "a=2", "a=3"}, `{"a":["1","2","3"]}`},
		{"object file with exact numbers", "", []string{"@" + object, "s=y"}, `{"n":12345678901234567890,"s":["x","y"]}`},
		{"object on standard input", `{"a":[1,null]}`, []string{"-"}, `{"a":[1,null]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _, _ := testEnv(nil, c.stdin)
			data, err := e.Data(c.args)
			if err != nil {
				t.Fatal(err)
			}
			got, err := EncodeJSON(data)
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestBadDataIsRefusedWithoutShowingIt(t *testing.T) {
	for _, c := range []struct {
		name, stdin string
		args        []string
	}{
		{"no equals sign", "", []string{"hvs.averylongsecrettoken"}},
		{"no key", "", []string{"=v"}},
		{"missing file", "", []string{"a=@/does/not/exist"}},
		{"empty file name", "", []string{"a=@"}},
		{"a directory", "", []string{"a=@."}},
		{"standard input twice", "x", []string{"a=-", "b=-"}},
		{"a list is no object", "[1]", []string{"-"}},
		{"null is no object", "null", []string{"-"}},
		{"duplicate names", `{"a":1,"a":2}`, []string{"-"}},
		{"cut off", `{"a":`, []string{"-"}},
		{"text behind", `{} {}`, []string{"-"}},
		{"empty", ``, []string{"-"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _, _ := testEnv(nil, c.stdin)
			_, err := e.Data(c.args)
			if err == nil {
				t.Fatal("was accepted")
			}
			if StatusOf(err) != StatusLocal {
				t.Errorf("status %d", StatusOf(err))
			}
			if strings.Contains(err.Error(), "averylongsecret") || strings.Contains(err.Error(), "\n") {
				t.Errorf("text: %q", err)
			}
		})
	}
}

func TestErrorsKeepStatusAndHint(t *testing.T) {
	inner := WithHint(Serverf("no"), "try this")
	err := &Error{Status: StatusServer, Text: "Error reading x", Hint: HintOf(inner), Cause: inner}
	e, _, errs := testEnv(nil, "")
	if status := e.Report(err); status != StatusServer {
		t.Error("status", status)
	}
	if got := errs.String(); got != "Error reading x: no\nHint: try this\n" {
		t.Errorf("printed %q", got)
	}
	if status := e.Report(errors.New("other")); status != StatusLocal {
		t.Error("an error without a status ends with 1")
	}
	errs.Reset()
	if status := e.Report(Quiet(StatusServer)); status != StatusServer || errs.Len() != 0 {
		t.Errorf("a quiet end printed %q, status %d", errs.String(), status)
	}
	if e.Report(nil) != StatusOK {
		t.Error("nil is success")
	}
}

func TestNewFilesNeverOverwriteAndReplaceIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := WriteNew(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := WriteNew(path, []byte("two"), 0o600); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Error("must refuse:", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "one" {
		t.Errorf("content %q", b)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, []byte("three"), 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Error("a replaced file has its own mode:", st.Mode(), err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Error("a temporary file was left:", left)
	}
	if err := Replace(filepath.Join(t.TempDir(), "no", "dir"), nil, 0o600); err == nil {
		t.Error("a missing directory must be an error")
	}
}

func TestAddresses(t *testing.T) {
	for _, ok := range []string{"http://127.0.0.1:8200", "https://vault.example.com", "https://x/prefix/"} {
		if _, err := ParseAddr(ok, "-address"); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "localhost:8200", "ftp://x", "http://", "http://u:secret@x", "http://x?q=1", "http://x#f", "http://[::1", "u:secret@x"} {
		_, err := ParseAddr(bad, "-address")
		if err == nil {
			t.Errorf("%q was accepted", bad)
			continue
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the password is shown: %v", bad, err)
		}
	}
}
