package jwt

import (
	"strings"
	"time"
)

// Claims is the payload of a token. Names are byte-exact. A Claims is
// immutable.
type Claims struct {
	members []member
	iss     string
	sub     string
	aud     []string
	exp     NumericDate
	nbf     NumericDate
	iat     NumericDate
	has     presence
	audList bool
}

type presence uint8

const (
	hasIssuer presence = 1 << iota
	hasSubject
	hasAudience
)

// registeredClaims are the names of RFC 7519 section 4.1.
var registeredClaims = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

// NumericDate is an instant from a token (RFC 7519 section 2). The zero value
// is absent; the number 0 in a token is present and means 1 January 1970.
type NumericDate struct {
	at      time.Time
	present bool
}

// Time returns the instant, and whether the claim is there. Fractions are kept
// to the nanosecond; instants before year 1 or after year 9999 are the nearest
// instant within.
func (d NumericDate) Time() (time.Time, bool) { return d.at, d.present }

// parse reads a decoded payload and the registered claims in it. Their types
// are checked here, so that no reader can meet a date that is a string.
func (c *Claims) parse(doc []byte, maxDepth int) error {
	obj, err := parseObject(doc, maxDepth, "payload")
	if err != nil {
		return err
	}
	c.members = obj.members
	for i := range c.members {
		m := &c.members[i]
		if name, ok := foldsOnto(m.name, registeredClaims); ok {
			return refuse(ErrClaims, "the token has a claim whose name differs from "+name+" only in case")
		}
		if err := c.registered(m.name, m.value); err != nil {
			return err
		}
	}
	return nil
}

func (c *Claims) registered(name string, v Value) error {
	var ok bool
	switch name {
	case "iss":
		c.iss, ok = v.Text()
		c.has |= hasIssuer
	case "sub":
		c.sub, ok = v.Text()
		c.has |= hasSubject
	case "aud":
		c.aud, c.audList, ok = audience(v)
		c.has |= hasAudience
	case "exp":
		c.exp, ok = numericDate(v)
	case "nbf":
		c.nbf, ok = numericDate(v)
	case "iat":
		c.iat, ok = numericDate(v)
	case "jti":
		_, ok = v.Text()
	default:
		return nil
	}
	if !ok {
		return refuse(ErrClaims, "the token's "+name+" claim has the wrong type: "+registeredTypes[name])
	}
	return nil
}

var registeredTypes = map[string]string{
	"iss": "it must be a string", "sub": "it must be a string", "aud": "it must be a string or a list of strings",
	"exp": "it must be a number", "nbf": "it must be a number", "iat": "it must be a number", "jti": "it must be a string",
}

func audience(v Value) (aud []string, isList, ok bool) {
	if s, ok := v.Text(); ok {
		return []string{s}, false, true
	}
	list, ok := v.List()
	if !ok {
		return nil, false, false
	}
	aud = make([]string, len(list))
	for i, e := range list {
		if aud[i], ok = e.Text(); !ok {
			return nil, true, false
		}
	}
	return aud, true, true
}

func numericDate(v Value) (NumericDate, bool) {
	n, ok := v.Number()
	if !ok {
		return NumericDate{}, false
	}
	return NumericDate{at: n.time(), present: true}, true
}

// Issuer returns iss, and whether it is there.
func (c *Claims) Issuer() (string, bool) { return c.iss, c.has&hasIssuer != 0 }

// Subject returns sub, and whether it is there.
func (c *Claims) Subject() (string, bool) { return c.sub, c.has&hasSubject != 0 }

// Audience returns aud as a list, and whether the claim is there: a string is
// a list of one, an empty list is there and empty. Do not change the slice.
func (c *Claims) Audience() ([]string, bool) { return c.aud, c.has&hasAudience != 0 }

// ExpiresAt returns exp.
func (c *Claims) ExpiresAt() NumericDate { return c.exp }

// NotBefore returns nbf.
func (c *Claims) NotBefore() NumericDate { return c.nbf }

// IssuedAt returns iat.
func (c *Claims) IssuedAt() NumericDate { return c.iat }

// Names returns the names of all claims in the token's order.
func (c *Claims) Names() []string {
	names := make([]string, len(c.members))
	for i := range c.members {
		names[i] = c.members[i].name
	}
	return names
}

// Get returns the top-level claim of that name, byte for byte; absent when
// there is none.
func (c *Claims) Get(name string) Value {
	for i := range c.members {
		if c.members[i].name == name {
			return c.members[i].value
		}
	}
	return Value{}
}

// Lookup returns what the path leads to, and whether it leads anywhere.
func (c *Claims) Lookup(p Path) (Value, bool) {
	if len(p.steps) == 0 {
		return Value{}, false
	}
	v := c.Get(p.steps[0])
	for _, step := range p.steps[1:] {
		v = v.step(step)
	}
	return v, v.Kind() != KindAbsent
}

// Map returns all claims as Go's JSON packages would decode them, numbers as
// json.Number with their exact text. It is fresh: the caller may change it.
func (c *Claims) Map() map[string]any {
	out := make(map[string]any, len(c.members))
	for _, m := range c.members {
		out[m.name] = m.value.Any()
	}
	return out
}

// Path leads to a value inside a token's claims. The zero Path leads nowhere.
type Path struct {
	steps []string
	text  string
}

// LiteralPath returns the path to the top-level claim of that name, even when
// the name starts with a slash.
func LiteralPath(name string) Path { return Path{steps: []string{name}, text: name} }

// ParsePath reads how operators write a claim: text with a leading "/" is a
// JSON pointer (RFC 6901), where "~1" is a slash, "~0" a tilde and a number an
// index into a list; every other text is the literal name of a top-level
// claim, in which dots have no meaning. A pointer with an invalid escape leads
// nowhere.
func ParsePath(s string) Path {
	if !strings.HasPrefix(s, "/") {
		return LiteralPath(s)
	}
	steps := strings.Split(s[1:], "/")
	for i, step := range steps {
		for rest := step; strings.Contains(rest, "~"); {
			_, rest, _ = strings.Cut(rest, "~")
			if rest == "" || rest[0] != '0' && rest[0] != '1' {
				return Path{text: s}
			}
		}
		steps[i] = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
	}
	return Path{steps: steps, text: s}
}

// String returns the path as the operator wrote it.
func (p Path) String() string { return p.text }

// Leads reports whether the path can lead to a value in any token.
func (p Path) Leads() bool { return len(p.steps) > 0 }

func (v Value) step(name string) Value {
	list, ok := v.List()
	if !ok {
		return v.Member(name)
	}
	index, rest := cutDigits(name)
	if rest != "" || index == "" || len(index) > 1 && index[0] == '0' || len(index) > 9 {
		return Value{}
	}
	n := 0
	for _, c := range index {
		n = n*10 + int(c-'0')
	}
	if n >= len(list) {
		return Value{}
	}
	return list[n]
}
