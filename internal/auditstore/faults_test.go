package auditstore_test

import (
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// A device that cannot be remembered is not opened, one that cannot be
// forgotten goes on, and what another node did is followed as soon as it can be
// read, without any further change.
func TestDevicesAreOldOrNewAsAWhole(t *testing.T) {
	db, dir := openDB(t), t.TempDir()
	b := &storagetest.Breaker{Store: db}
	s, broker := node(t, b, dir)
	if err := s.Enable(t.Context(), file("kept", "kept.log")); err != nil {
		t.Fatal(err)
	}
	b.NoUpdates.Store(true)
	if err := s.Enable(t.Context(), file("new", "new.log")); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	if err := s.Disable(t.Context(), "kept"); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	if d := broker.Devices(); len(d) != 1 || d[0].Path != "kept/" {
		t.Errorf("devices after two failures: %+v", d)
	}
	b.NoUpdates.Store(false)

	b.NoViews.Store(true)
	other, _ := node(t, db, dir)
	if err := other.Enable(t.Context(), file("theirs", "theirs.log")); err != nil {
		t.Fatal(err)
	}
	if err := other.Disable(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	if d := broker.Devices(); len(d) != 1 || d[0].Path != "kept/" {
		t.Errorf("devices before they can be read: %+v", d)
	}
	b.NoViews.Store(false)
	eventually(t, "the devices are those of the other node", func() bool {
		d := broker.Devices()
		return len(d) == 1 && d[0].Path == "theirs/"
	})
}

// A device whose answer was lost is opened a moment later: what is stored counts.
func TestDeviceWithLostAnswerIsFollowed(t *testing.T) {
	s, broker := node(t, storagetest.LoseAnswers(openDB(t)), t.TempDir())
	if err := s.Enable(t.Context(), file("new", "new.log")); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	eventually(t, "the device is open", func() bool { return len(broker.Devices()) == 1 })
}
