package jwt

import "strings"

type header struct {
	alg    Algorithm
	kid    string
	typ    string
	hasKID bool
}

// registeredHeader are the names that no other name may case-fold onto: the
// ones that we read, and the ones that would change what the token means.
var registeredHeader = []string{"alg", "kid", "typ", "cty", "crit", "b64", "zip", "enc"}

// understoodTypes are the values of typ, in lower case and without
// "application/", under which a token may be used for access: untyped JWTs
// (RFC 7519 section 5.1), SPIFFE's JOSE, and access tokens (RFC 9068). Every
// other kind was made for something else (RFC 8725 section 3.11).
var understoodTypes = map[string]bool{"jwt": true, "jose": true, "at+jwt": true}

// parse reads a decoded header. Key material in it (jwk, jku, x5u, x5c) is
// never looked at: keys come from configuration only.
func (h *header) parse(doc []byte, maxDepth int) error {
	obj, err := parseObject(doc, maxDepth, "header")
	if err != nil {
		return err
	}
	for i := range obj.members {
		m := &obj.members[i]
		if name, ok := foldsOnto(m.name, registeredHeader); ok {
			return refuse(ErrMalformed, "the token's header has a name that differs from "+name+" only in case")
		}
		if err := h.member(m.name, m.value); err != nil {
			return err
		}
	}
	if h.alg == "" {
		return refuse(ErrMalformed, "the token's header names no algorithm")
	}
	return nil
}

func (h *header) member(name string, v Value) error {
	s, isString := v.Text()
	switch name {
	case "crit", "b64", "zip", "enc":
		return refuse(ErrMalformed, "the token's header asks for "+name+", which is not supported")
	case "alg", "kid", "typ", "cty":
		if !isString {
			return refuse(ErrMalformed, "the token's header has a "+name+" that is not a string")
		}
	}
	switch name {
	case "alg":
		h.alg = Algorithm(s)
	case "kid":
		h.kid, h.hasKID = s, true
	case "typ":
		h.typ = s
		if !understoodTypes[strings.TrimPrefix(strings.ToLower(s), "application/")] {
			return refuse(ErrType, "the token's typ says that it was made for another purpose")
		}
	case "cty":
		if strings.EqualFold(strings.TrimPrefix(strings.ToLower(s), "application/"), "jwt") {
			return refuse(ErrMalformed, "nested tokens are not supported")
		}
	}
	return nil
}
