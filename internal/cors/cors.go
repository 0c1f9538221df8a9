// Package cors decides which web pages may call the Vault door from a browser.
//
// It is off until the operator names origins. It refuses to name an origin
// that it does not know, and it never lets a browser send credentials of its
// own: a page must hold a token.
package cors

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

const (
	key      = "cors/config"
	maxItems = 256
	maxText  = 512
)

// standard are the headers that a page may always send.
var standard = []string{
	"Content-Type", "X-Requested-With", "X-Vault-AWS-IAM-Server-ID", "X-Vault-MFA", "X-Vault-No-Request-Forwarding",
	"X-Vault-Wrap-Format", "X-Vault-Wrap-TTL", "X-Vault-Policy-Override", "Authorization", "X-Vault-Token",
}

// Config is what the operator sets. The zero value is off.
type Config struct {
	Enabled bool     `json:"enabled"`
	Origins []string `json:"allowed_origins,omitzero"` // "*" alone, or scheme://host[:port]
	Headers []string `json:"allowed_headers,omitzero"` // beside the standard ones
}

// AllHeaders returns the standard headers and the operator's.
func (c Config) AllHeaders() []string { return slices.Concat(standard, c.Headers) }

// Allows reports whether pages of this origin may call.
func (c Config) Allows(origin string) bool {
	return c.Enabled && (slices.Contains(c.Origins, "*") || slices.Contains(c.Origins, origin))
}

// Store keeps the configuration.
type Store struct {
	st   storage.Store
	stop func()
	cfg  atomic.Pointer[Config]
	mu   sync.Mutex
}

// Open reads the configuration and follows changes until Close. failed is told
// of reloads that do not work.
func Open(ctx context.Context, st storage.Store, failed func(error)) (*Store, error) {
	s := &Store{st: st}
	if err := s.Reload(ctx); err != nil {
		return nil, err
	}
	s.stop = storage.Follow(st, []byte(key), func() error {
		err := s.Reload(context.Background())
		if err != nil && failed != nil {
			failed(err)
		}
		return err
	})
	return s, nil
}

// Close stops following changes.
func (s *Store) Close() { s.stop() }

// Reload reads the configuration anew.
func (s *Store) Reload(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var c Config
	err := s.st.View(ctx, func(tx storage.ReadTx) error {
		c = Config{}
		b, err := tx.Get([]byte(key))
		if errors.Is(err, storage.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(b, &c)
	})
	if err != nil {
		return fmt.Errorf("cors: %w", err)
	}
	s.cfg.Store(&c)
	return nil
}

// Config returns what holds now.
func (s *Store) Config() Config { return *s.cfg.Load() }

// Set replaces the configuration.
func (s *Store) Set(ctx context.Context, c Config) error {
	if err := c.check(); err != nil {
		return err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("cors: %w", err)
	}
	if err := s.st.Update(ctx, func(tx storage.Tx) error { return tx.Put([]byte(key), b, time.Time{}) }); err != nil {
		return err
	}
	return s.Reload(ctx)
}

// Clear turns everything off.
func (s *Store) Clear(ctx context.Context) error {
	if err := s.st.Update(ctx, func(tx storage.Tx) error { return tx.Delete([]byte(key)) }); err != nil {
		return err
	}
	return s.Reload(ctx)
}

func (c Config) check() error {
	switch {
	case len(c.Origins) == 0:
		return fault.New(fault.Invalid, "at least one origin or the wildcard must be provided.")
	case len(c.Origins) > 1 && slices.Contains(c.Origins, "*"):
		return fault.New(fault.Invalid, "to allow all origins the '*' must be the only value for allowed_origins")
	case len(c.Origins) > maxItems || len(c.Headers) > maxItems:
		return fault.Newf(fault.Invalid, "more than %d origins or headers", maxItems)
	}
	for _, o := range c.Origins {
		if o == "*" {
			continue
		}
		u, err := url.Parse(o)
		if err != nil || len(o) > maxText || u.Host == "" || u.Scheme+"://"+u.Host != o {
			return fault.New(fault.Invalid, "an origin is spelled scheme://host or scheme://host:port, without a path")
		}
	}
	for _, h := range c.Headers {
		if len(h) > maxText || h == "" || strings.ContainsFunc(h, notToken) || textproto.CanonicalMIMEHeaderKey(h) == "" {
			return fault.New(fault.Invalid, "allowed_headers must be names of headers")
		}
	}
	return nil
}

// notToken finds characters that a header's name cannot have (RFC 9110, 5.6.2).
func notToken(r rune) bool { return !isToken(r) }

func isToken(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
