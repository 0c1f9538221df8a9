package passpolicy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

const (
	prefix      = "password-policy/"
	maxName     = 256
	maxPolicies = 1000
)

// Stored is a policy as it was written.
type Stored struct {
	Text          string `json:"policy"`
	EntropySource string `json:"entropy_source,omitzero"`
}

// Store keeps policies by name. They are read from the storage each time.
type Store struct{ st storage.Store }

// NewStore returns the policies in st.
func NewStore(st storage.Store) *Store { return &Store{st} }

// Put checks and keeps a policy.
func (s *Store) Put(ctx context.Context, name string, p Stored) error {
	if name == "" || len(name) > maxName {
		return fault.Newf(fault.Invalid, "a policy's name has 1 to %d bytes", maxName)
	}
	if _, err := Parse(p.Text); err != nil {
		return err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("passpolicy: %w", err)
	}
	return s.st.Update(ctx, func(tx storage.Tx) error {
		all, err := tx.Scan([]byte(prefix), nil, maxPolicies)
		if err != nil {
			return err
		}
		if _, err := tx.Get([]byte(prefix + name)); len(all) == maxPolicies && err != nil {
			return fault.Newf(fault.Conflict, "there are already %d password policies", maxPolicies)
		}
		return tx.Put([]byte(prefix+name), b, time.Time{})
	})
}

// Get returns a policy; false if there is none.
func (s *Store) Get(ctx context.Context, name string) (p Stored, ok bool, err error) {
	err = s.st.View(ctx, func(tx storage.ReadTx) error {
		p, ok = Stored{}, false
		b, err := tx.Get([]byte(prefix + name))
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		ok = true
		return json.Unmarshal(b, &p)
	})
	return p, ok, err
}

// Delete removes a policy; one that is not there is no error.
func (s *Store) Delete(ctx context.Context, name string) error {
	return s.st.Update(ctx, func(tx storage.Tx) error { return tx.Delete([]byte(prefix + name)) })
}

// List returns all names in order.
func (s *Store) List(ctx context.Context) (names []string, err error) {
	err = s.st.View(ctx, func(tx storage.ReadTx) error {
		names = nil
		items, err := tx.Scan([]byte(prefix), nil, maxPolicies)
		for _, it := range items {
			names = append(names, strings.TrimPrefix(string(it.Key), prefix))
		}
		return err
	})
	return names, err
}
