package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// LimitsOf tells the current limits of the role and mount that a token came
// from. An error of kind fault.Invalid, such as for a role that no longer
// exists, refuses the renewal with its text.
type LimitsOf func(tx storage.ReadTx, t Token) (Limits, error)

// Renewed is a token with its new life.
type Renewed struct {
	Token    Token
	TTL      time.Duration
	Warnings []string
}

// Renew gives the token with this storage name a new life, counted from now:
// the increment if positive, else what the role or mount says, and never past
// the greatest life. A periodic token gets its period whatever the increment.
//
// It fails with fault.Invalid: "token not found", "lease is not renewable",
// "invalid lease ID" (a token without an end), "past the max TTL, cannot
// renew"; the zero ID is "batch tokens cannot be renewed".
func (s *Store) Renew(ctx context.Context, id ID, increment time.Duration, limits LimitsOf) (Renewed, error) {
	return s.RenewProven(ctx, id, increment, func(tx storage.Tx, t Token) (Proof, error) {
		l, err := limits(tx, t)
		return Proof{Limits: l}, err
	})
}

// Proof is what somebody has found who looked at the caller's credential anew
// for a renewal. The zero value proves nothing and changes nothing.
type Proof struct {
	Limits Limits
	// Proven says that the credential was accepted; else what follows is not
	// looked at.
	Proven bool
	// Policies are what the credential gives today, cleaned. The token keeps
	// those of its policies that are among them and gets no other.
	Policies []string
	// NotAfter is how far the credential carries. It moves the token's own
	// NotAfter, which a renewal cannot pass otherwise, and never back. Zero for
	// a credential that bounds nothing.
	NotAfter time.Time
}

// RenewProven is Renew for a caller who may show a new credential. prove runs
// in the transaction of the renewal, so that whatever it writes comes with it
// or not at all; its errors refuse the renewal.
func (s *Store) RenewProven(ctx context.Context, id ID, increment time.Duration, prove func(storage.Tx, Token) (Proof, error)) (r Renewed, err error) {
	if id.IsZero() {
		return Renewed{}, fault.New(fault.Invalid, "batch tokens cannot be renewed")
	}
	if increment < 0 {
		return Renewed{}, fault.New(fault.Invalid, "increment must not be negative")
	}
	err = s.db.Update(ctx, func(tx storage.Tx) error {
		t, err := s.byID(tx, id)
		if err != nil {
			return err
		}
		r, err = s.renew(tx, t, increment, prove)
		return err
	})
	if errors.Is(err, errAbsent) {
		return Renewed{}, fault.New(fault.Invalid, "token not found")
	}
	if err != nil {
		return Renewed{}, err
	}
	return r, nil
}

func (s *Store) renew(tx storage.Tx, t Token, increment time.Duration, prove func(storage.Tx, Token) (Proof, error)) (Renewed, error) {
	switch {
	case t.Expires.IsZero():
		return Renewed{}, fault.New(fault.Invalid, "invalid lease ID")
	case !t.Renewable || t.IsWrapping():
		return Renewed{}, fault.New(fault.Invalid, "lease is not renewable")
	}
	p, err := prove(tx, t)
	if err != nil {
		return Renewed{}, err
	}
	if p.Proven {
		t.Policies = slices.DeleteFunc(t.Policies, func(name string) bool { return !slices.Contains(p.Policies, name) })
		if p.NotAfter.After(t.NotAfter) {
			t.NotAfter = p.NotAfter
		}
	}
	now := tx.Now().UTC()
	ttl, warnings, err := p.Limits.lifetime(t.Created, now, increment, t.ExplicitMaxTTL)
	if err != nil {
		return Renewed{}, err
	}
	if ttl = t.capped(now, ttl); ttl <= 0 {
		return Renewed{}, errPastMax
	}
	t.Period = p.Limits.Period
	t.LastRenewal = now
	t.Expires = now.Add(ttl)
	if err := s.saveNew(tx, &t); err != nil {
		return Renewed{}, err
	}
	return Renewed{Token: t, TTL: roundUp(ttl), Warnings: warnings}, nil
}
