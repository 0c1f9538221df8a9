package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/iotest"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

var data = bytes.Repeat([]byte("sealed "), 10_000)

func sealList(list []byte) []byte { return append([]byte("sealed:"), list...) }

func archive(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, Meta{ID: "id", Created: noon, Server: "1.2.3", Cluster: "c", Size: int64(len(data))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(sealList); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	b := archive(t)
	if !IsArchive(b) || IsArchive(data) || IsArchive(nil) {
		t.Error("archives are not known by their start")
	}
	var out bytes.Buffer
	m, err := Read(bytes.NewReader(b), &out)
	if err != nil || !bytes.Equal(out.Bytes(), data) {
		t.Fatalf("%d bytes, %v", out.Len(), err)
	}
	if want := (Meta{Version: 1, ID: "id", Created: noon, Server: "1.2.3", Cluster: "c", Size: int64(len(data))}); m != want {
		t.Errorf("%+v", m)
	}
}

// An operator without this program has tar and sha256sum.
func TestUsualToolsReadAndCheckIt(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.snap")
	if err := os.WriteFile(file, archive(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"tar", "xzf", file}, {"sha256sum", "--strict", "--check", "SHA256SUMS"}} {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...) //nolint:gosec // fixed commands
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, "jotgate.db")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestEveryCutAndEveryChangedByteIsNoticed(t *testing.T) {
	b := archive(t)
	try := func(what string, at int, changed []byte) {
		t.Helper()
		if _, err := Read(bytes.NewReader(changed), io.Discard); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s at %d of %d: %v", what, at, len(b), err)
		}
	}
	for i := 0; i < len(b); i += 1 + i/40 {
		try("cut", i, b[:i])
	}
	for i := 10; i < len(b); i += 1 + i/40 { // before it are the time and the system of gzip's header, which nobody reads
		c := bytes.Clone(b)
		c[i] ^= 1
		try("changed", i, c)
	}
	try("longer", len(b), append(bytes.Clone(b), 0))
	try("twice", len(b), append(bytes.Clone(b), b...))
}

// member is one of an archive that somebody else made.
type member struct {
	name string
	body []byte
	kind byte
}

func foreign(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	for _, m := range members {
		if m.kind == 0 {
			m.kind = tar.TypeReg
		}
		if err := w.WriteHeader(&tar.Header{Name: m.name, Size: int64(len(m.body)), Mode: 0o600, Typeflag: m.kind}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func members(t testing.TB) []member {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(archive(t)))
	if err != nil {
		t.Fatal(err)
	}
	var out []member
	for r := tar.NewReader(gz); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, member{name: h.Name, body: body})
	}
}

func TestArchivesOfOtherMakeAreRefused(t *testing.T) {
	m := members(t)
	meta, db, sums, sealed := m[0], m[1], m[2], m[3]
	big := member{name: sealedName, body: make([]byte, maxSmall+1)}
	for name, list := range map[string][]member{
		"empty": {}, "without data": {meta, sums, sealed}, "without sums": {meta, db, sealed}, "without the sealed sums": {meta, db, sums},
		"data first": {db, meta, sums, sealed}, "data twice": {meta, db, db, sums, sealed}, "one more": {meta, db, sums, sealed, {name: "x"}},
		"a link": {meta, {name: dataName, kind: tar.TypeSymlink}, sums, sealed}, "a path": {meta, {name: "../jotgate.db", body: db.body}, sums, sealed},
		"other data": {meta, {name: dataName, body: bytes.Repeat([]byte("x"), len(data))}, sums, sealed}, "less data": {meta, {name: dataName, body: data[1:]}, sums, sealed},
		"no seal": {meta, db, sums, {name: sealedName}}, "a huge seal": {meta, db, sums, big}, "another form": {{name: metaName, body: []byte(`{"Version":2}`)}, db, sums, sealed},
		"no JSON": {{name: metaName, body: []byte("x")}, db, sums, sealed},
	} {
		if _, err := Read(bytes.NewReader(foreign(t, list...)), io.Discard); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read(bytes.NewReader(foreign(t, m...)), io.Discard); err != nil {
		t.Errorf("the same members, packed by others: %v", err)
	}
}

func TestAnIncompleteArchiveIsNotCompleted(t *testing.T) {
	begin := func(size int64) *Writer {
		w, err := NewWriter(io.Discard, Meta{Size: size})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := begin(10)
	if _, err := w.Write(make([]byte, 9)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(sealList); err == nil {
		t.Error("one byte is missing")
	}
	if _, err := begin(10).Write(make([]byte, 11)); err == nil {
		t.Error("one byte too many")
	}
	if err := begin(0).Close(func([]byte) []byte { return nil }); !errors.Is(err, errUnsealed) {
		t.Errorf("without a seal: %v", err)
	}
	if _, err := NewWriter(io.Discard, Meta{Size: -1}); err == nil {
		t.Error("a negative size")
	}
}

func TestTroubleOutsideTheArchiveIsNotCalledDamage(t *testing.T) {
	broken := errors.New("no disk")
	b := archive(t)
	if _, err := Read(io.MultiReader(bytes.NewReader(b[:1000]), iotest.ErrReader(broken)), io.Discard); !errors.Is(err, broken) {
		t.Errorf("source: %v", err)
	}
	if _, err := Read(bytes.NewReader(b), failing{broken}); !errors.Is(err, broken) {
		t.Errorf("target: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func FuzzRead(f *testing.F) {
	f.Add(archive(f))
	f.Add(foreign(f, members(f)...))
	f.Add(foreign(f, member{name: metaName, body: []byte(`{"Version":1,"Size":0}`)}, member{name: dataName}, member{name: sumsName}, member{name: sealedName, body: []byte("x")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var out bytes.Buffer
		m, err := Read(bytes.NewReader(b), &out)
		if err != nil && !fault.Is(err, fault.Invalid) {
			t.Fatal(err)
		}
		if err == nil && m.Size != int64(out.Len()) {
			t.Fatalf("%d bytes of %d", out.Len(), m.Size)
		}
	})
}
