package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/record"
)

// MaxWrapped bounds a wrapped response, in bytes.
const MaxWrapped = storage.MaxValueSize - 64<<10

// WrapOptions describes a response to be wrapped.
type WrapOptions struct {
	TTL  time.Duration
	Path string // logical path of the wrapped request
	// Body is the whole JSON answer as it would have been sent.
	Body []byte
	// WrappedAccessor is the accessor of the token within, or "".
	WrappedAccessor string
}

// Wrapped is a wrapping token that was just made. Token is the secret itself.
type Wrapped struct {
	Token           string
	Accessor        string
	TTL             time.Duration
	Created         time.Time
	Path            string
	WrappedAccessor string
}

// String hides the secret.
func (w Wrapped) String() string { return "wrapping token for " + w.Path }

// GoString hides the secret from %#v.
func (w Wrapped) GoString() string { return w.String() }

// ErrWrapToken is the answer to a wrapping token that was used, ran out or never
// was. Clients take it for a sign that somebody else was faster.
var ErrWrapToken = fault.New(fault.Invalid, "wrapping token is not valid or does not exist")

// Wrap stores a response under a new token with a single use.
func (s *Store) Wrap(ctx context.Context, o WrapOptions) (w Wrapped, err error) {
	if o.TTL <= 0 {
		return Wrapped{}, fault.New(fault.Invalid, "requested wrap ttl must be positive")
	}
	if o.TTL > SystemTTL {
		o.TTL = SystemTTL
	}
	if len(o.Body) > MaxWrapped {
		return Wrapped{}, fault.New(fault.TooLarge, "response is too large to be wrapped")
	}
	err = s.db.Update(ctx, func(tx storage.Tx) error {
		w, err = s.wrap(tx, o)
		return err
	})
	if err != nil {
		return Wrapped{}, err
	}
	return w, nil
}

func (s *Store) wrap(tx storage.Tx, o WrapOptions) (Wrapped, error) {
	t := Token{
		Path: o.Path, Policies: []string{wrappingPolicy}, Orphan: true, NumUses: 1,
		ExplicitMaxTTL: o.TTL, flags: flagWrapping,
	}
	is, err := s.make(tx, &t, tx.Now().UTC(), o.TTL, "")
	if err != nil {
		return Wrapped{}, err
	}
	b := record.NewWriter(tokenVersion, len(o.Body)+64)
	b.Text(o.WrappedAccessor)
	b.Blob(o.Body)
	if err := tx.Put(wrapKey(t.ID), b.Bytes(), t.Expires); err != nil {
		return Wrapped{}, fmt.Errorf("session: store wrapped response: %w", err)
	}
	return Wrapped{
		Token: is.ClientToken, Accessor: t.Accessor, TTL: roundUp(o.TTL), Created: t.Created,
		Path: t.Path, WrappedAccessor: o.WrappedAccessor,
	}, nil
}

// Unwrap returns the wrapped response verbatim and ends the wrapping token. A
// token that is unknown, used or of another kind is fault.Invalid.
func (s *Store) Unwrap(ctx context.Context, token string) (body []byte, err error) {
	return s.unwrap(ctx, func(tx storage.ReadTx) (Token, error) { return s.openWrap(tx, token) })
}

// UnwrapSelf is Unwrap for a caller that presents the wrapping token as its
// own, which has already cost the only use.
func (s *Store) UnwrapSelf(ctx context.Context, id ID) (body []byte, err error) {
	return s.unwrap(ctx, func(tx storage.ReadTx) (Token, error) {
		t, err := s.self(tx, id)
		if err == nil && !t.IsWrapping() {
			return Token{}, errAbsent
		}
		return t, err
	})
}

func (s *Store) unwrap(ctx context.Context, find func(storage.ReadTx) (Token, error)) (body []byte, err error) {
	err = s.db.Update(ctx, func(tx storage.Tx) error {
		t, err := find(tx)
		if err != nil {
			return err
		}
		if _, body, err = s.takeWrapped(tx, &t); err != nil {
			return err
		}
		return nil
	})
	if errors.Is(err, errAbsent) || fault.Is(err, fault.Denied) {
		return nil, ErrWrapToken
	}
	if err != nil { // the body is for whoever ended the token, and that is not known to be us
		return nil, err
	}
	return body, nil
}

// takeWrapped returns what a wrapping token holds and removes both.
func (s *Store) takeWrapped(tx storage.Tx, t *Token) (accessor string, body []byte, err error) {
	b, err := tx.Get(wrapKey(t.ID))
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil, errAbsent
	}
	if err != nil {
		return "", nil, fmt.Errorf("session: read wrapped response: %w", err)
	}
	_, r := record.NewReader(b)
	accessor = r.Text()
	body = []byte(r.Text())
	if err := r.Close(); err != nil {
		return "", nil, fmt.Errorf("session: wrapped response: %w", err)
	}
	return accessor, body, s.remove(tx, t)
}

// openWrap returns a live wrapping token or errAbsent.
func (s *Store) openWrap(tx storage.ReadTx, token string) (Token, error) {
	if len(token) > MaxTokenSize {
		return Token{}, errAbsent
	}
	t, err := s.open(tx, token)
	if err == nil && !t.IsWrapping() {
		return Token{}, errAbsent
	}
	return t, err
}

// LookupWrapped tells when, where and for how long a response was wrapped,
// without using the token up. The Token field of the answer is empty.
func (s *Store) LookupWrapped(ctx context.Context, token string) (w Wrapped, err error) {
	err = s.db.View(ctx, func(tx storage.ReadTx) error {
		t, err := s.openWrap(tx, token)
		w = Wrapped{Accessor: t.Accessor, TTL: t.CreationTTL, Created: t.Created, Path: t.Path}
		return err
	})
	if errors.Is(err, errAbsent) {
		return Wrapped{}, ErrWrapToken
	}
	return w, err
}

// Rewrap moves a wrapped response to a new wrapping token with the same life
// and ends the old one.
func (s *Store) Rewrap(ctx context.Context, token string) (w Wrapped, err error) {
	err = s.db.Update(ctx, func(tx storage.Tx) error {
		t, err := s.openWrap(tx, token)
		if err != nil {
			return err
		}
		accessor, body, err := s.takeWrapped(tx, &t)
		if err != nil {
			return err
		}
		w, err = s.wrap(tx, WrapOptions{TTL: t.CreationTTL, Path: t.Path, Body: body, WrappedAccessor: accessor})
		return err
	})
	switch {
	case errors.Is(err, errAbsent):
		return Wrapped{}, ErrWrapToken
	case err != nil:
		return Wrapped{}, err
	}
	return w, nil
}
