package trust_test

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/trust"
)

// value reads JSON as the configuration does, keeping the text of numbers.
func value(t testing.TB, doc string) any {
	t.Helper()
	v, err := jwt.ParseValue([]byte(doc), 16)
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	return v.Any()
}

func boundRule(t testing.TB, bound string, glob bool) *trust.Rule {
	t.Helper()
	return login(t, func(s *trust.Spec) {
		s.BoundClaims, s.BoundClaimsGlob = map[string]any{"k": value(t, bound)}, glob
	})
}

func withK(t testing.TB, claim string) *jwt.Verified {
	t.Helper()
	return verifiedText(t, fmt.Sprintf(`{"iss":"https://idp/","aud":"vault","sub":"a","exp":%d,"k":%s}`, now.Unix()+60, claim))
}

// TestBoundClaimsTruthTable is the reference's, with numbers compared exactly
// and also inside lists.
func TestBoundClaimsTruthTable(t *testing.T) {
	const glob = true
	for _, c := range []struct {
		glob         bool
		bound, claim string
		want         bool
	}{
		{false, `"a"`, `"a"`, true},
		{false, `"a"`, `"A"`, false},
		{false, `["a","b"]`, `"b"`, true},
		{false, `"b"`, `["a","b"]`, true},
		{false, `["a","z"]`, `["b","z"]`, true},
		{false, `["a"]`, `["b"]`, false},
		{false, `[]`, `"a"`, false},
		{false, `[]`, `[]`, false},
		{false, `"a"`, `[]`, false},
		{false, `true`, `true`, true},
		{false, `true`, `false`, false},
		{false, `false`, `false`, true},
		{false, `"true"`, `true`, false},
		{false, `true`, `"true"`, false},
		{false, `42`, `42`, true},
		{false, `"42"`, `42`, false},
		{false, `42`, `"42"`, false},
		{false, `42`, `[42]`, true},
		{false, `[42]`, `42`, true},
		{false, `42`, `42.0`, true},
		{false, `42`, `4.2e1`, true},
		{false, `1`, `1.9`, false},
		{false, `1.5`, `1.5`, true},
		{false, `0`, `-0.5`, false},
		{false, `9007199254740993`, `9007199254740993`, true},
		{false, `9007199254740992`, `9007199254740993`, false},
		{false, `-9223372036854775808`, `1e300`, false},
		{false, `"a"`, `[["a"]]`, false},
		{false, `"a"`, `[{"a":1},null,"a"]`, true},
		{false, `"a*"`, `"abc"`, false},
		{false, `"a"`, `"a\n"`, false},
		{false, `""`, `5`, false},
		{false, `false`, `"x"`, false},
		{false, `false`, `0`, false},
		{false, `0`, `"x"`, false},
		{false, `0`, `false`, false},
		{glob, `"a*"`, `"abc"`, true},
		{glob, `"a*"`, `"a"`, true},
		{glob, `"a*"`, `"ba"`, false},
		{glob, `"*"`, `""`, true},
		{glob, `"*"`, `"a/b"`, true},
		{glob, `"a?c"`, `"abc"`, false},
		{glob, `"a?c"`, `"a?c"`, true},
		{glob, `"[ab]"`, `"a"`, false},
		{glob, `"a*"`, `5`, false},
		{glob, `"*"`, `5`, false},
		{glob, `"*"`, `[]`, false},
		{glob, `"*b*"`, `["x","abc"]`, true},
		{glob, `""`, `""`, true},
		{glob, `""`, `"a"`, false},
		{glob, `"a*b*c"`, `"aXbYc"`, true},
		{glob, `"a*b*c"`, `"acb"`, false},
		{glob, `"ab*ba"`, `"aba"`, false},
		{glob, `"*aa*aa"`, `"aaa"`, false},
		{glob, `["x","refs/heads/*"]`, `"refs/heads/main"`, true},
	} {
		r := boundRule(t, c.bound, c.glob)
		_, d := r.Admit(withK(t, c.claim), now)
		if d.Allowed != c.want {
			t.Errorf("glob=%v bound %s claim %s: %v", c.glob, c.bound, c.claim, d.Allowed)
		}
		if err := r.Refusal(d); !c.want && (fault.ReasonOf(err) != trust.ReasonClaimMismatch ||
			fault.PublicText(err) != `error validating claims: claim "k" does not match any associated bound claim values`) {
			t.Errorf("bound %s claim %s: %v", c.bound, c.claim, err)
		}
	}
}

func TestBoundClaimsSayWhatIsWrongInSortedOrder(t *testing.T) {
	r := login(t, func(s *trust.Spec) {
		s.BoundClaims = map[string]any{"z": "1", "a": true, "/o/p": "x", "m": json.Number("3"), "n": "x"}
	})
	_, reason, text := admit(t, r, base(claims{"z": "2", "m": map[string]any{"secret": "value"}, "o": claims{"p": "x"}, "n": nil}))
	want := `error validating claims: claim "a" is missing; received claim "m" is not a string, bool, number or list; ` +
		`claim "n" is missing; claim "z" does not match any associated bound claim values`
	if reason != trust.ReasonClaimMissing || text != want {
		t.Errorf("%s: %s", reason, text)
	}
}

// TestTheOperatorSeesExpectedAndReceivedAndTheCallerDoesNot: the checks go to
// the audit entry, the refusal's text to whoever sent the token.
func TestTheOperatorSeesExpectedAndReceivedAndTheCallerDoesNot(t *testing.T) {
	r := login(t, func(s *trust.Spec) {
		s.Subject, s.BoundClaimsGlob = "alice", true
		s.BoundClaims = map[string]any{"team": []any{"blue*", "green"}}
	})
	_, d := r.Admit(verified(t, base(claims{"sub": "mallory", "team": []string{"red", "x"}})), now)
	got := map[string]string{}
	for _, c := range d.Checks {
		if !c.OK {
			got[c.Name] = c.Expected + " <- " + c.Received
		}
	}
	if got["subject"] != "alice <- mallory" || got["bound_claims"] != `team like "blue*" or "green" <- ["red","x"]` {
		t.Errorf("checks = %q", got)
	}
	if text := fault.PublicText(r.Refusal(d)); strings.Contains(text, "mallory") || strings.Contains(text, "red") || strings.Contains(text, "blue") {
		t.Errorf("the caller learns %q", text)
	}
	r = login(t, func(s *trust.Spec) {
		s.BoundClaims = map[string]any{"a": true, "n": []any{json.Number("3"), json.Number("4.50")}}
	})
	_, d = r.Admit(verified(t, base(claims{"a": false, "n": 5})), now)
	var all []string
	for _, c := range d.Checks {
		if !c.OK {
			all = append(all, c.Expected+" <- "+c.Received)
		}
	}
	if want := "a = true <- false; n = 3 or 4.50 <- 5"; strings.Join(all, "; ") != want {
		t.Errorf("checks = %q, want %q", all, want)
	}
}

func TestBearerBoundClaims(t *testing.T) {
	r := bearer(t, func(s *trust.Spec) { s.BoundClaims = map[string]any{"team": []any{"a", int64(7)}} })
	for _, c := range []struct {
		claim  any
		reason string
	}{{"a", ""}, {7, ""}, {[]any{"x", "a"}, ""}, {"7", trust.ReasonClaimMismatch}, {nil, trust.ReasonClaimMissing}} {
		_, reason, text := admit(t, r, base(claims{"team": c.claim}))
		if reason != c.reason || strings.HasPrefix(text, "error validating") {
			t.Errorf("%v: %q %q", c.claim, reason, text)
		}
	}
}

func TestBoundValuesOfEveryGoType(t *testing.T) {
	for _, v := range []any{3, int64(3), float64(3), json.Number("3"), json.Number("3.0"), []any{"x", 3}} {
		r := login(t, func(s *trust.Spec) { s.BoundClaims = map[string]any{"k": v} })
		if _, d := r.Admit(withK(t, `3`), now); !d.Allowed {
			t.Errorf("%T %v does not match 3", v, v)
		}
		if _, d := r.Admit(withK(t, `4`), now); d.Allowed {
			t.Errorf("%T %v matches 4", v, v)
		}
	}
}

func TestBoundValuesThatCannotBeComparedAreRefusedWhenWritten(t *testing.T) {
	for _, c := range []struct {
		v    any
		glob bool
		want string
	}{
		{nil, false, "not a string, bool, number or list"},
		{map[string]any{"a": 1}, false, "not a string, bool, number or list"},
		{[]any{[]any{"a"}}, false, "not a string, bool, number or list"},
		{[]any{map[string]any{"a": 1}}, false, "not a string, bool, number or list"},
		{math.NaN(), false, "not a string, bool, number or list"},
		{math.Inf(1), false, "not a string, bool, number or list"},
		{json.Number("x"), false, "not a string, bool, number or list"},
		{5, true, "claim is not a string or list: 5"},
		{[]any{"a", true}, true, "claim is not a string: true"},
	} {
		_, err := trust.Compile(trust.Spec{Style: trust.Login, UserClaim: "sub", BoundClaims: map[string]any{"k": c.v}, BoundClaimsGlob: c.glob})
		if err == nil || !strings.Contains(err.Error(), c.want) || !fault.Is(err, fault.Invalid) {
			t.Errorf("%v: %v", c.v, err)
		}
	}
	if _, err := trust.Compile(trust.Spec{Style: trust.Login, UserClaim: "sub", BoundClaims: map[string]any{"/a~": "x"}}); err == nil {
		t.Error("a pointer that leads nowhere is taken")
	}
}

// TestGlobAgreesWithTheModel holds the matcher against regular expressions.
func TestGlobAgreesWithTheModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		pattern := rapid.StringMatching(`[ab*?]{0,8}`).Draw(rt, "pattern")
		s := rapid.StringMatching(`[ab?]{0,10}`).Draw(rt, "s")
		re := regexp.MustCompile(`\A` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`) + `\z`)
		doc, _ := json.Marshal(s)
		bound, _ := json.Marshal(pattern)
		_, d := boundRule(t, string(bound), true).Admit(withK(t, string(doc)), now)
		if want := re.MatchString(s) || s == pattern; d.Allowed != want {
			rt.Fatalf("glob %q on %q: %v", pattern, s, d.Allowed)
		}
	})
}

// TestBoundClaimsAgreeWithTheModel: both sides as lists, any pair equal by type
// and exact value.
func TestBoundClaimsAgreeWithTheModel(t *testing.T) {
	scalars := []string{`"a"`, `"b"`, `""`, `"1"`, `"true"`, `true`, `false`, `1`, `1.0`, `2`, `1.5`, `9007199254740993`, `9007199254740992`}
	class := map[string]string{`1.0`: `1`} // spellings of one value
	canon := func(s string) string {
		if c, ok := class[s]; ok {
			return c
		}
		return s
	}
	rapid.Check(t, func(rt *rapid.T) {
		side := func(name string) (doc string, elems []string) {
			if rapid.Bool().Draw(rt, name+" is a list") {
				elems = rapid.SliceOfN(rapid.SampledFrom(scalars), 0, 3).Draw(rt, name)
				return "[" + strings.Join(elems, ",") + "]", elems
			}
			one := rapid.SampledFrom(scalars).Draw(rt, name)
			return one, []string{one}
		}
		bound, want := side("bound")
		claim, got := side("claim")
		match := false
		for _, w := range want {
			for _, g := range got {
				match = match || canon(w) == canon(g)
			}
		}
		_, d := boundRule(t, bound, false).Admit(withK(t, claim), now)
		if d.Allowed != match {
			rt.Fatalf("bound %s claim %s: %v, want %v", bound, claim, d.Allowed, match)
		}
	})
}

// What an operator wants to see as HMACs only must not stand in the checks of a
// refusal either.
func TestHiddenClaimsAreNotShown(t *testing.T) {
	spec := func(hidden ...string) *trust.Rule {
		return login(t, func(s *trust.Spec) {
			s.Subject, s.Hidden = "nobody", hidden
			s.BoundClaims = map[string]any{"email": "x", "/org/owner": "x", "a/b": "x", "env": "prod"}
		})
	}
	c := base(claims{"email": "alice@example.com", "org": claims{"owner": "alice@example.com"}, "a/b": "alice@example.com", "env": "dev"})
	_, d := spec().Admit(verified(t, c), now)
	if n := strings.Count(fmt.Sprint(d.Checks), "alice@example.com"); n != 3 {
		t.Errorf("shown %d times: %v", n, d.Checks)
	}
	_, d = spec("/email", "/org/owner", "a/b", "sub").Admit(verified(t, c), now)
	if text := fmt.Sprint(d.Checks); strings.Contains(text, "alice") || strings.Count(text, "(hidden)") != 4 || !strings.Contains(text, "dev") {
		t.Errorf("%s", text)
	}
}
