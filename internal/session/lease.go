package session

import (
	"bytes"
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
	for more := true; more; {
		var items []storage.Item
		items, after, more, err = s.page(ctx, base, after, func(tx storage.ReadTx, it storage.Item) (bool, error) {
			_, err := s.byLease(tx, string(it.Key[len(leasePrefix):]))
			if errors.Is(err, errAbsent) {
				return false, nil
			}
			return true, err
		})
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			name, folder := leaseName(string(it.Key[len(base):]))
			if n := len(names); n > 0 && names[n-1] == name {
				continue // a folder that is listed already
			}
			if names = append(names, name); len(names) >= limit {
				return names, nil
			}
			if end := append(append(bytes.Clone(base), name...), 0xff); folder && bytes.Compare(end, after) > 0 {
				after, more = end, true // the rest of the folder is skipped
			}
		}
	}
	return names, nil
}

// leaseName returns the first part of a path below a prefix.
func leaseName(rest string) (name string, folder bool) {
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[:i+1], true
	}
	return rest, false
}
