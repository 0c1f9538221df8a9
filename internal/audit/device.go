package audit

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

// DefaultTimeout is how long a device may take for a line unless its
// write_timeout says otherwise.
const DefaultTimeout = 2 * time.Second

// Device is what the operator writes about one audit device.
type Device struct {
	// Path names the device, such as "file/". It ends in a slash; Normalize
	// adds one.
	Path string
	// Type is "file", "syslog" or "socket".
	Type        string
	Description string
	// Local is kept and shown; it has no meaning here, as there is no
	// replication.
	Local bool
	// Options are texts, as in the reference. All types: format ("json"),
	// log_raw, hmac_accessor, elide_list_responses (booleans), prefix,
	// write_timeout (duration). file: file_path (a path, "stdout" or
	// "discard"), mode (octal). syslog: facility, tag. socket: address,
	// socket_type ("tcp", "udp", "unix").
	Options map[string]string
	// Salt is the key of the device's HMACs, at least 16 bytes. It is a secret.
	Salt []byte
	// Root, if set, is the directory that a file must lie in; symbolic links do
	// not lead out of it. It is for devices that somebody sets up over the
	// network.
	Root string
	// FromConfig marks a device of the server's own settings file, which the
	// API may not disable.
	FromConfig bool
}

// device is an open audit device.
type device struct {
	Device
	format format
	queue  queue
	sink   io.WriteCloser
	reopen func() error
}

// options reads Device.Options and remembers the first problem and the names
// that it was asked for.
type options struct {
	m    map[string]string
	seen []string
	err  error
}

func (o *options) text(name, def string) string {
	o.seen = append(o.seen, name)
	if v, ok := o.m[name]; ok && v != "" {
		return v
	}
	return def
}

func (o *options) fail(format string, args ...any) {
	if o.err == nil {
		o.err = fault.Newf(fault.Invalid, format, args...)
	}
}

func (o *options) bool(name string, def bool) bool {
	s := o.text(name, "")
	if s == "" {
		return def
	}
	v, err := strconv.ParseBool(s)
	if err != nil {
		o.fail("audit option %q must be true or false", name)
	}
	return v
}

func (o *options) duration(name string, def time.Duration) time.Duration {
	s := o.text(name, "")
	if s == "" {
		return def
	}
	if n, err := strconv.Atoi(s); err == nil {
		s = strconv.Itoa(n) + "s"
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 10*time.Millisecond || d > time.Minute {
		o.fail("audit option %q must be a duration from 10ms to 1m, such as \"2s\"", name)
		return def
	}
	return d
}

func (o *options) mode(name string) fs.FileMode {
	s := o.text(name, "0600")
	n, err := strconv.ParseUint(s, 8, 32)
	switch {
	case err != nil || n > 0o777:
		o.fail("audit option %q must be an octal file mode such as \"0600\"", name)
	case n&0o111 != 0:
		o.fail("audit option %q must not make the log executable", name)
	}
	return fs.FileMode(n)
}

// unknown reports an option that no part has asked for.
func (o *options) unknown() {
	var names []string
	for name := range o.m {
		if !slices.Contains(o.seen, name) {
			names = append(names, strconv.Quote(name))
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		o.fail("unknown audit option %s", strings.Join(names, ", "))
	}
}

// Normalize returns path in the form in which devices are named: no slash in
// front, one at the end. It returns "" for a path that names nothing.
func Normalize(path string) string {
	path = strings.Trim(path, "/")
	if path == "" {
		return ""
	}
	return path + "/"
}

// Check reports the first problem of a device's settings without opening
// anything, as a *fault.Error of kind Invalid.
func Check(d Device) error {
	_, _, err := prepare(d)
	return err
}

// opener opens what an option set describes.
type opener func(*device) error

func prepare(d Device) (*device, opener, error) {
	d.Path = Normalize(d.Path)
	if d.Path == "" {
		return nil, nil, fault.New(fault.Invalid, "an audit device needs a path")
	}
	if len(d.Salt) < 16 {
		return nil, nil, fault.Wrap(fault.Internal, fmt.Errorf("audit: device %s has no salt", d.Path), "")
	}
	o := &options{m: d.Options}
	if f := o.text("format", "json"); f != "json" {
		o.fail("audit format %q is not offered: use \"json\"", f)
	}
	v := &device{Device: d, format: format{
		salt: newSalter(d.Salt), prefix: o.text("prefix", ""), raw: o.bool("log_raw", false),
		clearAccess: !o.bool("hmac_accessor", true), elideLists: o.bool("elide_list_responses", false),
	}}
	if strings.ContainsAny(v.format.prefix, "\r\n") {
		o.fail("audit option %q must not contain a line break", "prefix")
	}
	v.queue.timeout = o.duration("write_timeout", DefaultTimeout)
	open := byType(d, o)
	o.unknown()
	if o.err != nil {
		return nil, nil, o.err
	}
	return v, open, nil
}

func byType(d Device, o *options) opener {
	switch d.Type {
	case "file":
		return fileOpener(d.Root, o)
	case "socket":
		return socketOpener(d.Root, o)
	case "syslog":
		facility, tag := o.text("facility", "AUTH"), o.text("tag", "jotgate")
		return func(v *device) error {
			s, err := openSyslog(facility, tag)
			v.sink = s
			return err
		}
	default:
		o.fail("unknown audit device type %q: use \"file\", \"socket\" or \"syslog\"", d.Type)
		return nil
	}
}

func fileOpener(root string, o *options) opener {
	path, mode := o.text("file_path", o.m["path"]), o.mode("mode")
	o.seen = append(o.seen, "path")
	switch path {
	case "":
		o.fail("audit option \"file_path\" is required")
	case "stdout":
		return func(v *device) error {
			v.sink = &lineSink{w: standardOutput{}}
			return nil
		}
	case "discard":
		return func(v *device) error {
			v.sink, v.queue.inline = discard{}, true
			return nil
		}
	}
	return func(v *device) error {
		f, err := openFile(root, path, mode)
		if err != nil {
			return err
		}
		s := &lineSink{w: f}
		v.sink = s
		v.reopen = func() error {
			f, err := openFile(root, path, mode)
			if err != nil {
				return err
			}
			return s.replace(f)
		}
		return nil
	}
}

// socketOpener is for devices on a socket. A Unix socket is a file: with a
// root, which devices of the API have, there is none.
func socketOpener(root string, o *options) opener {
	network, address := o.text("socket_type", "tcp"), o.text("address", "")
	if address == "" {
		o.fail("audit option \"address\" is required")
	}
	switch network {
	case "tcp", "udp", "unix":
	default:
		o.fail("audit option \"socket_type\" must be tcp, udp or unix")
	}
	if network == "unix" && root != "" {
		o.fail("audit option \"socket_type\" is unix: such a device can only stand in the server's settings file")
	}
	return func(v *device) error {
		s := &socketSink{network: network, address: address, timeout: v.queue.timeout}
		v.sink, v.reopen = s, func() error { s.drop(); return nil }
		return nil
	}
}

// open opens the device.
func open(d Device) (*device, error) {
	v, fn, err := prepare(d)
	if err != nil {
		return nil, err
	}
	if err := fn(v); err != nil {
		return nil, err
	}
	v.queue.sink = v.sink
	return v, nil
}

// openAnyway is open for a device that was set up before: if it cannot be
// opened now, the device fails every line until it can.
func openAnyway(d Device) (*device, error) {
	v, err := open(d)
	if err == nil {
		return v, nil
	}
	v, _, perr := prepare(d)
	if perr != nil {
		return nil, perr
	}
	s := &lateSink{open: func() (io.WriteCloser, error) {
		now, err := open(d)
		if err != nil {
			return nil, err
		}
		return now.sink, nil
	}}
	v.sink, v.queue.sink, v.reopen = s, s, s.Close
	return v, err
}

// record writes one or two entries; second may be nil.
func (v *device) record(e, second *Entry) error {
	n := v.format.encode(e)
	defer n.release()
	if second != nil {
		n.again(second)
	}
	return v.queue.write(n.b)
}

func (v *device) close() error {
	v.queue.close()
	return v.sink.Close()
}

// onDisk reports whether the device is a file on a disk, whose write a caller
// may do itself when no other device waits.
func (v *device) onDisk() bool {
	s, ok := v.sink.(*lineSink)
	return ok && s.onDisk()
}
