package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/jotgate/jotgate/internal/fault"
)

// errKeySize never shows the key.
func errKeySize(n int) error {
	return fault.Newf(fault.Invalid, "the unseal key has %d bytes: %d are needed, raw or as base64", n, KeySize).WithReason("invalid_key")
}

// maxKeyText is how much of a key file is read.
const maxKeyText = 256

// ParseKey returns the unseal key that text holds: KeySize raw bytes, or
// base64 of them with or without padding, in either alphabet, with white space
// around it.
func ParseKey(text []byte) ([]byte, error) {
	if len(text) == KeySize {
		return bytes.Clone(text), nil
	}
	trimmed := bytes.TrimRight(bytes.TrimSpace(text), "=")
	for _, e := range []*base64.Encoding{base64.RawStdEncoding.Strict(), base64.RawURLEncoding.Strict()} {
		key := make([]byte, e.DecodedLen(len(trimmed)))
		if n, err := e.Decode(key, trimmed); err == nil && n == KeySize {
			return key[:n], nil
		}
	}
	return nil, errKeySize(len(text))
}

// ReadKeyFile returns the unseal key in the file, which nobody but its owner
// may be able to read or write.
func ReadKeyFile(path string) ([]byte, error) {
	f, err := os.Open(path) // the operator's own path
	if err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fault.Newf(fault.Invalid, "key file %s is open to others (mode %04o): run chmod 600 on it", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyText))
	if err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	defer clear(text)
	key, err := ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("seal: key file %s: %w", path, err)
	}
	return key, nil
}

// CreateKeyFile writes a fresh unseal key, in base64, to a new file of mode
// 0600 and returns it once it is on disk. It never replaces a file.
func CreateKeyFile(path string) (key []byte, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // the operator's own path
	if err != nil {
		return nil, fmt.Errorf("seal: creating the key file: %w", err)
	}
	key = randomKey()
	_, err = fmt.Fprintln(f, base64.StdEncoding.EncodeToString(key))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("seal: creating the key file: %w", err)
	}
	return key, syncDir(filepath.Dir(path))
}

// syncDir makes a new name survive a power cut: a store whose key file is gone
// is lost.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir) // the operator's own path
	if err != nil {
		return fmt.Errorf("seal: creating the key file: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("seal: creating the key file: %w", err)
	}
	return nil
}

// KeyFromEnvironment returns the unseal key in the variable and takes the
// variable out of the environment, so that no child process inherits it. It
// returns nil for one that is not set.
func KeyFromEnvironment(name string) ([]byte, error) {
	text, ok := os.LookupEnv(name)
	if !ok || text == "" {
		return nil, nil
	}
	if err := os.Unsetenv(name); err != nil {
		return nil, fmt.Errorf("seal: environment variable %s: %w", name, err)
	}
	key, err := ParseKey([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("seal: environment variable %s: %w", name, err)
	}
	return key, nil
}
