package mount

import (
	"context"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

func openRaw(t *testing.T) storage.Store {
	t.Helper()
	st, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func openOn(t *testing.T, st storage.Store, o Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), st, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// switched is a store whose answers can be lost.
type switched struct {
	storage.Store
	lose bool
}

func (s *switched) Update(ctx context.Context, fn func(storage.Tx) error) error {
	if s.lose {
		return storagetest.LoseAnswers(s.Store).Update(ctx, fn)
	}
	return s.Store.Update(ctx, fn)
}

// A change whose answer was lost is reported as a failure, and is in force a
// moment later all the same if it is stored: never a table of both.
func TestTableIsOldOrNewAsAWhole(t *testing.T) {
	ctx := context.Background()
	tables := make(chan *Table, 100)
	st := &switched{Store: openRaw(t)}
	s := openOn(t, st, Options{Changed: func(n *Table) { tables <- n }})
	if _, err := s.Enable(ctx, Entry{Path: "secret/", Type: TypeKV}); err != nil {
		t.Fatal(err)
	}
	old := s.Table()
	st.lose = true
	if _, err := s.Move(ctx, "secret/", "moved/"); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	late := time.After(time.Minute)
	for {
		_, has := s.Table().Get("secret/")
		_, moved := s.Table().Get("moved/")
		if has == moved {
			t.Fatal("the mount is at both paths or at none")
		}
		if moved {
			break
		}
		select {
		case <-tables:
		case <-late:
			t.Fatal("the move is stored and never in force")
		}
	}
	if _, ok := old.Get("secret/"); !ok {
		t.Error("a table in use was changed")
	}
}

func TestEveryChangeIsAllOrNothing(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]func(*Store) error{
		"enable":  func(s *Store) error { _, err := s.Enable(ctx, Entry{Path: "new/", Type: TypeKV}); return err },
		"disable": func(s *Store) error { _, err := s.Disable(ctx, "secret/"); return err },
		"move":    func(s *Store) error { _, err := s.Move(ctx, "secret/", "moved/"); return err },
		"tune": func(s *Store) error {
			return s.Tune(ctx, "secret/", func(e *Entry) error { e.Description += "x"; return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			st := openRaw(t)
			if _, err := openOn(t, st, Options{}).Enable(ctx, Entry{Path: "secret/", Type: TypeKV}); err != nil {
				t.Fatal(err)
			}
			storagetest.AllOrNothing(t, st, func(st storage.Store) error {
				f, ok := st.(*storagetest.Faulty)
				if !ok {
					t.Fatal("not a faulty store")
				}
				s, err := Open(ctx, f.OnlyUpdates(), Options{})
				if err != nil {
					return err
				}
				defer s.Close()
				before := s.Table()
				err = change(s)
				if err != nil && s.Table() != before {
					t.Error("the table changed although the change failed")
				}
				return err
			})
		})
	}
}
