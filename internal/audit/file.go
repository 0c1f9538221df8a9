package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/jotgate/jotgate/internal/fault"
)

// lineSink writes whole lines to a stream and, if the stream once took only
// half a line, ends that line before the next one.
type lineSink struct {
	mu   sync.Mutex
	w    io.WriteCloser
	torn bool
}

// Write is called by the queue, one call at a time.
func (s *lineSink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.torn {
		if _, err := s.w.Write([]byte{'\n'}); err != nil {
			return 0, err
		}
		s.torn = false
	}
	n, err := s.w.Write(p)
	if n > 0 {
		s.torn = p[n-1] != '\n'
	}
	return n, err
}

// replace puts w in place of the present stream and closes that one.
func (s *lineSink) replace(w io.WriteCloser) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.w
	s.w, s.torn = w, false
	return old.Close()
}

// Close closes the stream once a running write has ended.
func (s *lineSink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Close()
}

// openFile opens an audit file for appending. It never waits, never writes to
// anything but a regular file, and never to one that somebody could execute:
// a log whose text a caller can steer must not become a program.
// With a root, the file must lie inside that directory.
func openFile(root, path string, mode fs.FileMode) (*os.File, error) {
	perm := mode
	if perm == 0 {
		perm = 0o600
	}
	// O_NONBLOCK: opening a pipe that nobody reads fails instead of waiting.
	f, err := openInside(root, path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK|syscall.O_CLOEXEC, perm)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, openProblem(path, err))
	}
	if err := checkFile(f, path, mode); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func openInside(root, path string, flags int, perm fs.FileMode) (*os.File, error) {
	if root == "" {
		return os.OpenFile(path, flags, perm)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	rel, err := filepath.Rel(root, path)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, errOutside
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return r.OpenFile(rel, flags, perm)
}

// errOutside is a path that leads out of the directory set aside for devices.
var errOutside = errors.New("outside the directory for audit files")

func checkFile(f *os.File, path string, mode fs.FileMode) error {
	info, err := f.Stat()
	if err != nil {
		return fault.Wrap(fault.Invalid, err, fmt.Sprintf("audit file %s cannot be examined", path))
	}
	if !info.Mode().IsRegular() {
		return fault.Newf(fault.Invalid, "audit file %s is not a regular file: name a file, or \"stdout\"", path)
	}
	if mode != 0 && info.Mode().Perm() != mode {
		if err := f.Chmod(mode); err != nil {
			return fault.Wrap(fault.Invalid, err, fmt.Sprintf("audit file %s cannot be given mode %04o", path, mode))
		}
		return nil
	}
	if mode == 0 && info.Mode().Perm()&0o111 != 0 {
		return fault.Newf(fault.Invalid, "audit file %s is executable: remove its execute bits", path)
	}
	return nil
}

func openProblem(path string, err error) string {
	switch {
	case errors.Is(err, errOutside):
		return fmt.Sprintf("audit file %s lies outside the directory that the server's settings set aside for it", path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("audit file %s: its directory does not exist: create it", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("audit file %s: permission denied: let the server's user write there", path)
	case errors.Is(err, syscall.EISDIR):
		return fmt.Sprintf("audit file %s is a directory: name a file", path)
	case errors.Is(err, syscall.ENXIO):
		return fmt.Sprintf("audit file %s is not a regular file: name a file, or \"stdout\"", path)
	default:
		return fmt.Sprintf("audit file %s cannot be opened", path)
	}
}

// discard takes everything and keeps nothing.
type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }

// standardOutput writes to the process's standard output and leaves it open.
type standardOutput struct{}

func (standardOutput) Write(p []byte) (int, error) { return os.Stdout.Write(p) }
func (standardOutput) Close() error                { return nil }

func (s *lineSink) onDisk() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.w.(*os.File)
	return ok
}

// lateSink opens its stream when there is a line to write, and tries again
// with the next line if that fails.
type lateSink struct {
	mu   sync.Mutex
	open func() (io.WriteCloser, error)
	w    io.WriteCloser
}

// Write is called by the queue, one call at a time.
func (s *lateSink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		w, err := s.open()
		if err != nil {
			return 0, err
		}
		s.w = w
	}
	return s.w.Write(p)
}

// Close closes the stream, if there is one. The next line opens it anew.
func (s *lateSink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w == nil {
		return nil
	}
	err := s.w.Close()
	s.w = nil
	return err
}
