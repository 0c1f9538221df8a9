package authjwt

import (
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/jwt"
)

// CompatOption is the mount option that lists the names of Compat, separated by
// commas.
const CompatOption = "compat"

// Compat are the ways of the reference that a mount keeps although this server
// is stricter by default, for clients that were built on them. The zero value
// keeps none.
type Compat struct {
	// AnyIssuer ("any_issuer"): a discovery URL does not bind iss; only
	// bound_issuer and the roles' bound_claims do.
	AnyIssuer bool
	// DerivedNotBefore ("derived_not_before"): a token with exp alone is not
	// valid before exp minus not_before_leeway (150 s).
	DerivedNotBefore bool
	// LooseTokens ("loose_tokens"): white space inside a token is cut out, and
	// a JWS in flattened JSON serialisation with nothing but its three parts is
	// taken as the compact one. All other rules of tokens stay.
	LooseTokens bool
	// IgnoreCNF ("ignore_cnf"): a token that its issuer bound to a key of its
	// holder (cnf, RFC 7800) is taken from whoever shows it.
	IgnoreCNF bool
	// ResetRoles ("reset_roles"): a write to a role that leaves out role_type,
	// bound_claims_type, alias_metadata or callback_mode sets it back; a role
	// without role_type is "oidc".
	ResetRoles bool
}

// ParseCompat reads the value of CompatOption. Invalid is returned for names
// that do not exist, so that nobody relies on what is not there.
func ParseCompat(text string) (c Compat, err error) {
	if text == "" {
		return c, nil
	}
	for name := range strings.SplitSeq(text, ",") {
		switch strings.TrimSpace(name) {
		case "any_issuer":
			c.AnyIssuer = true
		case "derived_not_before":
			c.DerivedNotBefore = true
		case "loose_tokens":
			c.LooseTokens = true
		case "ignore_cnf":
			c.IgnoreCNF = true
		case "reset_roles":
			c.ResetRoles = true
		case "":
		default:
			return Compat{}, invalid("unknown compat setting %q: there are any_issuer, derived_not_before, ignore_cnf, loose_tokens and reset_roles", clip(name))
		}
	}
	return c, nil
}

// parse reads the token of a login.
func (c Compat) parse(raw string) (*jwt.Token, error) {
	// Agents send the file's content as it is, with its last line end.
	raw = strings.TrimSuffix(strings.TrimSuffix(raw, "\n"), "\r")
	if c.LooseTokens {
		raw = compact(raw)
	}
	return jwt.Parse(raw, jwt.LoginLimits)
}

// compact is the compact serialisation of a token that was written loosely.
// What it cannot make sense of it leaves to the parser to refuse.
func compact(raw string) string {
	if len(raw) > 4*jwt.LoginLimits.MaxBytes {
		return raw
	}
	raw = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, raw)
	if !strings.HasPrefix(raw, "{") {
		return raw
	}
	var m map[string]string
	if json.Unmarshal([]byte(raw), &m) != nil || len(m) != 3 {
		return raw
	}
	return m["protected"] + "." + m["payload"] + "." + m["signature"]
}

// reset is what the reference does to a role before each write.
func (c Compat) reset(r *Role) {
	if c.ResetRoles {
		r.RoleType, r.BoundClaimsType, r.AliasMetadata, r.CallbackMode = roleOIDC, claimsText, nil, ""
	}
}
