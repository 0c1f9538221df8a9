package pvaultapi

import (
	"net/http"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
)

// maxCredential bounds a credential, in bytes; it is the bearer limit of
// internal/jwt.
const maxCredential = 16 << 10

// delegationHeader carries the JWT of the user that a back end acts for.
const delegationHeader = "X-Pvault-Delegation"

// errNoCredential is deliberately without a reason: a missing key and a wrong
// key look the same.
var errNoCredential = fault.New(fault.Unauthenticated, "The request is unauthorized.")

var errTwoCredentials = errNoCredential.WithReason("credential_ambiguous")

// errCredentialSize is what a credential beyond the limit meets.
var errCredentialSize = errNoCredential.WithReason("too_large")

// bearerOf returns the credential of the one Authorization header.
func bearerOf(h http.Header) (string, error) {
	v := h["Authorization"]
	switch len(v) {
	case 0:
		return "", errNoCredential
	case 1:
	default:
		return "", errTwoCredentials
	}
	scheme, cred, ok := strings.Cut(v[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", errNoCredential
	}
	if strings.HasPrefix(cred, " ") {
		cred = strings.TrimLeft(cred, " ") // RFC 9110 11.4 allows several spaces
	}
	return cred, checkCredential(cred)
}

// delegationOf returns the JWT of the delegation header, or "" when there is
// none. The Bearer prefix is optional there.
func delegationOf(h http.Header) (string, error) {
	v := h[delegationHeader]
	switch len(v) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", errTwoCredentials
	}
	cred := v[0]
	if scheme, rest, ok := strings.Cut(cred, " "); ok && strings.EqualFold(scheme, "Bearer") {
		cred = strings.TrimLeft(rest, " ")
	}
	if err := checkCredential(cred); err != nil {
		return "", err
	}
	if !looksLikeJWT(cred) {
		return "", errNoCredential.WithReason("malformed") // an API key is never a delegation
	}
	return cred, nil
}

// checkCredential refuses what can be no credential of either kind.
func checkCredential(cred string) error {
	if cred == "" {
		return errNoCredential
	}
	if len(cred) > maxCredential {
		return errCredentialSize
	}
	for i := range len(cred) {
		if c := cred[i]; c <= ' ' || c == 0x7f || c >= 0x80 {
			return errNoCredential
		}
	}
	return nil
}

// looksLikeJWT tells a JWT from an API key. User keys are UUIDs; an
// administrator's key that has the shape of a compact JWS cannot be used.
func looksLikeJWT(cred string) bool {
	n := strings.Count(cred, ".")
	return n == 2 || n > 0 && strings.HasPrefix(cred, "ey")
}
