package audit

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
				d := fileDevice(filepath.Join(dir, fmt.Sprint(i)), "write_timeout", "1m")
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
		"long":      fileDevice("discard", "write_timeout", "61s"),
		"mode":      fileDevice("discard", "mode", "01600"),
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

func (stuck) Close() error { return nil }

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
