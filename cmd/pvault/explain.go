package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/jwt"
)

// meanings says, for each reason that the server gives for refusing a JWT, what
// to look at. The reasons are the server's stable names.
var meanings = map[string]string{
	"malformed":             "the text is not one well-formed JWT: check for spaces, line ends and cut-off parts",
	"token_too_large":       "the token is larger than the server takes",
	"wrong_token_type":      "the token's typ says that it was made for another purpose",
	"algorithm_not_allowed": "the header's alg is not one that the provider's keys allow",
	"unknown_key":           "no key of the provider has the header's kid: check keys or jwks_uri in the IAM file",
	"bad_signature":         "the token was signed with another key than the provider's",
	"invalid_claims":        "a registered claim (iss, aud, exp, …) has the wrong type",
	"expired":               "exp is in the past: ask the issuer for a new token",
	"exp_missing":           "the token has no exp claim, and the pvault API wants one",
	"not_yet_valid":         "nbf or iat is in the future: check the clocks",
	"token_too_old":         "iat is longer ago than the provider's max_token_age",
	"unknown_issuer":        "no [idps] table has this iss and aud together, byte for byte",
	"wrong_audience":        "no [idps] table has this iss and aud together, byte for byte",
	"wrong_subject":         "sub is not the one that the provider's table asks for",
	"role_missing":          "the roles claim is missing or empty: it must name exactly one role",
	"role_ambiguous":        "the roles claim names more than one role: it must name exactly one",
	"role_unknown":          "the role is not in the IAM configuration (after roles_map)",
	"role_not_allowed":      "the role is not among the provider's allowed_roles",
	"claim_missing":         "a claim that bound_claims asks for is missing",
	"claim_mismatch":        "a claim does not have the value that bound_claims asks for",
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
	case meanings[reasonOf(e)] != "":
		return meanings[reasonOf(e)]
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
	if meaning := meanings[reasonOf(e)]; meaning != "" {
		fmt.Fprintf(&b, "Which means: %s.\n", meaning)
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
