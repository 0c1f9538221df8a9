package server

import (
	"bytes"
	"context"
	"io"

	"github.com/jotgate/jotgate/internal/config"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/snapshot"
)

// snapshot writes one copy at a time: each needs as much room as the store.
func (s *Server) snapshot(ctx context.Context, cluster string, w io.Writer) error {
	if !s.copying.TryLock() {
		return fault.New(fault.TooMany, "another snapshot is being taken: wait until it is done")
	}
	defer s.copying.Unlock()
	var out *snapshot.Writer
	err := s.barrier.Snapshot(ctx, func(size int64) (_ io.Writer, err error) {
		out, err = snapshot.NewWriter(w, snapshot.Meta{
			ID: gate.NewID(), Created: s.now().UTC(), Server: config.Version, Cluster: cluster, Size: size,
		})
		return out, err
	})
	if err != nil {
		return err
	}
	return out.Close(s.sealSums)
}

// snapshotSums is what the seal of an archive's list is for.
const snapshotSums = "snapshot sums"

// sealSums seals the list of an archive. On a server that was sealed in the
// meantime it returns nil: the archive is not completed then.
func (s *Server) sealSums(list []byte) []byte {
	ring := s.barrier.Keyring()
	sealed := ring.Seal(snapshotSums, nil, list)
	if back, err := ring.Open(snapshotSums, nil, sealed); err != nil || !bytes.Equal(back, list) {
		return nil
	}
	return sealed
}
