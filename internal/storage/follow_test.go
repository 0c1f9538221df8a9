package storage_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

// A change is followed in the end, also when the first attempts fail and no
// other change comes.
func TestFollowTriesAgainUntilItSucceeds(t *testing.T) {
	s, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	calls := make(chan int, 10)
	n := 0
	stop := storage.Follow(s, []byte("p/"), func() error {
		n++
		calls <- n
		if n < 3 {
			return errors.New("out of reach")
		}
		return nil
	})
	defer stop()
	if err := storagetest.Put(s, "p/x", "v", time.Time{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for want := 1; want <= 3; want++ {
		select {
		case got := <-calls:
			if got != want {
				t.Fatal(got, want)
			}
		case <-ctx.Done():
			t.Fatalf("attempt %d never came", want)
		}
	}
}
