package session

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// IssueOptions describes a token to be issued for a login. Policies are those
// of the role; they are cleaned, and "default" is added unless NoDefaultPolicy.
type IssueOptions struct {
	Type          Type
	Path          string // "auth/jwt/login"
	Mount         string // "auth/jwt/"
	MountAccessor string
	Role          string
	DisplayName   string // see DisplayName
	Subject       string
	EntityID      string

	Policies        []string
	NoDefaultPolicy bool
	Meta            map[string]string

	Limits         Limits
	ExplicitMaxTTL time.Duration
	NumUses        int
	BoundCIDRs     []string // checked by ParseCIDRs
	// Remote is the caller's address. With StrictlyBindIP the token works
	// from it only.
	Remote         netip.Addr
	StrictlyBindIP bool
	// NotAfter ends the token whatever renews it, such as the JWT's exp where
	// the operator binds them. Zero means no such end.
	NotAfter time.Time
}

// Issued is a token that was just made. ClientToken is the secret itself.
type Issued struct {
	ClientToken string
	Token       Token
	Warnings    []string
}

// String hides the secret.
func (i Issued) String() string { return "issued token " + i.Token.ID.String() }

// GoString hides the secret from %#v.
func (i Issued) GoString() string { return i.String() }

// Issue makes the token of a login in the caller's transaction, so that it
// comes to life together with everything else that the login writes. A batch
// token writes nothing; for it tx may be nil.
//
// It fails with fault.Invalid for policies that no login may assign and for
// values that a batch token cannot have.
func (s *Store) Issue(tx storage.Tx, o IssueOptions) (Issued, error) {
	if err := CheckLoginPolicies(o.Policies); err != nil {
		return Issued{}, err
	}
	t := Token{
		Type: o.Type, Path: o.Path, Mount: o.Mount, MountAccessor: o.MountAccessor, Role: o.Role,
		DisplayName: o.DisplayName, Subject: o.Subject, EntityID: o.EntityID,
		Policies: SanitizePolicies(o.Policies, !o.NoDefaultPolicy), Meta: maps.Clone(o.Meta),
		BoundCIDRs: slices.Clone(o.BoundCIDRs), Orphan: true, Renewable: o.Type == Service,
		ExplicitMaxTTL: o.ExplicitMaxTTL, Period: o.Limits.Period, NumUses: o.NumUses, NotAfter: o.NotAfter,
	}
	if o.StrictlyBindIP {
		if !o.Remote.IsValid() {
			return Issued{}, denied("address")
		}
		t.BoundCIDRs = []string{o.Remote.Unmap().WithZone("").String()}
	}
	if o.Type == Batch {
		t.ExplicitMaxTTL = 0 // it bounds the one life below, which nothing renews
	}
	if err := checkBatch(&t); err != nil {
		return Issued{}, err
	}
	now := s.clock(tx)
	ttl, warnings, err := o.Limits.lifetime(now, now, 0, o.ExplicitMaxTTL)
	if err != nil {
		return Issued{}, err
	}
	if ttl = t.capped(now, ttl); ttl <= 0 {
		return Issued{}, denied("expired")
	}
	is, err := s.make(tx, &t, now, ttl, "")
	is.Warnings = warnings
	return is, err
}

// capped returns a life from now that does not pass the token's NotAfter.
func (t *Token) capped(now time.Time, ttl time.Duration) time.Duration {
	if t.NotAfter.IsZero() {
		return ttl
	}
	return min(ttl, t.NotAfter.Sub(now))
}

// clock returns the transaction's instant, or our own without one.
func (s *Store) clock(tx storage.ReadTx) time.Time {
	if tx == nil {
		return s.now().UTC()
	}
	return tx.Now().UTC()
}

// checkBatch refuses what a batch token cannot have.
func checkBatch(t *Token) error {
	if t.NumUses < 0 {
		return fault.New(fault.Invalid, "number of uses cannot be negative")
	}
	if t.Type != Batch {
		return nil
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"explicit_max_ttl", t.ExplicitMaxTTL != 0}, {"num_uses", t.NumUses != 0}, {"period", t.Period != 0},
	} {
		if f.set {
			return fault.Newf(fault.Invalid, "batch tokens cannot have %q set", f.name)
		}
	}
	return nil
}

// make gives the token its secret and its end and stores it. A ttl of zero
// never ends. custom is a chosen token text, or "".
func (s *Store) make(tx storage.Tx, t *Token, now time.Time, ttl time.Duration, custom string) (Issued, error) {
	if len(t.Path) > maxPathSize || len(t.Policies) > maxPolicies || len(t.Meta) > maxMetaEntries {
		return Issued{}, fault.New(fault.Invalid, "token would carry too many policies, too much metadata or too long a path")
	}
	t.Created = now
	t.CreationTTL = roundUp(ttl)
	if ttl > 0 {
		t.Expires = now.Add(ttl)
	}
	t.flags &^= flagBatch | flagRenewable
	if t.Renewable {
		t.flags |= flagRenewable
	}
	if t.Type == Batch {
		t.flags |= flagBatch
		text, err := s.seal(t)
		return Issued{ClientToken: text, Token: *t}, err
	}
	t.Accessor = newAccessor()
	t.ID = s.idOf(t.Accessor)
	text := newSecret(t.Accessor)
	if custom != "" {
		text = custom
		t.flags |= flagCustomID
	}
	t.mac = s.macOf(text)
	if custom != "" {
		if err := s.unused(tx, t.mac); err != nil {
			return Issued{}, err
		}
	}
	if err := s.saveNew(tx, t); err != nil {
		return Issued{}, fmt.Errorf("session: store token: %w", err)
	}
	return Issued{ClientToken: text, Token: *t}, nil
}

// unused refuses a chosen token text that another token has.
func (s *Store) unused(tx storage.Tx, mac [32]byte) error {
	_, err := tx.Get(customKey(mac))
	if err == nil {
		return fault.New(fault.Invalid, "cannot create a token with a duplicate ID")
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("session: %w", err)
	}
	return nil
}

// IssueRoot makes a token with the root policy that never ends, for the
// initialisation of a server. custom is a chosen token text for development,
// or "".
func (s *Store) IssueRoot(tx storage.Tx, custom string) (Issued, error) {
	if _, ours := splitSecret(custom); ours || strings.HasPrefix(custom, batchPrefix) {
		return Issued{}, fault.New(fault.Invalid, "root token ID has the form of a generated token")
	}
	t := Token{
		Path: "auth/token/root", Mount: "auth/token/", DisplayName: "root",
		Policies: []string{rootPolicy}, Orphan: true,
	}
	return s.make(tx, &t, s.clock(tx), 0, custom)
}

// ChooseType returns the type of a login's token from the mount's and the
// role's token_type: service and batch of the mount win; default-service and
// default-batch let the role choose.
func ChooseType(mount, role string) (Type, error) {
	switch mount {
	case "service":
		return Service, nil
	case "batch":
		return Batch, nil
	case "", "default", "default-service":
		if role == "batch" {
			return Batch, nil
		}
		return Service, nil
	case "default-batch":
		if role == "service" {
			return Service, nil
		}
		return Batch, nil
	}
	return Service, fault.New(fault.Invalid, "invalid 'token_type' value")
}
