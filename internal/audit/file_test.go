package audit

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
)

// limited is a stream with room for a number of bytes.
type limited struct {
	bytes.Buffer
	room int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.room)
	l.room -= n
	_, _ = l.Buffer.Write(p[:n])
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (l *limited) Close() error { return nil }

func TestFullDiskRefusesThenRecovers(t *testing.T) {
	b := newBroker(t, fileDevice(filepath.Join(t.TempDir(), "log")))
	disk := &limited{room: 9000}
	sink := &lineSink{w: disk}
	(*b.devices.Load())[0].queue.sink = sink
	taken := 0
	for range 5 {
		if err := b.Record(t.Context(), sample()); err == nil {
			taken++
		} else if !errors.Is(err, ErrRefused) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("full disk: %v", err)
		}
	}
	if taken == 0 || taken == 5 {
		t.Fatalf("%d of 5 taken: the test disk has the wrong size", taken)
	}
	disk.room = 1 << 20
	if err := b.Record(t.Context(), sample()); err != nil {
		t.Fatalf("after space returned: %v", err)
	}
	whole := 0
	for l := range strings.Lines(disk.String()) {
		if stdjson.Valid([]byte(l)) {
			whole++
		}
	}
	if whole != taken+1 {
		t.Errorf("%d whole lines for %d accepted entries", whole, taken+1)
	}
	if s := b.Stats(); s.Refused != uint64(5-taken) {
		t.Errorf("stats: %+v", s)
	}
}

func TestDevFullIsNotARegularFile(t *testing.T) {
	for _, path := range []string{"/dev/full", "/dev/null", t.TempDir()} {
		if err := newBroker(t).Enable(fileDevice(path)); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", path, err)
		}
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newBroker(t).Enable(fileDevice(fifo)); !fault.Is(err, fault.Invalid) {
		t.Errorf("fifo without reader: %v", err)
	}
}

func TestFileIsPrivateAndNeverExecutable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	newBroker(t, fileDevice(path))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	for _, mode := range []string{"0700", "0611", "1777", "x"} {
		if err := Check(fileDevice(path, "mode", mode)); !fault.Is(err, fault.Invalid) {
			t.Errorf("mode %s: %v", mode, err)
		}
	}
	newBroker(t, fileDevice(path, "mode", "0640")) // also where the file is there
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o755); err != nil { //nolint:gosec // the point of the test
		t.Fatal(err)
	}
	if err := newBroker(t).Enable(fileDevice(path, "mode", "0000")); !fault.Is(err, fault.Invalid) {
		t.Errorf("executable file kept: %v", err)
	}
}

func TestReopenFollowsAMovedFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	b := newBroker(t, fileDevice(path))
	record := func() {
		t.Helper()
		if err := b.Record(t.Context(), sample()); err != nil {
			t.Fatal(err)
		}
	}
	record()
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	if err := b.Reopen(); err != nil {
		t.Fatal(err)
	}
	record()
	for _, p := range []string{path, path + ".1"} {
		if raw, err := os.ReadFile(p); err != nil || bytes.Count(raw, []byte("\n")) != 1 {
			t.Errorf("%s: %q, %v", p, raw, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := b.Reopen(); err == nil {
		t.Error("reopening a directory worked")
	}
	record() // goes on with the file it has
}
