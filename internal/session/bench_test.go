package session

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/identity"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
)

// benchNode is a store of tokens and identities in dir.
func benchNode(b *testing.B, dir string) (*Store, *identity.Store, func()) {
	b.Helper()
	db, err := embedded.Open(dir, embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	kr := seal.NewKeyring(time.Now())
	sealed := seal.Wrap(db, kr)
	ids, err := identity.Open(b.Context(), identity.Options{Storage: sealed, Keys: kr})
	if err != nil {
		b.Fatal(err)
	}
	return New(Options{Storage: sealed, Keys: kr, Identities: ids}), ids, func() {
		ids.Close()
		_ = db.Close()
	}
}

func benchLogin(s *Store, ids *identity.Store, tx storage.Tx, name string) (Issued, error) {
	ref, err := ids.Resolve(tx, identity.Login{MountAccessor: "auth_jwt_1", AliasName: name, Metadata: map[string]string{"role": "demo"}})
	if err != nil {
		return Issued{}, err
	}
	o := login()
	o.EntityID, o.Subject = ref.ID, name
	return s.Issue(tx, o)
}

// BenchmarkLogin is what a login writes: "same" for one subject again and
// again, "new" for a first login each time. bytes/login is the growth of the
// store's file.
func BenchmarkLogin(b *testing.B) {
	for _, kind := range []string{"same", "new"} {
		b.Run(kind, func(b *testing.B) {
			dir := b.TempDir()
			s, ids, done := benchNode(b, dir)
			defer done()
			n := 0
			b.SetParallelism(16)
			b.ReportAllocs()
			names := make(chan string, 1024)
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				for i := 0; ; i++ {
					name := "alice"
					if kind == "new" {
						name = fmt.Sprintf("repo:org/project-%d:ref:main", i)
					}
					select {
					case names <- name:
					case <-stop:
						return
					}
				}
			}()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					name := <-names
					err := s.db.Update(b.Context(), func(tx storage.Tx) error {
						_, err := benchLogin(s, ids, tx, name)
						return err
					})
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			n = b.N
			b.ReportMetric(float64(sizeOf(b, dir))/float64(n), "bytes/login")
		})
	}
}

func sizeOf(b *testing.B, dir string) (n int64) {
	b.Helper()
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		fi, err := d.Info()
		if err == nil {
			n += fi.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return n
}
