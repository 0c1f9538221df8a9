package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/jwt"
)

// meaning says, for each reason that the server gives for refusing a
// credential, what to look at. The reasons are the server's stable names; an
// unknown one has no meaning.
func meaning(reason string) string {
	switch reason {
	case "malformed":
		return "the text is not one well-formed JWT: check for spaces, line ends and cut-off parts"
	case "token_too_large":
		return "the token is larger than the server takes"
	case "wrong_token_type":
		return "the token's typ says that it was made for another purpose"
	case "algorithm_not_allowed":
		return "the header's alg is not one that the provider's keys allow"
	case "unknown_key":
		return "no key of the provider has the header's kid: check keys or jwks_uri in the IAM file"
	case "bad_signature":
		return "the token was signed with another key than the provider's"
	case "invalid_claims":
		return "a registered claim (iss, aud, exp, …) has the wrong type"
	case "expired":
		return "exp is in the past: ask the issuer for a new token"
	case "expiration_missing":
		return "the token has no exp claim, and the pvault API wants one"
	case "time_claims_missing":
		return "the token has none of iat, nbf and exp"
	case "issued_at_missing":
		return "the provider has a max_token_age, and the token has no iat"
	case "not_yet_valid":
		return "nbf is in the future: check the clocks"
	case "issued_in_future":
		return "iat is in the future: check the clocks"
	case "token_too_old":
		return "iat is longer ago than the provider's max_token_age"
	}
	return meaningOfClaims(reason)
}

func meaningOfClaims(reason string) string {
	switch reason {
	case "unknown_issuer", "wrong_audience", "audience_not_bound":
		return "no [idps] table has this iss and aud together, byte for byte"
	case "issuer_ambiguous":
		return "the token's iss and aud fit more than one [idps] table"
	case "wrong_subject":
		return "sub is not the one that the provider's table asks for"
	case "role_missing":
		return "the roles claim is missing or empty: it must name exactly one role"
	case "role_ambiguous":
		return "the roles claim names more than one role: it must name exactly one"
	case "role_not_mapped":
		return "the provider has a roles_map, and the role is not in it"
	case "role_unknown":
		return "the role is not in the IAM configuration (after roles_map)"
	case "role_not_allowed":
		return "the role is not among the provider's allowed_roles"
	case "role_reserved":
		return "no JWT may become Admin"
	case "claim_missing":
		return "a claim that bound_claims asks for is missing"
	case "claim_mismatch":
		return "a claim does not have the value that bound_claims asks for"
	case "namespace_claim_unusable":
		return "a claim that narrows the access has a form that cannot be understood"
	case "user_claim_unusable", "groups_claim_unusable", "metadata_claim_unusable":
		return "a claim that the provider's table names has a form that cannot be used"
	case "keys_unavailable":
		return "the provider's keys cannot be fetched: look at the server's log"
	case "api_key_expired":
		return "the user's API key has expired: pvault iam regen-api-key"
	case "user_disabled":
		return "the user is disabled in the IAM configuration"
	case "user_missing":
		return "the user is not in the IAM configuration any more"
	}
	return ""
}

// reasonOf finds the machine-readable reason in an error's context.
func reasonOf(e *apiError) string {
	for _, name := range []string{"jwt_error", "reason"} {
		if s, ok := e.Context[name].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

func refusalHint(e *apiError) string {
	switch {
	case e.Code == "none":
		return "is --addr the address of the pvault API?"
	case meaning(reasonOf(e)) != "":
		return meaning(reasonOf(e))
	case e.Status == http.StatusUnauthorized:
		return "check --authtoken; add --explain for more"
	}
	return ""
}

// explain tells what the server said and, for a JWT, what the token says, so
// that both can be laid side by side. The token itself is not shown.
func explain(e *apiError, token string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Refused with status %d, %s.\n", e.Status, cli.Visible(e.Code))
	for _, k := range sortedKeys(e.Context) {
		fmt.Fprintf(&b, "  %s: %s\n", cli.Visible(k), cli.Visible(fmt.Sprint(e.Context[k])))
	}
	if text := meaning(reasonOf(e)); text != "" {
		fmt.Fprintf(&b, "Which means: %s.\n", text)
	}
	if e.Status != http.StatusUnauthorized {
		b.WriteString("The credential was accepted; what it may do was not enough. See \"pvault iam user-view\".\n")
		return strings.TrimRight(b.String(), "\n")
	}
	if strings.Count(token, ".") != 2 {
		b.WriteString("The credential is an API key, not a JWT: it is unknown, replaced or expired.\n")
		return strings.TrimRight(b.String(), "\n")
	}
	b.WriteString(tokenSays(token, time.Now()))
	return strings.TrimRight(b.String(), "\n")
}

// tokenSays lists the claims that decide, read without checking the signature.
func tokenSays(token string, now time.Time) string {
	t, err := jwt.Parse(token, jwt.LoginLimits)
	if err != nil {
		return "The token cannot be read by this program either.\n"
	}
	c := t.Unverified()
	rows := [][]string{{"alg", string(t.Algorithm())}}
	if kid, ok := t.KeyID(); ok {
		rows = append(rows, []string{"kid", kid})
	}
	if iss, ok := c.Issuer(); ok {
		rows = append(rows, []string{"iss", iss})
	}
	if aud, ok := c.Audience(); ok {
		rows = append(rows, []string{"aud", strings.Join(aud, ", ")})
	}
	if at, ok := c.ExpiresAt().Time(); ok {
		note := "in the future"
		if !now.Before(at) {
			note = "in the past"
		}
		rows = append(rows, []string{"exp", at.UTC().Format(time.RFC3339) + ", " + note})
	}
	if roles := c.Get("roles"); roles.Kind() != jwt.KindAbsent {
		rows = append(rows, []string{"roles", string(roles.JSON())})
	}
	for _, r := range rows {
		r[1] = cli.Visible(r[1])
	}
	return "The token says (not checked):\n" + indent(cli.Columns(rows))
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n  ") + "\n"
}
