package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/api/vaultapi"
	"github.com/jotgate/jotgate/internal/storage"
)

// keyRekeyBackup keeps the encrypted shares of the last rekey with a backup.
var keyRekeyBackup = []byte("core/rekey-backup")

// keep stores a backup. undo brings the former one back, unless another node
// has stored its own in the meantime.
func (r *rekeyer) keep(ctx context.Context, backup vaultapi.RekeyBackup) (undo func(context.Context) error, err error) {
	ours, err := json.Marshal(backup, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("rekey backup: %w", err)
	}
	former, err := r.swapBackup(ctx, ours, func([]byte) bool { return true })
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := r.swapBackup(ctx, former, func(now []byte) bool { return bytes.Equal(now, ours) })
		return err
	}, nil
}

// swapBackup stores to, nil for nothing, if what is stored now is as it must
// be, and returns what was stored.
func (r *rekeyer) swapBackup(ctx context.Context, to []byte, must func(now []byte) bool) (former []byte, err error) {
	err = r.s.barrier.Update(ctx, func(tx storage.Tx) error {
		now, err := tx.Get(keyRekeyBackup)
		if err != nil && !errors.Is(err, storage.ErrNotFound) {
			return err
		}
		former = bytes.Clone(now)
		switch {
		case !must(now):
			return nil
		case to == nil:
			return tx.Delete(keyRekeyBackup)
		}
		return tx.Put(keyRekeyBackup, to, time.Time{})
	})
	return former, err
}

// Backup implements vaultapi.Rekeyer.
func (r *rekeyer) Backup(ctx context.Context) (backup vaultapi.RekeyBackup, ok bool, err error) {
	err = r.s.barrier.View(ctx, func(tx storage.ReadTx) error {
		backup, ok = vaultapi.RekeyBackup{}, false
		b, err := tx.Get(keyRekeyBackup)
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		ok = true
		return json.Unmarshal(b, &backup)
	})
	return backup, ok, err
}

// DeleteBackup implements vaultapi.Rekeyer.
func (r *rekeyer) DeleteBackup(ctx context.Context) error {
	_, err := r.swapBackup(ctx, nil, func([]byte) bool { return true })
	return err
}
