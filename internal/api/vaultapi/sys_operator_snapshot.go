package vaultapi

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

// snapshot sends a copy of the store, which only its own unseal key opens.
func snapshot(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	write := c.Runtime.Snapshot
	switch {
	case write == nil:
		return nil, fault.New(fault.NotImplemented, "this storage has its own tools for backups: back the database up with them")
	case c.WrapTTL > 0:
		return nil, fault.New(fault.Invalid, "a snapshot cannot be wrapped: leave X-Vault-Wrap-TTL out")
	}
	return &Reply{ContentType: "application/octet-stream", Stream: write}, nil
}

// stream sends a body that is too large to be held. What fails before its
// first byte is answered as an error; afterwards all that is left is to break
// the connection off, so that nobody takes a part for the whole.
func (c *Call) stream(r *Reply) error {
	h := c.w.Header()
	h.Set("Content-Type", r.ContentType)
	if c.http.Method == http.MethodHead {
		c.w.WriteHeader(http.StatusOK)
		return nil
	}
	w := &streamed{w: c.w, control: http.NewResponseController(c.w)}
	// The server's limits are for requests that fit into memory. A reader that
	// stops reading is still given up on, by the limit of each piece. A writer
	// without deadlines needs none lifted.
	_ = w.control.SetReadDeadline(time.Time{})
	_ = w.control.SetWriteDeadline(time.Time{})
	err := r.Stream(c.http.Context(), w)
	switch {
	case err == nil:
		return nil
	case !w.begun:
		h.Set("Content-Type", "application/json")
		return err
	}
	c.Door.log.Error("vault door: an answer ended early", "request_id", c.id(), "path", c.Path, "error", err)
	panic(http.ErrAbortHandler)
}

// pieceTime is how long a reader may take for one piece of a streamed answer.
const pieceTime = time.Minute

// streamed gives every piece of an answer its own time, so that a long answer
// lives for as long as its reader takes it.
type streamed struct {
	w       io.Writer
	control *http.ResponseController
	begun   bool
}

func (s *streamed) Write(p []byte) (int, error) {
	s.begun = true
	_ = s.control.SetWriteDeadline(time.Now().Add(pieceTime))
	return s.w.Write(p)
}
