// Package principal is who is calling: one immutable value that a door's
// authentication produces and that policy, audit and the engines read.
//
// A Principal never holds the credential that proved it. The zero Principal,
// and a nil one, is Anonymous and has no rights.
package principal

import (
	"maps"
	"slices"
	"time"
)

// Kind says by which kind of credential the caller proved who it is.
type Kind uint8

// The kinds. The zero value is Anonymous.
const (
	Anonymous    Kind = iota
	ServiceToken      // a stored client token of the Vault door
	BatchToken        // a self-contained client token of the Vault door
	BearerJWT         // a JWT sent on the request itself
	APIKey            // an API key of the pvault door
	Admin             // the pvault door's built-in administrator
)

// String returns the kind's name as it stands in audit entries.
func (k Kind) String() string {
	switch k {
	case ServiceToken:
		return "service"
	case BatchToken:
		return "batch"
	case BearerJWT:
		return "jwt"
	case APIKey:
		return "api_key"
	case Admin:
		return "admin"
	default:
		return "anonymous"
	}
}

// Narrowing is a bound that the caller's own JWT puts on the data it may
// touch: the property must equal one of the values. Several are ANDed. An
// empty Values admits nothing.
type Narrowing struct {
	Property string
	Values   []string
}

// Attrs is what is known of a caller. New copies it.
type Attrs struct {
	Kind Kind

	Name    string // display name (Vault door) or user name (pvault door)
	Subject string // the JWT's sub, when a JWT proved the caller
	Issuer  string // name of the identity provider (pvault door) or mount path (Vault door)
	Role    string // role of the login or of the pvault user

	// Vault door.
	TokenID          string    // storage name (HMAC) of the client token
	Accessor         string    // accessor of the client token
	Mount            string    // path of the auth mount, such as "auth/jwt/"
	EntityID         string    // identity entity, or ""
	TokenPolicies    []string  // sorted
	IdentityPolicies []string  // sorted
	IssuedAt         time.Time // when the client token was issued
	TTL              time.Duration
	NumUses          int // remaining uses after this one; 0 = unlimited

	// Both doors.
	Metadata  map[string]string
	Narrowing []Narrowing
	Expires   time.Time // zero = does not expire
	Delegate  string    // who presented the credential on behalf of this caller
	// DelegateIssuer is the identity provider that vouched for the delegate, ""
	// for an API key.
	DelegateIssuer string
}

// Principal is an authenticated caller. It is immutable.
type Principal struct{ a Attrs }

// New returns the caller with these attributes.
func New(a Attrs) *Principal {
	a.TokenPolicies = slices.Clone(a.TokenPolicies)
	a.IdentityPolicies = slices.Clone(a.IdentityPolicies)
	a.Metadata = maps.Clone(a.Metadata)
	n := make([]Narrowing, len(a.Narrowing))
	for i, v := range a.Narrowing {
		n[i] = Narrowing{Property: v.Property, Values: slices.Clone(v.Values)}
	}
	if len(n) == 0 {
		n = nil
	}
	a.Narrowing = n
	return &Principal{a: a}
}

// Kind returns how the caller proved who it is; Anonymous for nil.
func (p *Principal) Kind() Kind {
	if p == nil {
		return Anonymous
	}
	return p.a.Kind
}

// Attrs returns what is known of the caller. Its slices and map are shared:
// read them, do not change them.
func (p *Principal) Attrs() Attrs {
	if p == nil {
		return Attrs{}
	}
	return p.a
}

// Name returns the display name or user name.
func (p *Principal) Name() string {
	if p == nil {
		return ""
	}
	return p.a.Name
}

// Role returns the role.
func (p *Principal) Role() string {
	if p == nil {
		return ""
	}
	return p.a.Role
}

// Narrowing returns the bounds that the caller's JWT puts on data. Read only.
func (p *Principal) Narrowing() []Narrowing {
	if p == nil {
		return nil
	}
	return p.a.Narrowing
}

// Policies returns the token and identity policies, sorted and unique.
func (p *Principal) Policies() []string {
	if p == nil {
		return nil
	}
	if len(p.a.IdentityPolicies) == 0 {
		return p.a.TokenPolicies
	}
	all := slices.Concat(p.a.TokenPolicies, p.a.IdentityPolicies)
	slices.Sort(all)
	return slices.Compact(all)
}

// Expired reports whether the caller's credential is over at now.
func (p *Principal) Expired(now time.Time) bool {
	return p != nil && !p.a.Expires.IsZero() && !now.Before(p.a.Expires)
}
