package cli

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteNew creates a file that must not exist yet, with its mode from the
// first byte on. It never overwrites: a key that is gone is gone.
func WriteNew(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return FileError("write", path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(path)
		return FileError("write", path, err)
	}
	return nil
}

// Replace writes a file by way of a temporary one in the same directory and a
// rename, so that a reader sees the old or the new content and never a part,
// and so that the new file's mode does not depend on the old one's.
func Replace(path string, data []byte, mode os.FileMode) error {
	tmp := besides(path)
	if err := WriteNew(tmp, data, mode); err != nil {
		return FileError("write", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = os.Remove(tmp)
		return FileError("write", path, err)
	}
	return nil
}

// besides returns the name of a temporary file in the directory of path.
func besides(path string) string {
	suffix := make([]byte, 6)
	_, _ = rand.Read(suffix) // never fails: it ends the process instead
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+hex.EncodeToString(suffix)+".tmp")
}

// Save writes what r gives to a file, which appears under its name once it is
// whole and on disk. A file that is there stays, and is an error, unless
// replace is set.
func Save(path string, r io.Reader, mode os.FileMode, replace bool) (size int64, err error) {
	tmp := besides(path)
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return 0, FileError("write", path, err)
	}
	defer func() { _ = os.Remove(tmp) }()
	size, err = io.Copy(f, r)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return 0, FileError("write", path, err)
	}
	if replace {
		err = os.Rename(tmp, path)
	} else if err = os.Link(tmp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		err = moveNew(tmp, path) // not every file system has hard links
	}
	if err != nil {
		return 0, FileError("write", path, err)
	}
	return size, nil
}

func moveNew(from, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}
