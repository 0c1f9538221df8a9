package session

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/storage"
)

// ReasonUnknown is the reason of a refusal for a token that is not valid any
// more, or never was. Nothing tells the two apart.
const ReasonUnknown = "expired_or_unknown"

// Authenticate returns who presents this client token. A token with a limited
// number of uses loses one, whatever becomes of the request; with the last one
// it is over for everybody else.
//
// Every refusal is fault.Denied with the text "permission denied"; its reason
// (such as "missing_token", ReasonUnknown, "address", "entity") is for
// the operator.
func (s *Store) Authenticate(ctx context.Context, token string, remote netip.Addr) (*principal.Principal, error) {
	p, _, err := s.Present(ctx, token, remote)
	return p, err
}

// Present is Authenticate that returns the token too, as it is after this use.
func (s *Store) Present(ctx context.Context, token string, remote netip.Addr) (p *principal.Principal, t Token, err error) {
	switch {
	case token == "":
		return nil, Token{}, denied("missing_token")
	case len(token) > MaxTokenSize:
		return nil, Token{}, denied("malformed_token")
	}
	counted := false
	err = s.db.View(ctx, func(tx storage.ReadTx) error {
		if t, err = s.present(tx, token, remote); err != nil {
			return err
		}
		if counted = t.NumUses > 0; counted {
			return nil
		}
		p, err = s.principal(tx, &t)
		return err
	})
	if err == nil && counted {
		p, t, err = s.authenticateCounted(ctx, token, remote)
	}
	if err != nil {
		return nil, Token{}, err
	}
	return p, t, nil
}

// authenticateCounted takes one use. The use is gone even if the entity turns
// out to be disabled, as the reference has it, but not if the storage fails.
func (s *Store) authenticateCounted(ctx context.Context, token string, remote netip.Addr) (p *principal.Principal, t Token, err error) {
	var refused error
	err = s.db.Update(ctx, func(tx storage.Tx) error {
		if t, err = s.present(tx, token, remote); err != nil {
			return err
		}
		if err := s.takeUse(tx, &t); err != nil {
			return err
		}
		if p, refused = s.principal(tx, &t); refused != nil && !fault.Is(refused, fault.Denied) {
			return refused
		}
		return nil
	})
	if err == nil {
		err = refused
	}
	return p, t, err
}

func (s *Store) takeUse(tx storage.Tx, t *Token) error {
	if t.NumUses == 0 {
		return nil
	}
	if t.NumUses--; t.NumUses > 0 {
		return s.save(tx, t)
	}
	lease := t.LeaseID()
	t.flags |= flagSpent
	if end := tx.Now().Add(spentGrace); t.Expires.IsZero() || t.Expires.After(end) {
		t.Expires = end
	}
	if lease != "" {
		if err := tx.Delete(leaseKey(lease)); err != nil {
			return err
		}
	}
	return s.save(tx, t)
}

// present returns the live token that was presented from remote.
func (s *Store) present(tx storage.ReadTx, token string, remote netip.Addr) (Token, error) {
	t, err := s.open(tx, token)
	if errors.Is(err, errAbsent) {
		return Token{}, denied(ReasonUnknown)
	}
	if err != nil {
		return Token{}, err
	}
	if !admits(t.BoundCIDRs, remote) {
		return Token{}, denied("address")
	}
	return t, nil
}

// open returns the live token with this text, stored or sealed, or errAbsent.
func (s *Store) open(tx storage.ReadTx, token string) (t Token, err error) {
	if strings.HasPrefix(token, batchPrefix) {
		t, err = s.openBatch(token)
	} else {
		t, err = s.find(tx, token)
	}
	if err != nil {
		return Token{}, err
	}
	ok, err := s.alive(tx, &t)
	if err != nil {
		return Token{}, err
	}
	if !ok {
		return Token{}, errAbsent
	}
	return t, nil
}

// principal returns the caller that a live token stands for.
func (s *Store) principal(tx storage.ReadTx, t *Token) (*principal.Principal, error) {
	identity, err := s.identityPolicies(tx, t.EntityID)
	if err != nil {
		return nil, err
	}
	if t.IsRoot() {
		identity = nil // root stands alone and needs no more
	}
	kind := principal.ServiceToken
	if t.Type == Batch {
		kind = principal.BatchToken
	}
	return principal.New(principal.Attrs{
		Kind: kind, Name: t.DisplayName, Subject: t.Subject, Issuer: t.Mount, Role: t.Role,
		TokenID: t.ID.String(), Accessor: t.Accessor, Mount: t.Mount, EntityID: t.EntityID,
		TokenPolicies: t.Policies, IdentityPolicies: identity,
		IssuedAt: t.Created, TTL: t.CreationTTL, NumUses: t.NumUses,
		Metadata: t.Meta, Expires: t.Expires,
	}), nil
}

// Principal returns the caller that a token stands for, for questions about
// another token such as sys/capabilities. No use is taken. It fails with
// fault.Denied if the token's entity is disabled.
func (s *Store) Principal(ctx context.Context, t Token) (p *principal.Principal, err error) {
	err = s.db.View(ctx, func(tx storage.ReadTx) error {
		p, err = s.principal(tx, &t)
		return err
	})
	return p, err
}

// identityPolicies never returns root, whatever an entity's record says.
func (s *Store) identityPolicies(tx storage.ReadTx, entityID string) ([]string, error) {
	if entityID == "" {
		return nil, nil
	}
	if s.identities == nil {
		return nil, denied("entity")
	}
	list, err := s.identities.EntityPolicies(tx, entityID)
	if err != nil {
		return nil, err
	}
	if contains(list, rootPolicy) {
		list = slices.DeleteFunc(slices.Clone(list), func(p string) bool { return p == rootPolicy })
	}
	return list, nil
}
