package server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/jotgate/jotgate/internal/mount"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
)

// devKey reads the unseal key of development mode and makes it on the first
// start. A store without its key file is refused by the barrier, not given a
// new key.
func devKey(path string) ([]byte, error) {
	key, err := seal.ReadKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return seal.CreateKeyFile(path)
}

// keyDevReady marks a store that development mode has furnished.
var keyDevReady = []byte("core/dev")

// beginDev furnishes an empty store once: the KV mount secret/ and the root
// token. A root token that was asked for is made at every start, so that a
// directory that is kept takes the token of the new command line.
func (s *Server) beginDev(ctx context.Context) error {
	ready := false
	err := s.barrier.View(ctx, func(tx storage.ReadTx) error {
		_, err := tx.Get(keyDevReady)
		ready = err == nil
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if !ready {
		if err := s.furnish(ctx); err != nil {
			return err
		}
	}
	if ready && s.cfg.DevRootToken == "" {
		return nil
	}
	s.devRoot, err = s.issueRoot(ctx, s.cfg.DevRootToken)
	return err
}

func (s *Server) furnish(ctx context.Context) error {
	mounts, err := mount.Open(ctx, s.barrier, mount.Options{})
	if err != nil {
		return err
	}
	defer mounts.Close()
	version := "2"
	if s.cfg.DevKVv1 {
		version = "1"
	}
	if _, taken := mounts.Table().Get("secret/"); !taken {
		if _, err := mounts.Enable(ctx, mount.Entry{
			Path: "secret/", Type: mount.TypeKV, Options: map[string]string{"version": version},
			Description: "key-value store of development mode",
		}); err != nil {
			return err
		}
	}
	return s.barrier.Update(ctx, func(tx storage.Tx) error { return tx.Put(keyDevReady, []byte{1}, time.Time{}) })
}

// DevRootToken returns the root token that development mode made at this start,
// or "" if the directory had one already and none was asked for.
func (s *Server) DevRootToken() string { return s.devRoot }
