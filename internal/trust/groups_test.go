package trust_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/trust"
)

func TestOnlyGroupsThatTheRuleWantsCount(t *testing.T) {
	with := func(change func(*trust.Spec)) *trust.Rule {
		return login(t, func(s *trust.Spec) {
			s.GroupsClaim = "groups"
			change(s)
		})
	}
	token := base(claims{"groups": []string{"dev", "ops", "app-a", "app-b", "dev", "*"}})
	for name, tc := range map[string]struct {
		rule *trust.Rule
		want []string
	}{
		"no rule":               {with(func(*trust.Spec) {}), []string{"dev", "ops", "app-a", "app-b", "*"}},
		"exact":                 {with(func(s *trust.Spec) { s.GroupsFilter = []string{"ops", "none"} }), []string{"ops"}},
		"a star is a letter":    {with(func(s *trust.Spec) { s.GroupsFilter = []string{"app-*", "*"} }), []string{"*"}},
		"a star is a pattern":   {with(func(s *trust.Spec) { s.GroupsFilter, s.GroupsFilterGlob = []string{"app-*", "dev"}, true }), []string{"dev", "app-a", "app-b"}},
		"anchored at both ends": {with(func(s *trust.Spec) { s.GroupsFilter, s.GroupsFilterGlob = []string{"app-", "p-*", "*-"}, true }), nil},
		"map":                   {with(func(s *trust.Spec) { s.GroupsMap = map[string]string{"ops": "operators", "none": "x"} }), []string{"operators"}},
		"two become one":        {with(func(s *trust.Spec) { s.GroupsMap = map[string]string{"ops": "staff", "dev": "staff"} }), []string{"staff"}},
		"filter before map": {with(func(s *trust.Spec) {
			s.GroupsFilter, s.GroupsMap = []string{"ops"}, map[string]string{"ops": "dev", "dev": "ops"}
		}), []string{"dev"}},
		"an empty filter wants none": {with(func(s *trust.Spec) { s.GroupsFilter = []string{} }), nil},
		"an empty map wants none":    {with(func(s *trust.Spec) { s.GroupsMap = map[string]string{} }), nil},
	} {
		if g, reason, _ := admit(t, tc.rule, token); reason != "" || !reflect.DeepEqual(g.Groups, tc.want) {
			t.Errorf("%s: groups %q, refusal %q", name, g.Groups, reason)
		}
	}
	// What is left out must be well-formed all the same.
	exact := with(func(s *trust.Spec) { s.GroupsFilter = []string{"ops"} })
	for _, bad := range []any{[]any{"ops", 7}, []any{"ops", "a\nb"}, map[string]any{"ops": true}} {
		if _, reason, _ := admit(t, exact, base(claims{"groups": bad})); reason != trust.ReasonGroups {
			t.Errorf("%v: %q", bad, reason)
		}
	}
	_, d := exact.Admit(verified(t, token), now)
	for _, c := range d.Checks {
		if c.Name == "groups_claim" && c.Received != "6, of which 1 count" {
			t.Errorf("the operator reads %q", c.Received)
		}
	}
}

func TestMoreGroupsThanTheCapAreRefused(t *testing.T) {
	many := func(n int) claims {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("app-%d", i))
		}
		return base(claims{"groups": append(list, "app-0")})
	}
	capped := func(n int, filter ...string) *trust.Rule {
		return login(t, func(s *trust.Spec) {
			s.GroupsClaim, s.MaxGroups, s.GroupsFilter, s.GroupsFilterGlob = "groups", n, filter, true
		})
	}
	for _, tc := range []struct {
		rule   *trust.Rule
		groups int
		reason string
	}{
		{capped(2), 2, ""}, {capped(2), 3, trust.ReasonManyGroups}, {capped(1, "app-1*"), 9, ""}, {capped(1, "app-1*"), 11, trust.ReasonManyGroups},
		{capped(0), 1023, ""}, {capped(0), 1024, trust.ReasonGroups}, {capped(1, "app-1"), 1024, trust.ReasonGroups},
	} {
		if _, reason, text := admit(t, tc.rule, many(tc.groups)); reason != tc.reason {
			t.Errorf("%d groups: %q (%s), want %q", tc.groups, reason, text, tc.reason)
		}
	}
}

func TestRulesOfGroupsThatMeanNothingAreRefusedWhenWritten(t *testing.T) {
	for name, change := range map[string]func(*trust.Spec){
		"groups_filter, groups_map and max_groups need a groups_claim": func(s *trust.Spec) { s.GroupsClaim, s.GroupsFilter = "", []string{"a"} },
		"max_groups must be between 1 and 1024":                        func(s *trust.Spec) { s.MaxGroups = -1 },
		"max_groups must be between":                                   func(s *trust.Spec) { s.MaxGroups = 1025 },
		"groups_filter has an empty entry":                             func(s *trust.Spec) { s.GroupsFilter = []string{"a", ""} },
		"groups_map has an empty name":                                 func(s *trust.Spec) { s.GroupsMap = map[string]string{"a": ""} },
		"groups_map has an empty":                                      func(s *trust.Spec) { s.GroupsMap = map[string]string{"": "a"} },
		"groups_map: a name has a control character":                   func(s *trust.Spec) { s.GroupsMap = map[string]string{"a": "\n"} },
	} {
		s := trust.Spec{Style: trust.Login, Name: "demo", UserClaim: "sub", GroupsClaim: "groups"}
		change(&s)
		if _, err := trust.Compile(s); fault.PublicText(err) != name && (err == nil || !strings.Contains(err.Error(), name)) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
	for _, change := range []func(*trust.Spec){
		func(s *trust.Spec) { s.GroupsMap = map[string]string{"a": "b"} }, func(s *trust.Spec) { s.MaxGroups = 1 },
	} {
		s := trust.Spec{Style: trust.Login, Name: "demo", UserClaim: "sub"}
		change(&s)
		if _, err := trust.Compile(s); err == nil {
			t.Error("a rule of groups without a claim compiles")
		}
	}
}

func TestATokenMayBeMadeForTooLong(t *testing.T) {
	at := now.Unix()
	rule := login(t, func(s *trust.Spec) { s.Times = trust.Times{MaxLifetime: 10 * time.Minute} })
	for name, tc := range map[string]struct {
		claims claims
		want   string
	}{
		"to the second":       {claims{"iat": at, "exp": at + 600}, ""},
		"a second more":       {claims{"iat": at, "exp": at + 601}, trust.ReasonLongLived},
		"seen late":           {claims{"iat": at - 500, "exp": at + 101}, trust.ReasonLongLived},
		"no iat":              {claims{"iat": nil, "nbf": at, "exp": at + 60}, trust.ReasonNoIssuedAt},
		"no exp, derived":     {claims{"iat": at, "exp": nil}, ""},
		"derived from nbf":    {claims{"iat": at - 600, "nbf": at, "exp": nil}, trust.ReasonLongLived},
		"no leeway for clock": {claims{"iat": at + 30, "exp": at + 631}, trust.ReasonLongLived},
	} {
		if _, reason, text := admit(t, rule, base(tc.claims)); reason != tc.want {
			t.Errorf("%s: %q (%s), want %q", name, reason, text, tc.want)
		}
	}
}
