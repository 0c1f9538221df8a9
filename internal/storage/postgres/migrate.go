package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/jotgate/jotgate/internal/storage"
)

// Migrations are named by the instant they were written, YYYYMMDDhhmmss; the
// newest that is applied is the schema version.
//
//go:embed migrations/*.sql
var migrations embed.FS

const (
	versionTable  = "jotgate_schema"
	lockTable     = "jotgate_schema_lock"
	selectVersion = "SELECT COALESCE(max(version_id), 0) FROM " + versionTable + " WHERE is_applied"

	// migrateAttempts covers several nodes that start at once on an empty
	// database and collide over the very first tables.
	migrateAttempts = 5
)

// migrate brings the schema up to date. Nodes that start together take turns
// by a lock row; advisory locks are not portable.
func migrate(ctx context.Context, config *pgx.ConnConfig) (err error) {
	for attempt := range migrateAttempts {
		if attempt > 0 && !pause(ctx, 7) {
			break
		}
		if err = migrateOnce(ctx, config); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("bringing the schema up to date: %w", err)
	}
	return nil
}

// migrateOnce uses connections of its own: those of the pool have a time limit
// for each statement, which the change of a large table may exceed.
func migrateOnce(ctx context.Context, config *pgx.ConnConfig) (err error) {
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	locker, err := lock.NewPostgresTableLocker(lock.WithTableName(lockTable), lock.WithTableLockTimeout(200*time.Millisecond, 150))
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithTableName(versionTable), goose.WithLocker(locker), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	pending, err := provider.HasPending(ctx)
	if err != nil || !pending {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// SchemaVersion implements storage.Versioned.
func (s *Store) SchemaVersion(ctx context.Context) (version int64, err error) {
	if !s.life.Enter() {
		return 0, storage.ErrClosed
	}
	defer s.life.Leave()
	if err := s.pool.QueryRow(ctx, selectVersion).Scan(&version); err != nil {
		return 0, s.translate(ctx, err)
	}
	return version, nil
}
