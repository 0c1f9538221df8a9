package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

// Options are the settings of a Broker. The zero value is usable.
type Options struct {
	// AllowNone lets requests pass when no device is set up at all. The zero
	// value refuses them.
	AllowNone bool
	// Log receives the failures of devices; nil means slog.Default().
	Log *slog.Logger
}

// Broker writes entries to all devices. It implements gate.Recorder. All
// methods are safe for concurrent use; Record never waits for the others.
type Broker struct {
	allowNone bool
	log       *slog.Logger
	closed    atomic.Bool

	devices atomic.Pointer[[]*device]
	mu      sync.Mutex // changes of devices

	entries, refused, failures atomic.Uint64
	lastLogged                 atomic.Int64 // UnixNano of the last line about a failing device
}

// Errors of Record.
var (
	// ErrNoDevice means that no audit device is set up.
	ErrNoDevice = errors.New("audit: no audit device is set up")
	// ErrRefused means that every device failed to take the entry.
	ErrRefused = errors.New("audit: no audit device took the entry")
)

// New returns a Broker without devices.
func New(o Options) *Broker {
	b := &Broker{allowNone: o.AllowNone, log: o.Log}
	if b.log == nil {
		b.log = slog.Default()
	}
	b.devices.Store(&[]*device{})
	return b
}

// Record writes e to every device and returns nil if at least one took it. A
// device that fails is written about in the server's log.
func (b *Broker) Record(_ context.Context, e *Entry) error { return b.record(e, nil) }

// RecordPair is Record for both entries of one request, which every device
// gets in one write. Their Auth and Req must be the same: those of request are
// written for both.
func (b *Broker) RecordPair(_ context.Context, request, response *Entry) error {
	return b.record(request, response)
}

// record writes one or two entries; second may be nil.
func (b *Broker) record(e, second *Entry) error {
	list := *b.devices.Load()
	if len(list) == 0 {
		if b.allowNone && !b.closed.Load() {
			return nil
		}
		return ErrNoDevice
	}
	b.entries.Add(1)
	if second != nil {
		b.entries.Add(1)
	}
	if len(list) == 1 {
		err := list[0].record(e, second)
		if err == nil {
			return nil
		}
		b.failed(list[0], err)
		b.refused.Add(1)
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return b.recordAll(list, e, second)
}

// recordAll writes to several devices at the same time, so that the slowest
// one decides how long it takes and not the sum.
func (b *Broker) recordAll(list []*device, e, second *Entry) error {
	alone := *e
	alone.Repeat = nil // it is for one device at a time
	e = &alone
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, d := range list[1:] {
		wg.Go(func() { errs[i+1] = d.record(e, second) })
	}
	errs[0] = list[0].record(e, second)
	wg.Wait()
	taken := false
	for i, err := range errs {
		if err == nil {
			taken = true
		} else {
			b.failed(list[i], err)
		}
	}
	if taken {
		return nil
	}
	b.refused.Add(1)
	return fmt.Errorf("%w: %w", ErrRefused, errors.Join(errs...))
}

// failed tells the operator, at most once a second.
func (b *Broker) failed(d *device, err error) {
	b.failures.Add(1)
	now := time.Now().UnixNano()
	last := b.lastLogged.Load()
	if now-last < int64(time.Second) || !b.lastLogged.CompareAndSwap(last, now) {
		return
	}
	b.log.Error("audit device failed", "device", d.Path, "type", d.Type, "error", err)
}

// Enable opens a device and adds it. It refuses a path that is in use
// (Conflict) and settings that do not work (Invalid).
func (b *Broker) Enable(d Device) error { return b.add(d, open) }

// Restore adds a device that was set up before. If it cannot be opened now, it
// is added all the same and fails until it can: a device that is gone must not
// look like one that nobody wanted. The error then says why.
func (b *Broker) Restore(d Device) error { return b.add(d, openAnyway) }

func (b *Broker) add(d Device, open func(Device) (*device, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	d.Path = Normalize(d.Path)
	list := *b.devices.Load()
	if slices.ContainsFunc(list, func(o *device) bool { return o.Path == d.Path }) {
		return fault.Newf(fault.Conflict, "path already in use: %q", d.Path)
	}
	v, err := open(d)
	if v == nil {
		return err
	}
	b.store(append(slices.Clone(list), v))
	return err
}

// Disable removes the device and closes it. An unknown path is NotFound.
func (b *Broker) Disable(path string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	path = Normalize(path)
	list := *b.devices.Load()
	i := slices.IndexFunc(list, func(o *device) bool { return o.Path == path })
	if i < 0 {
		return fault.Newf(fault.NotFound, "no audit device at %q", path)
	}
	old := list[i]
	b.store(slices.Delete(slices.Clone(list), i, i+1))
	return old.close()
}

// store publishes a new list. Only a file that is the sole device is written
// by the requests themselves: where a second device could let a request go on,
// no request may hang in the first one's write.
func (b *Broker) store(list []*device) {
	slices.SortFunc(list, func(x, y *device) int { return cmp.Compare(x.Path, y.Path) })
	for _, d := range list {
		_, gone := d.sink.(discard)
		d.queue.setInline(gone || (len(list) == 1 && d.onDisk()))
	}
	b.devices.Store(&list)
}

// Devices lists the devices in order of path. Their salts are left out.
func (b *Broker) Devices() []Device {
	list := *b.devices.Load()
	out := make([]Device, len(list))
	for i, d := range list {
		out[i] = d.Device
		out[i].Salt = nil
	}
	return out
}

// Hash returns what the device at path writes in place of input. An unknown
// path is NotFound.
func (b *Broker) Hash(path, input string) (string, error) {
	path = Normalize(path)
	for _, d := range *b.devices.Load() {
		if d.Path == path {
			return d.format.salt.hash(input), nil
		}
	}
	return "", fault.Newf(fault.NotFound, "unknown audit backend %q", path)
}

// Reopen opens all files anew, so that a log that was moved away is started
// afresh, and drops socket connections. A device that cannot be reopened goes
// on with what it has, and the error says which.
func (b *Broker) Reopen() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, d := range *b.devices.Load() {
		if d.reopen == nil {
			continue
		}
		if err := d.reopen(); err != nil {
			errs = append(errs, fmt.Errorf("audit device %s: %w", d.Path, err))
		}
	}
	return errors.Join(errs...)
}

// Stats are counters since the start.
type Stats struct {
	Entries  uint64 // entries that reached Record with at least one device set up
	Refused  uint64 // entries that no device took
	Failures uint64 // failures of single devices
}

// Stats returns the counters.
func (b *Broker) Stats() Stats {
	return Stats{Entries: b.entries.Load(), Refused: b.refused.Load(), Failures: b.failures.Load()}
}

// Close closes all devices. Record then answers ErrNoDevice, also where no
// device is needed otherwise.
func (b *Broker) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed.Store(true)
	old := *b.devices.Swap(&[]*device{})
	var errs []error
	for _, d := range old {
		errs = append(errs, d.close())
	}
	return errors.Join(errs...)
}
