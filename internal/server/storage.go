package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jotgate/jotgate/internal/config"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/postgres"
)

// openStorage opens the driver that the settings name.
func openStorage(ctx context.Context, c config.Storage, timeout time.Duration, now func() time.Time, log *slog.Logger) (storage.Store, error) {
	switch c.Type {
	case config.StorageEmbedded:
		st, err := embedded.Open(c.Directory, embedded.Options{Now: now, Logger: log})
		if err != nil {
			return nil, err // a nil *Store must not become a non-nil interface
		}
		return st, nil
	case config.StoragePostgres:
		// All nodes must agree on what has expired: the database's clock judges.
		st, err := postgres.Open(ctx, c.DSN, postgres.Options{MaxConns: int32(c.MaxConnections), Timeout: timeout, Logger: log})
		if err != nil {
			return nil, err
		}
		return st, nil
	}
	return nil, fmt.Errorf("storage type %q is not known: use %q or %q", c.Type, config.StorageEmbedded, config.StoragePostgres)
}
