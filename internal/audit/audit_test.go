package audit

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy"
)

var testSalt = bytes.Repeat([]byte{7}, 32)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func fileDevice(path string, opts ...string) Device {
	o := map[string]string{"file_path": path}
	for i := 0; i < len(opts); i += 2 {
		o[opts[i]] = opts[i+1]
	}
	return Device{Path: "file", Type: "file", Options: o, Salt: testSalt}
}

func newBroker(t *testing.T, devices ...Device) *Broker {
	t.Helper()
	b := New(Options{Log: quiet()})
	for _, d := range devices {
		if err := b.Enable(d); err != nil {
			t.Fatalf("Enable(%s): %v", d.Path, err)
		}
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func sample() *Entry {
	at := time.Date(2026, 11, 21, 20, 37, 11, 773246899, time.UTC)
	return &Entry{
		Time: at, Type: Response, Door: "vault",
		Auth: Auth{
			Kind: "service", ClientToken: "hvs.SECRETTOKEN", Accessor: "ACCESSORACCESSOR", DisplayName: "jwt-alice",
			Policies: []string{"default", "webapps"}, TokenPolicies: []string{"default", "webapps"}, Allowed: true,
			Rule: `path "secret/data/+" in policy "webapps"`, Granting: []string{"webapps"},
			Metadata: map[string]string{"role": "demo"}, EntityID: "e-1", TokenType: "service",
			RemainingUses: 3, TokenTTL: time.Hour, TokenIssueTime: at,
		},
		Req: RequestPart{
			ID: "r-1", Operation: "update", Path: "secret/data/app", Method: "PUT", MountPoint: "secret/", MountType: "kv",
			MountAccessor: "kv_1", RemoteAddr: "127.0.0.1", RemotePort: 4711, WrapTTL: time.Minute,
			Data: map[string]any{
				"data":    map[string]any{"pw": "hunter2", "n": stdjson.Number("12345678901234567890"), "deep": []any{"hunter3", true, nil}},
				"when":    "2026-11-21T20:37:11Z",
				"options": jsontext.Value(`{"cas":1, "why":"hunter4","l":["hunter5",{"k":"hunter6"}],"e":{},"f":[]}`),
				"open":    "in the clear",
			},
			ClearKeys: []string{"open"},
			Headers:   map[string]string{"user-agent": "curl", "x-key": "hunter8"}, HashHeaders: []string{"x-key"},
		},
		Resp: &ResponsePart{
			Status: 200, Data: map[string]any{"version": 1, "names": []string{"hunter7"}}, Warnings: []string{"careful"}, LeaseID: "l-1",
			Auth: &NewToken{ClientToken: "hvs.OTHERTOKEN", Accessor: "OTHERACCESSOR", Policies: []string{"default"}, TokenType: "service", TTL: time.Hour},
			Wrap: &WrapInfo{Token: "hvs.WRAPTOKEN", Accessor: "WRAPACCESSOR", WrappedAccessor: "OTHERACCESSOR", TTL: time.Minute, CreationTime: at, CreationPath: "auth/jwt/login"},
		},
		Error: "denied\nbecause", Diagnosis: "r-1",
		Checks: []policy.Check{{Name: "audience", Expected: "a", Received: "b"}},
	}
}

func line(t *testing.T, d Device, e *Entry) (string, map[string]any) {
	t.Helper()
	v, err := open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = v.close() }()
	n := v.format.encode(e)
	defer n.release()
	text := string(n.b)
	if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		t.Fatalf("an entry must be exactly one line: %q", text)
	}
	var m map[string]any
	if err := stdjson.Unmarshal([]byte(strings.TrimPrefix(text, d.Options["prefix"])), &m); err != nil {
		t.Fatalf("line is not JSON: %v\n%s", err, text)
	}
	return text, m
}

func at(t *testing.T, m map[string]any, path ...string) any {
	t.Helper()
	var v any = m
	for _, p := range path {
		o, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("%v: no object at %q in %v", path, p, v)
		}
		v = o[p]
	}
	return v
}

func TestLineKeepsSecretsOutAndTheRestReadable(t *testing.T) {
	text, m := line(t, fileDevice("discard"), sample())
	for _, secret := range []string{"hunter", "SECRETTOKEN", "OTHERTOKEN", "WRAPTOKEN", "ACCESSOR"} {
		if strings.Contains(text, secret) {
			t.Errorf("line shows %q: %s", secret, text)
		}
	}
	hash := newSalter(testSalt).hash
	want := map[string]any{
		"type": "response", "time": "2026-11-21T20:37:11.773246899Z", "error": "denied\nbecause", "diagnosis": "r-1",
		"auth.client_token": hash("hvs.SECRETTOKEN"), "auth.accessor": hash("ACCESSORACCESSOR"), "auth.display_name": "jwt-alice",
		"auth.metadata.role": "demo", "auth.remaining_uses": 3.0, "auth.token_ttl": 3600.0, "auth.policy_results.allowed": true,
		"request.id": "r-1", "request.path": "secret/data/app", "request.data.when": "2026-11-21T20:37:11Z",
		"request.data.open": "in the clear", "request.data.data.pw": hash("hunter2"), "request.data.options.why": hash("hunter4"),
		"request.data.options.cas": 1.0, "request.remote_port": 4711.0, "request.wrap_ttl": 60.0, "request.namespace.id": "root",
		"response.data.version": 1.0, "response.auth.client_token": hash("hvs.OTHERTOKEN"), "response.secret.lease_id": "l-1",
		"response.wrap_info.token": hash("hvs.WRAPTOKEN"), "response.wrap_info.creation_path": "auth/jwt/login",
	}
	for path, w := range want {
		if got := at(t, m, strings.Split(path, ".")...); got != w {
			t.Errorf("%s = %v, want %v", path, got, w)
		}
	}
	if !strings.Contains(text, "12345678901234567890") {
		t.Error("a big number lost digits")
	}
	if !strings.Contains(text, `"options":{"cas":1,"why":"`+hash("hunter4")+`","l":["`+hash("hunter5")+`",{"k":"`+hash("hunter6")+`"}],"e":{},"f":[]}`) {
		t.Errorf("raw JSON lost its shape: %s", text)
	}
}

func TestOptionsChangeWhatIsHashed(t *testing.T) {
	text, m := line(t, fileDevice("discard", "log_raw", "true", "hmac_accessor", "false", "prefix", "@cee: "), sample())
	if !strings.HasPrefix(text, "@cee: {") {
		t.Errorf("prefix missing: %.20q", text)
	}
	if at(t, m, "request", "data", "data", "pw") != "hunter2" || at(t, m, "auth", "accessor") != "ACCESSORACCESSOR" {
		t.Error("log_raw and hmac_accessor=false must show parameters and accessors")
	}
	if strings.Contains(text, "TOKEN") {
		t.Error("a client token must stay hashed even with log_raw")
	}
}

func TestElideListResponses(t *testing.T) {
	e := sample()
	e.Req.Operation = "list"
	e.Resp.Data = map[string]any{"keys": []string{"a", "b"}, "key_info": map[string]any{"a": 1, "b": 2}}
	_, m := line(t, fileDevice("discard", "elide_list_responses", "true"), e)
	if at(t, m, "response", "data", "keys") != 2.0 || at(t, m, "response", "data", "key_info") != 2.0 {
		t.Errorf("lists must become counts: %v", at(t, m, "response", "data"))
	}
}

func TestPvaultLineCarriesItsReadersNames(t *testing.T) {
	e := sample()
	e.Door, e.Auth.Role = "pvault", "ReaderRole"
	e.Req.Collection, e.Req.Objects, e.Req.Properties, e.Req.Reason = "buyers", []string{"o-1"}, []string{"email"}, "AppFunctionality"
	_, m := line(t, fileDevice("discard"), e)
	if m["user_name"] != "jwt-alice" || m["role_name"] != "ReaderRole" || m["collection"] != "buyers" ||
		m["reason"] != "AppFunctionality" || m["status_code"] != 200.0 || m["operation_id"] != "update" {
		t.Errorf("pvault members: %v", m)
	}
	if at(t, m, "data_accessed").([]any)[0] != "o-1" || at(t, m, "data_requested").([]any)[0] != "email" {
		t.Errorf("pvault lists: %v", m)
	}
}

func TestHostileTextStaysInsideItsString(t *testing.T) {
	for _, s := range []string{"a\nb", "\x00\x1b[2J", "\xff\xfe", "\u2028\u2029\u0085", `"}],"type":"x`, "\x7f", "ſ🔑"} {
		e := &Entry{Error: s, Auth: Auth{Metadata: map[string]string{s: s}}, Req: RequestPart{Data: map[string]any{s: s, "raw": jsontext.Value(s)}}}
		text, m := line(t, fileDevice("discard"), e)
		for _, c := range []byte(text[:len(text)-1]) {
			if c < 0x20 || c == 0x7f {
				t.Errorf("%q: control byte %#x in the line", s, c)
			}
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); m["error"] != want && s != "\xff\xfe" {
			t.Errorf("error = %q, want %q", m["error"], want)
		}
	}
}

func TestUnusualTypesAreHashedToo(t *testing.T) {
	type odd struct{ Text string }
	e := &Entry{Req: RequestPart{Data: map[string]any{
		"odd": odd{"hunter1"}, "sec": Secret("hunter2"), "bytes": []byte("hunter3"), "map": map[string]string{"k": "hunter4"},
		"bad": func() {}, "num": stdjson.Number("hunter5"), "f": 1.5, "dur": time.Minute, "u": uint64(9), "two": jsontext.Value(`"hunter6" "hunter7"`),
	}}}
	text, m := line(t, fileDevice("discard"), e)
	if strings.Contains(text, "hunter") {
		t.Errorf("a text got through: %s", text)
	}
	if at(t, m, "request", "data", "f") != 1.5 || at(t, m, "request", "data", "dur") != 60.0 {
		t.Errorf("numbers: %v", m)
	}
}

func TestNoDeviceRefusesUnlessAllowed(t *testing.T) {
	if err := New(Options{Log: quiet()}).Record(t.Context(), sample()); !errors.Is(err, ErrNoDevice) {
		t.Errorf("a broker without devices answered %v", err)
	}
	b := New(Options{Log: quiet(), AllowNone: true})
	if err := b.Record(t.Context(), sample()); err != nil {
		t.Errorf("AllowNone: %v", err)
	}
	_ = b.Close()
	if err := b.Record(t.Context(), sample()); !errors.Is(err, ErrNoDevice) {
		t.Errorf("a closed broker answered %v", err)
	}
}

func TestConcurrentEntriesAreWholeAndComplete(t *testing.T) {
	for _, devices := range []int{1, 2} {
		t.Run(fmt.Sprint(devices), func(t *testing.T) {
			dir := t.TempDir()
			var list []Device
			for i := range devices {
				d := fileDevice(filepath.Join(dir, fmt.Sprint(i)))
				d.Path = fmt.Sprint("f", i)
				list = append(list, d)
			}
			b := newBroker(t, list...)
			const workers, each = 16, 100
			var wg sync.WaitGroup
			for w := range workers {
				wg.Go(func() {
					for i := range each {
						e := sample()
						e.Req.ID = fmt.Sprintf("%d-%d", w, i)
						if err := b.Record(context.Background(), e); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			for i := range devices {
				raw, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i)))
				if err != nil {
					t.Fatal(err)
				}
				seen := map[string]bool{}
				for l := range strings.Lines(string(raw)) {
					var m struct{ Request struct{ ID string } }
					if err := stdjson.Unmarshal([]byte(l), &m); err != nil {
						t.Fatalf("broken line: %v: %q", err, l)
					}
					seen[m.Request.ID] = true
				}
				if len(seen) != workers*each {
					t.Errorf("device %d has %d of %d entries", i, len(seen), workers*each)
				}
			}
		})
	}
}

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
	if err := os.Chmod(path, 0o755); err != nil { //nolint:gosec // the point of the test
		t.Fatal(err)
	}
	if err := newBroker(t).Enable(fileDevice(path, "mode", "0000")); !fault.Is(err, fault.Invalid) {
		t.Errorf("executable file kept: %v", err)
	}
}

func TestSettingsAreStrict(t *testing.T) {
	bad := map[string]Device{
		"type":      {Path: "x", Type: "http", Salt: testSalt},
		"path":      {Path: "/", Type: "file", Options: map[string]string{"file_path": "discard"}, Salt: testSalt},
		"file_path": {Path: "x", Type: "file", Salt: testSalt},
		"unknown":   fileDevice("discard", "hmac_acessor", "false"),
		"bool":      fileDevice("discard", "log_raw", "perhaps"),
		"format":    fileDevice("discard", "format", "jsonx"),
		"prefix":    fileDevice("discard", "prefix", "a\nb"),
		"timeout":   fileDevice("discard", "write_timeout", "0s"),
		"socket":    {Path: "x", Type: "socket", Salt: testSalt},
		"network":   {Path: "x", Type: "socket", Options: map[string]string{"address": "a", "socket_type": "ip"}, Salt: testSalt},
		"facility":  {Path: "x", Type: "syslog", Options: map[string]string{"facility": "nope"}, Salt: testSalt},
	}
	for name, d := range bad {
		if err := newBroker(t).Enable(d); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Check(Device{Path: "x", Type: "file", Options: map[string]string{"file_path": "discard"}}); err == nil {
		t.Error("a device without a salt was accepted")
	}
}

func TestEnableDisableHash(t *testing.T) {
	b := newBroker(t, fileDevice("discard"))
	if err := b.Enable(fileDevice("discard")); !fault.Is(err, fault.Conflict) {
		t.Errorf("second device on one path: %v", err)
	}
	h, err := b.Hash("file", "x")
	if err != nil || h != newSalter(testSalt).hash("x") || len(h) != hashedLen {
		t.Errorf("Hash = %q, %v", h, err)
	}
	if _, err := b.Hash("nope", "x"); !fault.Is(err, fault.NotFound) {
		t.Errorf("unknown device: %v", err)
	}
	if l := b.Devices(); len(l) != 1 || l[0].Path != "file/" || l[0].Salt != nil {
		t.Errorf("Devices = %+v", l)
	}
	if err := b.Disable("file"); err != nil {
		t.Error(err)
	}
	if err := b.Disable("file"); !fault.Is(err, fault.NotFound) {
		t.Errorf("second disable: %v", err)
	}
	if err := b.Record(t.Context(), sample()); !errors.Is(err, ErrNoDevice) {
		t.Errorf("after the last device went: %v", err)
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

// stuck is a stream that waits until it is let go.
type stuck struct{ free chan struct{} }

func (s stuck) Write(p []byte) (int, error) { <-s.free; return len(p), nil }
func (stuck) Close() error                  { return nil }

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
	for deadline := time.Now().Add(5 * time.Second); ; { // the device comes back by itself
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

func FuzzRawJSON(f *testing.F) {
	for _, s := range []string{`{"a":["x",1,{"b":null}]}`, `"s"`, `[]`, `{"a":1}{"b":2}`, `{"a":1,"a":"x"}`, "[\"\xff\"]"} {
		f.Add([]byte(s))
	}
	v, err := open(fileDevice("discard"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		n := v.format.encode(&Entry{Req: RequestPart{Data: map[string]any{"raw": jsontext.Value(raw)}}})
		defer n.release()
		if !stdjson.Valid(n.b) || bytes.Count(n.b, []byte("\n")) != 1 {
			t.Errorf("%q became %q", raw, n.b)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	e := sample()
	e.Type, e.Resp, e.Checks, e.Error, e.Diagnosis = Request, nil, nil, "", ""
	e.Req.Data, e.Req.Headers = nil, nil
	br := New(Options{Log: quiet()})
	if err := br.Enable(fileDevice(filepath.Join(b.TempDir(), "log"))); err != nil {
		b.Fatal(err)
	}
	tokens := []Secret{"hvs.A", "hvs.B"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.Auth.ClientToken, e.Auth.Accessor = tokens[i&1], tokens[i&1] // no hash is remembered
		_ = br.Record(context.Background(), e)
	}
}

func BenchmarkEncode(b *testing.B) {
	e := sample()
	e.Type, e.Resp, e.Checks, e.Error, e.Diagnosis = Request, nil, nil, "", ""
	e.Req.Data, e.Req.Headers = nil, nil
	v, err := open(fileDevice("discard"))
	if err != nil {
		b.Fatal(err)
	}
	tokens := []Secret{"hvs.A", "hvs.B"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e.Auth.ClientToken, e.Auth.Accessor = tokens[i&1], tokens[i&1]
		v.format.encode(e).release()
	}
}
