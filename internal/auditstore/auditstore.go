// Package auditstore remembers what operators set up about auditing over the
// API: devices beside those of the settings file, and the request headers that
// the log shall show. Every node that shares the storage follows.
//
// It refuses devices over the API unless the settings file sets a directory
// aside for them, and it refuses to touch a device of the settings file: who
// can call the API must not be able to end the recording that the operator of
// the machine wants.
package auditstore

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	json "github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Where things are kept. What follows the prefix is a path or a header's name.
const (
	prefix       = "audit/"
	devicePrefix = "audit/device/"
	headerPrefix = "audit/header/"
)

// Limits.
const (
	maxDevices = 32
	maxHeaders = 64
	maxName    = 128 // bytes of a device's path or a header's name
)

// Options configure a Store.
type Options struct {
	// Broker holds the devices of the settings file already.
	Broker *audit.Broker
	// Salt returns the secret key of a device's HMACs.
	Salt func(path string) []byte
	// Directory is where devices of the API may keep files; "" refuses all.
	Directory string
	// Log is told what cannot be followed; nil means slog.Default().
	Log *slog.Logger
}

// device is the stored form of a device.
type device struct {
	Type        string            `json:"type"`
	Description string            `json:"description,omitzero"`
	Local       bool              `json:"local,omitzero"`
	Options     map[string]string `json:"options,omitzero"`
}

func (d device) equal(o device) bool {
	return d.Type == o.Type && d.Description == o.Description && d.Local == o.Local && maps.Equal(d.Options, o.Options)
}

// header is the stored form of a header's settings.
type header struct {
	HMAC bool `json:"hmac"`
}

// Store is the remembered state. All methods are safe for concurrent use.
type Store struct {
	db      storage.Store
	o       Options
	headers atomic.Pointer[Headers]

	mu   sync.Mutex
	have map[string]device // devices of the API that the broker has

	stop func()
}

// Open reads what is stored, adds its devices to the broker and follows
// changes until Close. A stored device that cannot be opened fails until it
// can; it is never left out.
func Open(ctx context.Context, db storage.Store, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	s := &Store{db: db, o: o, have: map[string]device{}}
	s.headers.Store(&Headers{})
	if err := s.follow(ctx); err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx)
	s.stop = storage.Follow(db, []byte(prefix), func() error {
		err := s.follow(ctx)
		if err != nil {
			s.o.Log.Error("audit settings cannot be followed; what was known stays in force", "error", err)
		}
		return err
	})
	return s, nil
}

// Close stops following. The broker keeps its devices.
func (s *Store) Close() { s.stop() }

// follow makes broker and headers agree with the storage.
func (s *Store) follow(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	want, headers, err := s.read(ctx)
	if err != nil {
		return err
	}
	s.headers.Store(newHeaders(headers))
	for path, d := range s.have {
		if w, ok := want[path]; !ok || !w.equal(d) {
			if err := s.o.Broker.Disable(path); err != nil {
				s.o.Log.Error("audit device did not close well", "device", path, "error", err)
			}
			delete(s.have, path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if _, ok := s.have[path]; ok {
			continue
		}
		if err := s.o.Broker.Restore(s.full(path, want[path])); err != nil {
			s.o.Log.Error("audit device cannot be opened; it fails until it can", "device", path, "error", err)
		}
		s.have[path] = want[path]
	}
	return nil
}

func (s *Store) read(ctx context.Context) (map[string]device, map[string]header, error) {
	devices, headers := map[string]device{}, map[string]header{}
	err := s.db.View(ctx, func(tx storage.ReadTx) error {
		clear(devices)
		clear(headers)
		items, err := tx.Scan([]byte(devicePrefix), nil, maxDevices)
		if err != nil {
			return err
		}
		for _, it := range items {
			var d device
			if err := json.Unmarshal(it.Value, &d); err != nil {
				return errors.Join(storage.ErrDamaged, err)
			}
			devices[string(it.Key[len(devicePrefix):])] = d
		}
		if items, err = tx.Scan([]byte(headerPrefix), nil, maxHeaders); err != nil {
			return err
		}
		for _, it := range items {
			var h header
			if err := json.Unmarshal(it.Value, &h); err != nil {
				return errors.Join(storage.ErrDamaged, err)
			}
			headers[string(it.Key[len(headerPrefix):])] = h
		}
		return nil
	})
	return devices, headers, err
}

// full is a stored device as the broker takes it.
func (s *Store) full(path string, d device) audit.Device {
	return audit.Device{
		Path: path, Type: d.Type, Description: d.Description, Local: d.Local, Options: d.Options,
		Salt: s.o.Salt(path), Root: s.o.Directory,
	}
}

// Devices lists all devices, those of the settings file among them.
func (s *Store) Devices() []audit.Device { return s.o.Broker.Devices() }

// Hash returns what the device at path writes in place of input.
func (s *Store) Hash(path, input string) (string, error) { return s.o.Broker.Hash(path, input) }

// Enable opens a device and remembers it. It refuses when the API may not do
// so, when the path is taken and when the settings do not work.
func (s *Store) Enable(ctx context.Context, d audit.Device) error {
	path := audit.Normalize(d.Path)
	switch {
	case s.o.Directory == "":
		return fault.New(fault.Invalid, "cannot enable audit device via API; name an audit_api_directory in the server's settings file first, or add the device there")
	case path == "" || len(path) > maxName || strings.ContainsFunc(path, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return fault.Newf(fault.Invalid, "path of an audit device must have 1 to %d bytes without white space", maxName-1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.have) >= maxDevices {
		return fault.Newf(fault.Invalid, "there are %d audit devices already", maxDevices)
	}
	keep := device{Type: d.Type, Description: d.Description, Local: d.Local, Options: maps.Clone(d.Options)}
	if err := s.o.Broker.Enable(s.full(path, keep)); err != nil {
		return err
	}
	text, err := json.Marshal(keep)
	if err == nil {
		err = s.put(ctx, devicePrefix+path, text)
	}
	if err != nil {
		return errors.Join(err, s.o.Broker.Disable(path))
	}
	s.have[path] = keep
	return nil
}

// Disable forgets a device and closes it. An unknown path is no error.
func (s *Store) Disable(ctx context.Context, path string) error {
	path = audit.Normalize(path)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.have[path]; !ok {
		for _, d := range s.o.Broker.Devices() {
			if d.Path == path {
				return fault.New(fault.Invalid, "cannot disable audit device via API; it stands in the server's settings file")
			}
		}
		return nil
	}
	if err := s.remove(ctx, devicePrefix+path); err != nil {
		return err
	}
	delete(s.have, path)
	return s.o.Broker.Disable(path)
}

func (s *Store) put(ctx context.Context, key string, value []byte) error {
	return s.db.Update(ctx, func(tx storage.Tx) error { return tx.Put([]byte(key), value, time.Time{}) })
}

func (s *Store) remove(ctx context.Context, key string) error {
	return s.db.Update(ctx, func(tx storage.Tx) error { return tx.Delete([]byte(key)) })
}
