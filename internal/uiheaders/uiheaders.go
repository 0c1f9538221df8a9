// Package uiheaders keeps the response headers of a web interface.
//
// This server has no web interface, so nothing ever sends them: they are kept
// for tools that configure them and compare what they read. The package
// refuses headers that no server could send.
package uiheaders

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

const (
	key        = "ui/headers"
	maxHeaders = 64
	maxValues  = 16
	maxText    = 4096
)

// Store keeps the headers. They are read from the storage each time.
type Store struct{ st storage.Store }

// NewStore returns the headers in st.
func NewStore(st storage.Store) *Store { return &Store{st} }

// headers are values by canonical name.
type headers map[string][]string

func load(tx storage.ReadTx) (headers, error) {
	h := headers{}
	b, err := tx.Get([]byte(key))
	if errors.Is(err, storage.ErrNotFound) {
		return h, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &h)
	}
	return h, err
}

func (s *Store) read(ctx context.Context) (h headers, err error) {
	err = s.st.View(ctx, func(tx storage.ReadTx) (err error) {
		h, err = load(tx)
		return err
	})
	return h, err
}

func (s *Store) change(ctx context.Context, change func(headers) error) error {
	return s.st.Update(ctx, func(tx storage.Tx) error {
		h, err := load(tx)
		if err != nil {
			return err
		}
		if err := change(h); err != nil {
			return err
		}
		b, err := json.Marshal(h, json.Deterministic(true))
		if err != nil {
			return fmt.Errorf("uiheaders: %w", err)
		}
		return tx.Put([]byte(key), b, time.Time{})
	})
}

// Names returns the names of all headers in order.
func (s *Store) Names(ctx context.Context) ([]string, error) {
	h, err := s.read(ctx)
	return slices.Sorted(maps.Keys(h)), err
}

// Get returns the values of a header, nil if it is not set.
func (s *Store) Get(ctx context.Context, name string) ([]string, error) {
	h, err := s.read(ctx)
	return h[textproto.CanonicalMIMEHeaderKey(name)], err
}

// Set replaces the values of a header. What is no header is Invalid.
func (s *Store) Set(ctx context.Context, name string, values []string) error {
	if err := check(name, values); err != nil {
		return err
	}
	return s.change(ctx, func(h headers) error {
		h[textproto.CanonicalMIMEHeaderKey(name)] = values
		if len(h) > maxHeaders {
			return fault.Newf(fault.Invalid, "more than %d headers", maxHeaders)
		}
		return nil
	})
}

// Delete removes a header; one that is not set is no error.
func (s *Store) Delete(ctx context.Context, name string) error {
	return s.change(ctx, func(h headers) error {
		delete(h, textproto.CanonicalMIMEHeaderKey(name))
		return nil
	})
}

func check(name string, values []string) error {
	switch {
	case name == "" || len(values) == 0:
		return fault.New(fault.Invalid, "header and values must be specified")
	case len(name) > maxText || strings.ContainsFunc(name, notName):
		return fault.New(fault.Invalid, "header must be the name of a header")
	case strings.HasPrefix(strings.ToLower(name), "x-vault-"):
		return fault.New(fault.Invalid, "X-Vault headers cannot be set")
	case len(values) > maxValues:
		return fault.Newf(fault.Invalid, "more than %d values", maxValues)
	}
	for _, v := range values {
		if len(v) > maxText || strings.ContainsFunc(v, notValue) {
			return fault.Newf(fault.Invalid, "values must be plain text of at most %d bytes", maxText)
		}
	}
	return nil
}

// notName finds what a header's name cannot have (RFC 9110, 5.6.2).
func notName(r rune) bool {
	isName := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	return !isName
}

// notValue finds what would end a header's line or is no ASCII text.
func notValue(r rune) bool { return r < ' ' || r > '~' }
