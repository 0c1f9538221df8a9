package session

import (
	"context"
	"fmt"
	"strings"

	"github.com/jotgate/jotgate/internal/storage"
)

// CountLeases returns how many leases are stored below a path prefix, but
// counts no further than limit. Leases whose parent token is gone count until
// they are removed. A prefix that names a path without a slash at its end
// stands for that path.
func (s *Store) CountLeases(ctx context.Context, prefix string, limit int) (n int, err error) {
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	base := leaseKey(prefix)
	var after []byte
	for n < limit {
		page := min(limit-n, pageSize)
		var items []storage.Item
		err := s.db.View(ctx, func(tx storage.ReadTx) (err error) {
			items, err = tx.Scan(base, after, page)
			return err
		})
		if err != nil {
			return 0, fmt.Errorf("session: count leases: %w", err)
		}
		if n += len(items); len(items) < page {
			break
		}
		after = items[len(items)-1].Key
	}
	return n, nil
}
