package identity

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
)

func TestFirstLoginsInParallelMakeOneEntity(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	ids := make([]string, 16)
	for i := range ids {
		wg.Go(func() {
			ref, err := w.tryLogin(Login{MountAccessor: jwt1, AliasName: "alice"})
			if err != nil {
				t.Error(err)
			}
			ids[i] = ref.ID
		})
	}
	wg.Wait()
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 1 {
		t.Fatal("several entities for one subject")
	}
}

func TestAnotherNodeSeesGroupsChange(t *testing.T) {
	db, err := embedded.Open(t.TempDir(), embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	kr := seal.NewKeyring(time.Now())
	one, two := openWorld(t, db, kr), openWorld(t, db, kr)
	changed := make(chan struct{}, 8)
	defer db.Watch([]byte(groupPrefix), func([][]byte) { changed <- struct{}{} })()
	g := one.group(GroupChange{Name: ptr("g")})
	<-changed
	within(t, func() bool { return two.Group(g.ID) != nil })
}

func TestFailedTransactionLeavesNoEntity(t *testing.T) {
	w := newWorld(t)
	boom := errors.New("boom")
	err := w.db.Update(t.Context(), func(tx storage.Tx) error {
		if _, err := w.Resolve(tx, Login{MountAccessor: jwt1, AliasName: "alice"}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if e, err := w.EntityByAlias(t.Context(), jwt1, "alice"); e != nil || err != nil {
		t.Fatal(e, err)
	}
}

func BenchmarkEntityPolicies(b *testing.B) {
	w := newWorld(b)
	ref := w.login(jwt1, "alice")
	w.group(GroupChange{Name: ptr("g"), Policies: []string{"p"}, MemberEntityIDs: []string{ref.ID}})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.policiesOf(ref.ID); err != nil {
			b.Fatal(err)
		}
	}
}
