package server

import (
	"io"
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
)

func TestOneSnapshotIsTakenAtATime(t *testing.T) {
	s := &Server{}
	s.copying.Lock()
	if err := s.snapshot(t.Context(), "", io.Discard); !fault.Is(err, fault.TooMany) {
		t.Errorf("a second snapshot: %v", err)
	}
}
