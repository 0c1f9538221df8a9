package vaultapi

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

// sysRaftRows are what clients ask of a server that keeps its data by the Raft
// protocol, which this one does not: the copy of the store, by the name that
// clients know, and the answer of the reference for the rest.
var sysRaftRows = []Row{
	{Verbs: []string{Read}, Pattern: "storage/raft/snapshot", Auth: route.Authenticated, Sudo: true, Action: "storage-raft-snapshot-take", Help: "Read a sealed copy of the whole store, as an archive.",
		Handler: Action{Do: snapshot}},
	{Verbs: []string{Update}, Pattern: "storage/raft/snapshot", Auth: route.Authenticated, Sudo: true, Action: "storage-raft-snapshot-restore", Body: SmallBody, Help: "Say how a copy is put back.",
		Handler: Action{Do: noRestore, Unread: true}},
	{Verbs: []string{Update}, Pattern: "storage/raft/snapshot-force", Auth: route.Authenticated, Sudo: true, Action: "storage-raft-snapshot-force-restore", Body: SmallBody, Help: "Say how a copy is put back.",
		Handler: Action{Do: noRestore, Unread: true}},
	{Verbs: []string{Read}, Pattern: "storage/raft/configuration", Auth: route.Authenticated, Action: "storage-raft-read-configuration", Help: "Say that there is no Raft.",
		Handler: Action{Do: noRaft}},
	{Verbs: []string{Update}, Pattern: "storage/raft/remove-peer", Auth: route.Authenticated, Action: "storage-raft-remove-peer", Body: SmallBody, Help: "Say that there is no Raft.",
		Handler: Action{Do: noRaft, Free: true}},
	{Verbs: []string{Read}, Pattern: "storage/raft/autopilot/state", Auth: route.Authenticated, Action: "storage-raft-autopilot-read-state", Help: "Say that there is no Raft.",
		Handler: Action{Do: noRaft}},
	{Verbs: []string{Read}, Pattern: "storage/raft/autopilot/configuration", Auth: route.Authenticated, Action: "storage-raft-autopilot-read-configuration", Help: "Say that there is no Raft.",
		Handler: Action{Do: noRaft}},
	{Verbs: []string{Update}, Pattern: "storage/raft/autopilot/configuration", Auth: route.Authenticated, Action: "storage-raft-autopilot-configure", Body: SmallBody, Help: "Say that there is no Raft.",
		Handler: Action{Do: noRaft, Free: true}},
}

func noRaft(context.Context, *Call, gate.Pass) (*Reply, error) {
	return nil, fault.New(fault.Invalid, "raft storage is not in use")
}

// noRestore keeps a token of this store from replacing it.
func noRestore(context.Context, *Call, gate.Pass) (*Reply, error) {
	return nil, fault.New(fault.Invalid, "a snapshot is not put back over the API: stop the server, and run \"jotgate operator snapshot restore\" where it keeps its data")
}

// snapshot sends a copy of the store, which only its own unseal key opens.
func snapshot(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	write := c.Runtime.Snapshot
	switch {
	case write == nil:
		return nil, fault.New(fault.NotImplemented, "this storage has its own tools for backups: back the database up with them")
	case c.WrapTTL > 0:
		return nil, fault.New(fault.Invalid, "a snapshot cannot be wrapped: leave X-Vault-Wrap-TTL out")
	}
	return &Reply{ContentType: "application/gzip", Stream: write}, nil
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
