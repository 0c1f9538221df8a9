package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// Snapshot implements storage.Snapshotter: it writes a copy of the data file,
// which is itself a data file. The copy is spooled beside the store first, so
// that a slow reader holds no transaction open; that needs as much room again while
// it runs.
func (s *Store) Snapshot(ctx context.Context, begin func(size int64) (io.Writer, error)) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.Leave()
	spool, err := os.CreateTemp(s.dir, ".snapshot-*")
	if err != nil {
		return fmt.Errorf("storage: snapshot: %w", err)
	}
	defer func() {
		err = errors.Join(err, spool.Close(), os.Remove(spool.Name()))
	}()
	if err := s.copyTo(spool); err != nil {
		return fmt.Errorf("storage: snapshot: %w", err)
	}
	size, err := spool.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = spool.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("storage: snapshot: %w", err)
	}
	w, err := begin(size)
	if err != nil {
		return fmt.Errorf("storage: snapshot: %w", err)
	}
	if _, err := io.Copy(w, &contextReader{ctx, spool}); err != nil {
		return fmt.Errorf("storage: snapshot: %w", err)
	}
	return nil
}

func (s *Store) copyTo(w io.Writer) (err error) {
	defer guard(debug.SetPanicOnFault(true), &err)
	tx, err := s.db.Begin(false)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	_, err = tx.WriteTo(w)
	return err
}

// contextReader ends a copy when the caller has gone.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
