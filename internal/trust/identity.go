package trust

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/jwt"
)

// Bounds on what a token can store in the vault: the reference has none, and a
// token is attacker-sized.
const (
	maxNameBytes     = 1024
	maxMetadataBytes = 4096
	maxGroups        = 1024
)

type mapping struct {
	path jwt.Path
	key  string
}

// claimMappings compiles claim to metadata key, sorted by claim.
func (p *problems) claimMappings(m map[string]string) []mapping {
	var out []mapping
	seen := map[string]bool{}
	for _, claim := range slices.Sorted(maps.Keys(m)) {
		key := m[claim]
		switch {
		case key == "role":
			p.add("claim_mappings", `metadata key "role" is reserved and may not be a mapping destination`)
		case seen[key]:
			p.addf("claim_mappings", "multiple keys are mapped to metadata key %q", clip(key))
		}
		seen[key] = true
		out = append(out, mapping{jwt.ParsePath(claim), key})
	}
	return out
}

// compileUser settles which claim names the user. Without the pointer switch a
// leading slash is part of the name.
func (r *Rule) compileUser(s Spec) {
	r.userText = s.UserClaim
	if r.userText == "" {
		r.userText = "sub"
	}
	r.user = jwt.LiteralPath(r.userText)
	if s.UserClaimPointer {
		r.user = jwt.ParsePath(r.userText)
	}
}

func (e *evaluation) userName() {
	name := e.rule.userText
	v, found := e.claims.Lookup(e.rule.user)
	s, isString := v.Text()
	var note string
	switch {
	case !found && e.rule.style == Bearer && name == "sub":
		return // the reference does not ask for sub
	case !found, v.Kind() == jwt.KindNull:
		note = fmt.Sprintf("claim %q not found in token", name)
	case !isString:
		note = fmt.Sprintf("claim %q could not be converted to string", name)
	case s == "":
		note = fmt.Sprintf("claim %q is empty, so the token names no user", name)
	default:
		note = unusableName(fmt.Sprintf("claim %q", name), s)
	}
	if note != "" {
		e.fail(checkUser, ReasonUser, name, v.Kind().String(), note)
		return
	}
	e.grant.User = s
	e.pass(checkUser, name, "")
}

// unusableName says what keeps s from being a name, or "".
func unusableName(what, s string) string {
	switch {
	case len(s) > maxNameBytes:
		return fmt.Sprintf("%s is longer than %d bytes", what, maxNameBytes)
	case strings.ContainsFunc(s, isControl):
		return what + " has a control character"
	}
	return ""
}

func (e *evaluation) metadata() {
	if e.rule.style == Bearer && len(e.rule.mappings) == 0 {
		return
	}
	e.grant.Metadata = make(map[string]string, len(e.rule.mappings)+1)
	for _, m := range e.rule.mappings {
		v, _ := e.claims.Lookup(m.path)
		if v.Kind() == jwt.KindAbsent || v.Kind() == jwt.KindNull {
			continue
		}
		s, ok := v.Text()
		if !ok {
			e.fail(checkMetadata, ReasonMetadata, m.path.String(), v.Kind().String(),
				fmt.Sprintf("error converting claim '%s' to string", m.path))
			continue
		}
		if len(s) > maxMetadataBytes {
			e.fail(checkMetadata, ReasonMetadata, m.path.String(), "",
				fmt.Sprintf("claim '%s' is longer than %d bytes", m.path, maxMetadataBytes))
			continue
		}
		e.grant.Metadata[m.key] = s
		e.pass(checkMetadata, m.path.String(), "")
	}
	if e.rule.style == Login {
		e.grant.Metadata["role"] = e.rule.name
	}
}
