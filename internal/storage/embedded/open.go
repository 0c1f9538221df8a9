package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/jotgate/jotgate/internal/storage"
)

// format is what the about bucket says in a file that this package wrote.
var (
	formatKey = []byte("format")
	format    = []byte("jotgate-embedded-1")
)

// mapSize is how much address space is mapped at once. Growing the map means
// waiting for every reader, so it is generous; mapped is not resident.
const mapSize = 1 << 30

// Open opens the store in dir and creates both when they are missing, the
// directory with mode 0700 and the file with 0600. It returns at once:
// storage.ErrInUse when another process holds the file, storage.ErrDamaged when
// the file is not one that this package wrote or is cut short. A start reads a
// handful of pages, however many keys there are.
func Open(dir string, o Options) (*Store, error) {
	s := &Store{dir: dir, now: o.Now, log: o.Logger, commit: (*bolt.Tx).Commit}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	path := filepath.Join(dir, FileName)
	if err := prepare(dir, path); err != nil {
		return nil, err
	}
	if err := s.open(path); err != nil {
		if s.file != nil {
			unlock(s.file)
			_ = s.file.Close() // bbolt may have done so already
		}
		if errors.Is(err, storage.ErrDamaged) {
			err = fmt.Errorf("%w: restore %s from a backup", err, path)
		}
		return nil, err
	}
	s.startSweeper(o.SweepEvery)
	return s, nil
}

// open opens the file and proves that it is ours and whole.
func (s *Store) open(path string) (err error) {
	defer guard(debug.SetPanicOnFault(true), &err)
	s.db, err = bolt.Open(path, 0o600, s.options())
	if err != nil {
		return openError(path, err)
	}
	if err := s.check(path); err != nil {
		_ = s.db.Close()
		return err
	}
	return nil
}

func (s *Store) options() *bolt.Options {
	return &bolt.Options{
		Timeout:         time.Nanosecond, // one attempt at the lock
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: mapSize,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag&^os.O_CREATE, mode) // the operator's own path
			s.file = f
			return f, err
		},
	}
}

func (s *Store) check(path string) error {
	tx, err := s.db.Begin(false)
	if err != nil {
		return openError(path, err)
	}
	defer func() { _ = tx.Rollback() }()
	info, err := s.file.Stat()
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if info.Size() < tx.Size() {
		return fmt.Errorf("%w: the file is cut short (%d of %d bytes)", storage.ErrDamaged, info.Size(), tx.Size())
	}
	about := tx.Bucket(bucketAbout)
	if about == nil || tx.Bucket(bucketValues) == nil || tx.Bucket(bucketExpiry) == nil {
		return fmt.Errorf("%w: a bbolt file, but not one of jotgate", storage.ErrDamaged)
	}
	if got := about.Get(formatKey); !bytes.Equal(got, format) {
		return fmt.Errorf("%w: the file has format %q, this version reads %q", storage.ErrDamaged, got, format)
	}
	return nil
}

func openError(path string, err error) error {
	var onPath *fs.PathError
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: %s is locked: stop the other server or choose another directory", storage.ErrInUse, path)
	case errors.As(err, &onPath):
		return fmt.Errorf("storage: opening the data file: %w", err)
	default:
		return fmt.Errorf("%w: %w", storage.ErrDamaged, err)
	}
}

// prepare makes sure that dir and the data file exist. The file is built under
// another name and linked into place when whole, so that a crash leaves either
// none or a good one, and an empty file is always damage.
func prepare(dir, path string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil { //nolint:gosec // the operator's own path
		return fmt.Errorf("storage: creating the directory: %w", err)
	}
	info, err := os.Lstat(path) //nolint:gosec // the operator's own path
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return create(dir, path)
	case err != nil:
		return fmt.Errorf("storage: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is not a regular file", storage.ErrDamaged, path)
	case info.Size() == 0:
		return fmt.Errorf("%w: %s is empty: restore it from a backup", storage.ErrDamaged, path)
	case info.Mode().Perm()&0o077 != 0:
		if err := os.Chmod(path, 0o600); err != nil { //nolint:gosec // the operator's own path
			return fmt.Errorf("storage: %s is open to others and cannot be closed to them: %w", path, err)
		}
	}
	return nil
}

func create(dir, path string) error {
	temp, err := os.CreateTemp(dir, ".new-*.db") // mode 0600
	if err != nil {
		return fmt.Errorf("storage: creating the data file: %w", err)
	}
	defer func() { _ = os.Remove(temp.Name()) }() //nolint:gosec // the operator's own path
	if err := temp.Close(); err != nil {
		return fmt.Errorf("storage: creating the data file: %w", err)
	}
	if err := fill(temp.Name()); err != nil {
		return fmt.Errorf("storage: creating the data file: %w", err)
	}
	// Link does not replace: a server that starts at the same moment keeps its own.
	err = os.Link(temp.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = os.Rename(temp.Name(), path) //nolint:gosec // a file system without links
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("storage: creating the data file: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	return syncDir(filepath.Dir(filepath.Clean(dir)))
}

// fill writes an empty store.
func fill(path string) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{bucketValues, bucketExpiry, bucketAbout} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketAbout).Put(formatKey, format)
	})
	return errors.Join(err, db.Close())
}

// syncDir makes a new name in dir survive a power cut.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(dir) //nolint:gosec // the operator's own path
	if err != nil {
		return fmt.Errorf("storage: syncing the directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("storage: syncing the directory: %w", err)
	}
	return nil
}
