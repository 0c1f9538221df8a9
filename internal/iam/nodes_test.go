package iam

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

func TestEveryNodeFollows(t *testing.T) {
	r := newRig(t)
	a, b := r.node(StoreOptions{}), r.node(StoreOptions{})
	reloads := follows(b)
	changed := make(chan string, 100)
	b.OnChange(func(s *Snapshot) { changed <- s.ETag() })
	if got := <-changed; got != ETag(DefaultText) {
		t.Errorf("first snapshot %s", got)
	}
	etag, err := a.Apply(ctx, []byte(base), "")
	if err != nil {
		t.Fatal(err)
	}
	if got := <-changed; got != etag {
		t.Errorf("node b got %s", got)
	}
	key, _, err := a.Regenerate(ctx, "Web")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, reloads, "node b takes the new key", func() bool { _, err := b.Authenticate(key); return err == nil })
	reloadsA := follows(a)
	if _, _, err := b.Regenerate(ctx, "Web"); err != nil {
		t.Fatal(err)
	}
	eventually(t, reloadsA, "node a refuses the old key", func() bool { _, err := a.Authenticate(key); return err != nil })
}

func TestRegenerateSeesTheConfigurationOfAnotherNode(t *testing.T) {
	r := newRig(t)
	a := r.node(StoreOptions{})
	// Node b does not hear of changes.
	deaf := r.options(StoreOptions{})
	deaf.Storage = deafStore{r.store}
	b, err := NewStore(deaf)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(ctx, []byte(base), ""); err != nil {
		t.Fatal(err)
	}
	key, _, err := b.Regenerate(ctx, "Web")
	if err != nil {
		t.Fatalf("the user is there: %v", err)
	}
	if _, err := b.Authenticate(key); err != nil {
		t.Error(err)
	}
	if _, err := a.Apply(ctx, []byte(DefaultText), ""); err != nil {
		t.Fatal(err)
	}
	_, _, err = b.Regenerate(ctx, "Web")
	wantKind(t, err, fault.NotFound, "user_missing")
}

type deafStore struct{ storage.Store }

// TestBadStoredTextKeepsTheLastGood: another node, of another version, stored
// what this one cannot read.
func TestBadStoredTextKeepsTheLastGood(t *testing.T) {
	r := newRig(t)
	s := r.node(StoreOptions{})
	if _, err := s.Apply(ctx, []byte(base), ""); err != nil {
		t.Fatal(err)
	}
	reloads := follows(s)
	bad := base + "[future]\n"
	err := r.store.Update(ctx, func(tx storage.Tx) error {
		if err := tx.Put(keyText, []byte(bad), time.Time{}); err != nil {
			return err
		}
		return putJSON(tx, keyMeta, meta{ETag: ETag(bad), Generation: 9})
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, reloads, "the store says what is wrong", func() bool { return s.Problem() != nil })
	wantKind(t, s.Problem(), fault.Invalid, "iam_config")
	if s.Snapshot().Text() != base {
		t.Error("the last good configuration is gone")
	}
	// API keys go on working.
	key, _, err := s.Regenerate(ctx, "Web")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(key); err != nil {
		t.Error(err)
	}
	// A node that starts now says what is wrong instead of guessing.
	n, err := NewStore(r.options(StoreOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	wantKind(t, n.Load(ctx), fault.Invalid, "iam_config")
	// A good text heals both.
	if _, err := s.Apply(ctx, []byte(DefaultText), ""); err != nil || s.Problem() != nil {
		t.Errorf("%v %v", err, s.Problem())
	}
	if err := n.Load(ctx); err != nil {
		t.Error(err)
	}
}

func TestFile(t *testing.T) {
	r := newRig(t)
	file := filepath.Join(t.TempDir(), "iam.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(base)
	s := r.node(StoreOptions{File: file})
	if s.Snapshot().Text() != base {
		t.Error("the file is not in force")
	}
	// The file is for the first start only …
	changed := base + "# changed\n"
	write(changed)
	if got := r.node(StoreOptions{File: file}).Snapshot().Text(); got != base {
		t.Error("a later start applied the file")
	}
	// … unless it is the truth, or somebody asks.
	if got := r.node(StoreOptions{File: file, ApplyFileOnStart: true}).Snapshot().Text(); got != changed {
		t.Error("the file is the truth and was not applied")
	}
	write(base)
	if err := s.Reload(ctx); err != nil || s.Snapshot().Text() != base {
		t.Errorf("reload: %v", err)
	}
	write("[users.A]\n")
	err := s.Reload(ctx)
	wantKind(t, err, fault.Invalid, "iam_config")
	if !strings.Contains(fault.PublicText(err), file+":1: users.A.role: is missing") || s.Snapshot().Text() != base {
		t.Errorf("%s", fault.PublicText(err))
	}
	// A bad file does not stop a node that has a good configuration.
	if got := r.node(StoreOptions{File: file}).Snapshot().Text(); got != base {
		t.Error("started with something else")
	}
	n, err := NewStore(r.options(StoreOptions{File: file, ApplyFileOnStart: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	wantKind(t, n.Load(ctx), fault.Invalid, "iam_config")

	write(strings.Repeat("#", MaxSize+1))
	wantKind(t, s.Reload(ctx), fault.Invalid, "iam_config")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.Reload(ctx), fault.Invalid, "iam_file")
	wantKind(t, n.Load(ctx), fault.Invalid, "iam_file")
}

func TestReloadWithoutAFileReadsWhatIsStored(t *testing.T) {
	s := newRig(t).node(StoreOptions{})
	if err := s.Reload(ctx); err != nil || s.Snapshot().Text() != DefaultText {
		t.Error(err)
	}
}
