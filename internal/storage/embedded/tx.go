package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/driver"
)

// The file's buckets: values maps a key to its expiry and value; expiry orders
// the keys that expire by when they do; about names the file's format.
var (
	bucketValues = []byte("values")
	bucketExpiry = []byte("expiry")
	bucketAbout  = []byte("about")
)

var errEnded = errors.New("storage: transaction used after its function returned")

// tx implements storage.ReadTx and storage.Tx. Writes stay in buf.
type tx struct {
	values   *bolt.Bucket
	now      time.Time
	nowNS    int64
	writable bool
	ended    bool
	buf      driver.Buffer
}

func newTx(values *bolt.Bucket, now time.Time) *tx {
	return &tx{values: values, now: now, nowNS: driver.Expiry(now)}
}

func (t *tx) end() { t.ended = true }

// bucket finds one of the file's buckets, which reads pages and so can meet
// damage.
func bucket(tx *bolt.Tx, name []byte) (b *bolt.Bucket, err error) {
	defer guard(debug.SetPanicOnFault(true), &err)
	if b = tx.Bucket(name); b == nil {
		return nil, fmt.Errorf("%w: the file has lost its bucket %q", storage.ErrDamaged, name)
	}
	return b, nil
}

// Now implements storage.ReadTx.
func (t *tx) Now() time.Time { return t.now }

// Get implements storage.ReadTx.
func (t *tx) Get(key []byte) ([]byte, error) {
	if t.ended {
		return nil, errEnded
	}
	if err := driver.CheckKey(key); err != nil {
		return nil, err
	}
	if w, ok := t.buf.Get(key); ok {
		if w.Deleted || driver.Expired(w.Expires, t.nowNS) {
			return nil, storage.ErrNotFound
		}
		return bytes.Clone(w.Value), nil
	}
	return t.read(key)
}

func (t *tx) read(key []byte) (value []byte, err error) {
	defer guard(debug.SetPanicOnFault(true), &err)
	record := t.values.Get(key)
	if record == nil {
		return nil, storage.ErrNotFound
	}
	expires, value, err := decode(record)
	if err != nil {
		return nil, err
	}
	if driver.Expired(expires, t.nowNS) {
		return nil, storage.ErrNotFound
	}
	return append(make([]byte, 0, len(value)), value...), nil
}

// Scan implements storage.ReadTx.
func (t *tx) Scan(prefix, after []byte, limit int) ([]storage.Item, error) {
	if t.ended {
		return nil, errEnded
	}
	if limit <= 0 {
		return nil, fmt.Errorf("storage: scan with limit %d", limit)
	}
	return t.buf.Scan(prefix, after, limit, t.nowNS, func(after []byte, limit int) ([]storage.Item, error) {
		return t.scan(prefix, after, limit)
	})
}

func (t *tx) scan(prefix, after []byte, limit int) (items []storage.Item, err error) {
	defer guard(debug.SetPanicOnFault(true), &err)
	from := prefix
	if bytes.Compare(after, from) > 0 {
		from = after
	}
	c := t.values.Cursor()
	for k, v := c.Seek(from); k != nil && len(items) < limit; k, v = c.Next() {
		if !bytes.HasPrefix(k, prefix) {
			break
		}
		if len(after) > 0 && bytes.Compare(k, after) <= 0 {
			continue
		}
		expires, value, err := decode(v)
		if err != nil {
			return nil, err
		}
		if !driver.Expired(expires, t.nowNS) {
			items = append(items, storage.Item{Key: bytes.Clone(k), Value: append(make([]byte, 0, len(value)), value...)})
		}
	}
	return items, nil
}

// Put implements storage.Tx.
func (t *tx) Put(key, value []byte, expires time.Time) error {
	if err := t.mayWrite(); err != nil {
		return err
	}
	return t.buf.Put(key, value, expires)
}

// Delete implements storage.Tx.
func (t *tx) Delete(key []byte) error {
	if err := t.mayWrite(); err != nil {
		return err
	}
	return t.buf.Delete(key)
}

func (t *tx) mayWrite() error {
	switch {
	case t.ended:
		return errEnded
	case !t.writable:
		return storage.ErrReadOnly
	}
	return nil
}

// guard is deferred around every use of bbolt. A damaged file shows there as a
// failed assertion, or as a page fault when the file is shorter than its
// mapping; both become ErrDamaged instead of ending the process. old is the
// goroutine's earlier panic-on-fault setting.
func guard(old bool, err *error) {
	debug.SetPanicOnFault(old)
	switch r := recover().(type) {
	case nil:
	case runtime.Error:
		*err = fmt.Errorf("%w: a page cannot be read (%w)", storage.ErrDamaged, r)
	default:
		*err = fmt.Errorf("%w: %v", storage.ErrDamaged, r)
	}
}

// expirySize is the length of the expiry before each value and index key.
const expirySize = 8

func encode(expires int64, value []byte) []byte {
	record := make([]byte, expirySize, expirySize+len(value))
	binary.BigEndian.PutUint64(record, uint64(expires)) // never negative: driver.Expiry
	return append(record, value...)
}

func decode(record []byte) (expires int64, value []byte, err error) {
	if len(record) < expirySize || record[0] > 0x7f {
		return 0, nil, fmt.Errorf("%w: a record has no expiry", storage.ErrDamaged)
	}
	return int64(binary.BigEndian.Uint64(record)), record[expirySize:], nil // sign checked above
}

// indexKey is the key in the expiry bucket: by instant first, then by key.
func indexKey(expires int64, key []byte) []byte { return encode(expires, key) }
