package trust

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jotgate/jotgate/internal/jwt"
)

// boundClaim is one claim and the values of which it must have one.
type boundClaim struct {
	path jwt.Path
	want []expected
}

// expected is one admitted value. Values of different JSON types never match.
type expected struct {
	kind   jwt.Kind
	text   string
	number jwt.Number
	truth  bool
	glob   bool
}

// boundClaims compiles the claims in sorted order, so that a refusal does not
// depend on the order of a map.
func (p *problems) boundClaims(claims map[string]any, glob bool) []boundClaim {
	var out []boundClaim
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		b := boundClaim{path: jwt.ParsePath(name)}
		if !b.path.Leads() {
			p.addf("bound_claims", "bound claim %q is not a valid JSON pointer", clip(name))
		}
		values, isList := claims[name].([]any)
		if !isList {
			values = []any{claims[name]}
		}
		for _, v := range values {
			want, ok := expect(v)
			switch {
			case glob && want.kind != jwt.KindString && isList:
				p.addf("bound_claims", "claim is not a string: %s", clip(fmt.Sprint(v)))
			case glob && want.kind != jwt.KindString:
				p.addf("bound_claims", "claim is not a string or list: %s", clip(fmt.Sprint(v)))
			case !ok:
				p.addf("bound_claims", "bound claim %q is not a string, bool, number or list of these", clip(name))
			}
			want.glob = glob
			b.want = append(b.want, want)
		}
		out = append(out, b)
	}
	return out
}

// expect reads one value of the operator's.
func expect(v any) (expected, bool) {
	var text string
	switch v := v.(type) {
	case string:
		return expected{kind: jwt.KindString, text: v}, true
	case bool:
		return expected{kind: jwt.KindBool, truth: v}, true
	case json.Number:
		text = v.String()
	case float64:
		text = strconv.FormatFloat(v, 'g', -1, 64)
	case int, int64:
		text = fmt.Sprint(v)
	}
	n, ok := jwt.ParseNumber(text)
	return expected{kind: jwt.KindNumber, text: text, number: n}, ok
}

func (w expected) matches(v jwt.Value) bool {
	switch w.kind {
	case jwt.KindString:
		s, ok := v.Text()
		return ok && (s == w.text || w.glob && Glob(w.text, s))
	case jwt.KindBool:
		b, ok := v.Bool()
		return ok && b == w.truth
	}
	n, ok := v.Number()
	return ok && n.Equal(w.number)
}

// Glob reports whether all of s fits the pattern, in which "*" stands for
// any run of characters, empty ones included, and nothing else is special.
func Glob(pattern, s string) bool {
	prefix, rest, star := strings.Cut(pattern, "*")
	s, ok := strings.CutPrefix(s, prefix)
	if !ok || !star {
		return ok && s == ""
	}
	for {
		part, after, more := strings.Cut(rest, "*")
		if !more {
			return strings.HasSuffix(s, rest)
		}
		// The leftmost place is always good enough: it leaves the most.
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s, rest = s[i+len(part):], after
	}
}

func (e *evaluation) boundClaims() {
	for _, b := range e.rule.bound {
		name := b.path.String()
		v, _ := e.claims.Lookup(b.path)
		switch v.Kind() {
		case jwt.KindAbsent, jwt.KindNull:
			e.fail(checkBound, ReasonClaimMissing, name, "", fmt.Sprintf("claim %q is missing", name))
		case jwt.KindObject:
			e.fail(checkBound, ReasonClaimMismatch, name, v.Kind().String(),
				fmt.Sprintf("received claim %q is not a string, bool, number or list", name))
		default:
			if b.matches(v) {
				e.pass(checkBound, name, v.Kind().String())
				continue
			}
			e.fail(checkBound, ReasonClaimMismatch, b.wants(), e.shown(name, string(v.JSON())),
				fmt.Sprintf("claim %q does not match any associated bound claim values", name))
		}
	}
}

// wants writes the rule down for the operator: the claim and what it may be.
func (b boundClaim) wants() string {
	var one []string
	for _, w := range b.want {
		switch w.kind {
		case jwt.KindString:
			one = append(one, strconv.Quote(w.text))
		case jwt.KindBool:
			one = append(one, strconv.FormatBool(w.truth))
		default:
			one = append(one, w.text)
		}
	}
	how := " = "
	if len(b.want) > 0 && b.want[0].glob {
		how = " like "
	}
	return clip(b.path.String() + how + strings.Join(one, " or "))
}

// matches reports whether any value of the claim is any of the admitted ones.
func (b boundClaim) matches(v jwt.Value) bool {
	got := []jwt.Value{v}
	if list, ok := v.List(); ok {
		got = list
	}
	for _, want := range b.want {
		if slices.ContainsFunc(got, want.matches) {
			return true
		}
	}
	return false
}
