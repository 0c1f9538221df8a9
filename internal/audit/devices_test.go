package audit

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

// stuck is a stream that waits until it is let go.
type stuck struct{ free chan struct{} }

func (s stuck) Write(p []byte) (int, error) { <-s.free; return len(p), nil }

func TestStuckDeviceDoesNotHangWhatAnotherAccepts(t *testing.T) {
	second := fileDevice("discard", "write_timeout", "20ms")
	second.Path = "stuck"
	b := newBroker(t, fileDevice("discard"), second)
	free := make(chan struct{})
	d := (*b.devices.Load())[1]
	d.queue.setInline(false)
	d.queue.sink = stuck{free}
	for range 3 {
		if err := b.Record(t.Context(), sample()); err != nil {
			t.Fatal(err)
		}
	}
	if b.Stats().Failures != 3 {
		t.Errorf("stats: %+v", b.Stats())
	}
	if err := d.record(sample(), nil); !errors.Is(err, errSlow) {
		t.Errorf("a late device answered %v", err)
	}
	close(free)
	for deadline := time.Now().Add(time.Minute); ; { // the device comes back by itself
		if err := d.record(sample(), nil); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal("the device did not recover: ", err)
		}
	}
}

func TestStuckSoleDeviceRefusesTheOthersInTime(t *testing.T) {
	b := newBroker(t, fileDevice("discard", "write_timeout", "20ms"))
	free := make(chan struct{})
	d := (*b.devices.Load())[0]
	entered := make(chan struct{})
	d.queue.sink = writerFunc(func(p []byte) (int, error) { close(entered); <-free; return len(p), nil })
	var first error
	var wg sync.WaitGroup
	wg.Go(func() { first = b.Record(context.Background(), sample()) })
	<-entered
	for range 3 {
		if err := b.Record(t.Context(), sample()); !errors.Is(err, errSlow) {
			t.Errorf("behind a stuck write: %v", err)
		}
	}
	d.queue.sink = discard{}
	close(free)
	wg.Wait()
	if first != nil {
		t.Errorf("the write that came through in the end: %v", first)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestSocketDeviceReconnects(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	b := newBroker(t, Device{Path: "s", Type: "socket", Salt: testSalt, Options: map[string]string{"address": l.Addr().String()}})
	for range 2 {
		got := make(chan string)
		go func() {
			c, err := l.Accept()
			if err != nil {
				got <- err.Error()
				return
			}
			defer func() { _ = c.Close() }()
			buf := make([]byte, 16<<10)
			n, _ := io.ReadAtLeast(c, buf, 100)
			got <- string(buf[:n])
		}()
		if err := b.Record(t.Context(), sample()); err != nil {
			t.Fatal(err)
		}
		if s := <-got; !strings.HasPrefix(s, `{"time":`) {
			t.Errorf("received %q", s)
		}
		if err := b.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	_ = l.Close()
	if err := b.Record(t.Context(), sample()); !errors.Is(err, ErrRefused) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestUDPSocketSendsOnePacketPerLine(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	s := &socketSink{network: "udp", address: c.LocalAddr().String(), timeout: time.Second}
	defer func() { _ = s.Close() }()
	if n, err := s.Write([]byte("one\ntwo\n")); n != 8 || err != nil {
		t.Fatal(n, err)
	}
	buf := make([]byte, 100)
	for _, want := range []string{"one\n", "two\n"} {
		if n, _, err := c.ReadFrom(buf); err != nil || string(buf[:n]) != want {
			t.Errorf("packet %q, %v", buf[:n], err)
		}
	}
}

// A Unix socket is a file, and those of other programs take orders: only the
// settings file may name one.
func TestUnixSocketStandsInTheSettingsFileOnly(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	d := Device{
		Path: "s/", Type: "socket", Salt: make([]byte, 32),
		Options: map[string]string{"socket_type": "unix", "address": l.Addr().String()},
	}
	d.Root = filepath.Dir(l.Addr().String())
	if err := newBroker(t).Enable(d); !fault.Is(err, fault.Invalid) {
		t.Errorf("over the API: %v", err)
	}
	d.Root = ""
	if err := newBroker(t).Enable(d); err != nil {
		t.Errorf("in the settings file: %v", err)
	}
}
