package session

import (
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

func TestStoredTellsTokensThatAreGoneForGood(t *testing.T) {
	w := newWorld(t)
	want := func(id string, want bool) {
		t.Helper()
		if err := w.db.View(t.Context(), func(tx storage.ReadTx) error {
			got, err := w.Stored(tx, id)
			if got != want {
				t.Errorf("Stored(%q) = %v", id, got)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	revoked, expired := w.issue(login()), w.issue(login())
	want(revoked.Token.ID.String(), true)
	if err := w.Revoke(t.Context(), revoked.ClientToken); err != nil {
		t.Fatal(err)
	}
	want(revoked.Token.ID.String(), false)
	want(expired.Token.ID.String(), true)
	w.clock.Add(1000 * time.Hour)
	want(expired.Token.ID.String(), false)
	want("", false)
	want("not hex", false)
}
