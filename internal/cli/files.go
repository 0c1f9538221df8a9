package cli

import (
	"crypto/rand"
	"encoding/hex"
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
	suffix := make([]byte, 6)
	if _, err := rand.Read(suffix); err != nil {
		return Fail(err, "cannot write %s", path)
	}
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+hex.EncodeToString(suffix)+".tmp")
	if err := WriteNew(tmp, data, mode); err != nil {
		return FileError("write", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = os.Remove(tmp)
		return FileError("write", path, err)
	}
	return nil
}
