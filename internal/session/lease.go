package session

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// Lease is what sys/leases/lookup tells.
type Lease struct {
	ID          string
	Path        string
	Issued      time.Time
	LastRenewal time.Time // zero = never
	Expires     time.Time
	TTL         time.Duration
	Renewable   bool
}

var errInvalidLease = fault.New(fault.Invalid, "invalid lease")

// leaseToken returns the token that a lease id belongs to.
func leaseToken(lease string) (ID, bool) {
	i := strings.LastIndex(lease, "/h")
	if i <= 0 {
		return ID{}, false
	}
	return ParseID(lease[i+2:])
}

// byLease returns the live token of a lease or errAbsent.
func (s *Store) byLease(tx storage.ReadTx, lease string) (Token, error) {
	id, ok := leaseToken(lease)
	if !ok {
		return Token{}, errAbsent
	}
	t, err := s.byID(tx, id)
	if err == nil && t.LeaseID() != lease {
		return Token{}, errAbsent
	}
	return t, err
}

// Lease returns a lease. An unknown one is fault.Invalid "invalid lease", an
// empty id "lease_id must be specified".
func (s *Store) Lease(ctx context.Context, lease string) (l Lease, err error) {
	if lease == "" {
		return Lease{}, errNoLeaseID
	}
	err = s.db.View(ctx, func(tx storage.ReadTx) error {
		t, err := s.byLease(tx, lease)
		if err != nil {
			return err
		}
		l = Lease{
			ID: lease, Path: t.Path, Issued: t.Created, LastRenewal: t.LastRenewal, Expires: t.Expires,
			TTL: t.TTL(tx.Now()), Renewable: t.Renewable,
		}
		return nil
	})
	if errors.Is(err, errAbsent) {
		return Lease{}, errInvalidLease
	}
	return l, err
}

var errNoLeaseID = fault.New(fault.Invalid, "lease_id must be specified")

// RenewLease always fails: every lease of this server belongs to a token, and
// tokens are renewed at their own endpoints.
func (s *Store) RenewLease(ctx context.Context, lease string) error {
	if lease == "" {
		return errNoLeaseID
	}
	err := s.db.View(ctx, func(tx storage.ReadTx) error {
		_, err := s.byLease(tx, lease)
		return err
	})
	if errors.Is(err, errAbsent) {
		return fault.New(fault.Invalid, "lease not found")
	}
	if err != nil {
		return err
	}
	return fault.New(fault.Invalid, "tokens cannot be renewed through this endpoint")
}

// RevokeLease ends a lease and its token. An unknown lease is no error.
func (s *Store) RevokeLease(ctx context.Context, lease string) error {
	if lease == "" {
		return errNoLeaseID
	}
	return s.db.Update(ctx, func(tx storage.Tx) error {
		t, err := s.byLease(tx, lease)
		return s.removeFound(tx, &t, err)
	})
}

// Leases returns the names directly under a path prefix: leases, and folders
// that end in '/'. At most limit names are returned.
func (s *Store) Leases(ctx context.Context, prefix string, limit int) (names []string, err error) {
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	base := leaseKey(prefix)
	var after []byte
	for more := true; more && err == nil && len(names) < limit; {
		err = s.db.View(ctx, func(tx storage.ReadTx) error {
			items, err := tx.Scan(base, after, pageSize)
			if err != nil {
				return err
			}
			more = len(items) == pageSize
			names, after, err = s.listLeases(tx, items, base, names, limit)
			return err
		})
	}
	return names, err
}

// listLeases adds the names of one page. After a folder it skips the rest of
// the folder: the next page starts behind it.
func (s *Store) listLeases(tx storage.ReadTx, items []storage.Item, base []byte, names []string, limit int) ([]string, []byte, error) {
	var after []byte
	for _, it := range items {
		if len(names) >= limit {
			break
		}
		if string(it.Key) <= string(after) {
			continue
		}
		after = it.Key
		lease := string(it.Key[len(leasePrefix):])
		_, err := s.byLease(tx, lease)
		if errors.Is(err, errAbsent) {
			continue
		}
		if err != nil {
			return names, after, err
		}
		rest := string(it.Key[len(base):])
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			rest = rest[:i+1]
			after = append(append([]byte(nil), base...), rest...)
			after = append(after, 0xff)
		}
		names = append(names, rest)
	}
	return names, after, nil
}
