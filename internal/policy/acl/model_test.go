package acl

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The model is the rules of the package comment, written the slow and obvious
// way: every pattern is a regular expression, every request tries them all.

type modelRule struct {
	path string
	caps map[string]bool
}

func (r modelRule) deny() bool { return r.caps["deny"] }

func (r modelRule) wild() bool {
	return strings.HasSuffix(r.path, "*") || slices.Contains(strings.Split(r.path, "/"), "+")
}

func (r modelRule) match(path string) bool {
	body, isPrefix := strings.CutSuffix(r.path, "*")
	var parts []string
	for _, s := range strings.Split(body, "/") {
		if s == "+" {
			parts = append(parts, "[^/]*")
		} else {
			parts = append(parts, regexp.QuoteMeta(s))
		}
	}
	re := "^" + strings.Join(parts, "/")
	if isPrefix {
		re += ".*"
	}
	return regexp.MustCompile(re + "$").MatchString(path)
}

// rank is larger for the rule that decides first.
func (r modelRule) compare(o modelRule) int {
	key := func(m modelRule) []int {
		pluses, first := 0, len(m.path)
		at := 0
		for _, s := range strings.Split(strings.TrimSuffix(m.path, "*"), "/") {
			if s == "+" {
				pluses++
				first = min(first, at)
			}
			at += len(s) + 1
		}
		star := 0
		if strings.HasSuffix(m.path, "*") {
			star = 1
			first = min(first, len(m.path)-1)
		}
		return []int{first, -star, -pluses, len(m.path)}
	}
	return cmp.Or(slices.Compare(key(r), key(o)), strings.Compare(r.path, o.path))
}

type model struct{ rules []modelRule }

func (m model) exact(path string) *modelRule {
	for _, r := range m.rules {
		if !r.wild() && r.path == path {
			return &r
		}
	}
	return nil
}

func (m model) best(path string) *modelRule {
	var best *modelRule
	for _, r := range m.rules {
		if r.wild() && r.match(path) && (best == nil || r.compare(*best) > 0) {
			best = &r
		}
	}
	return best
}

func (m model) decide(op, path string) (bool, string) {
	var cands []*modelRule
	if op == "list" {
		long := strings.TrimSuffix(path, "/") + "/"
		short := strings.TrimSuffix(path, "/")
		cands = []*modelRule{m.exact(long), m.exact(short), m.best(long), m.best(short)}
	} else {
		cands = []*modelRule{m.exact(path), m.best(path)}
	}
	cands = slices.DeleteFunc(cands, func(r *modelRule) bool { return r == nil })
	if len(cands) == 0 {
		return false, ""
	}
	r := cands[0]
	for _, c := range cands {
		if op != "list" || !c.deny() {
			continue
		}
		switch {
		case !c.wild(), r.wild() && r.compare(*c) <= 0:
			return false, c.path
		}
	}
	return !r.deny() && r.caps[op], r.path
}

func merge(in []modelRule) model {
	byPath := map[string]modelRule{}
	for _, r := range in {
		m, ok := byPath[r.path]
		if !ok {
			m = modelRule{path: r.path, caps: map[string]bool{}}
		}
		for c := range r.caps {
			m.caps[c] = true
		}
		byPath[r.path] = m
	}
	var out model
	for _, r := range byPath {
		out.rules = append(out.rules, r)
	}
	return out
}

var (
	genSeg  = rapid.SampledFrom([]string{"a", "b", "ab", "+", "+", "", "a+", "*"})
	genCap  = rapid.SampledFrom([]string{"read", "list", "update", "deny"})
	genRule = rapid.Custom(func(t *rapid.T) modelRule {
		path := strings.Join(rapid.SliceOfN(genSeg, 1, 4).Draw(t, "segs"), "/")
		path += rapid.SampledFrom([]string{"", "", "*", "/*", "/"}).Draw(t, "end")
		path = strings.TrimLeft(path, "/")
		caps := map[string]bool{}
		for _, c := range rapid.SliceOfN(genCap, 1, 3).Draw(t, "caps") {
			caps[c] = true
		}
		return modelRule{path: path, caps: caps}
	}).Filter(func(r modelRule) bool { return !strings.Contains(r.path, "+*") })
	genPath = rapid.Custom(func(t *rapid.T) string {
		seg := rapid.SampledFrom([]string{"a", "b", "ab", "abc", "c", "", "a+", "*"})
		return strings.TrimLeft(strings.Join(rapid.SliceOfN(seg, 1, 5).Draw(t, "path"), "/"), "/")
	})
)

func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []modelRule
		var policies []*Policy
		for i := range rapid.IntRange(1, 3).Draw(t, "policies") {
			rules := rapid.SliceOfN(genRule, 1, 6).Draw(t, "rules")
			all = append(all, rules...)
			var text strings.Builder
			for _, r := range rules {
				var names []string
				for c := range r.caps {
					names = append(names, fmt.Sprintf("%q", c))
				}
				fmt.Fprintf(&text, "path %q { capabilities = [%s] }\n", r.path, strings.Join(names, ","))
			}
			p, err := Parse(fmt.Sprintf("p%d", i), text.String())
			if err != nil {
				t.Fatalf("%v\n%s", err, text.String())
			}
			policies = append(policies, p)
		}
		a, err := Compile(policies, TemplateData{})
		if err != nil {
			t.Fatal(err)
		}
		m := merge(all)
		for _, path := range rapid.SliceOfN(genPath, 8, 8).Draw(t, "paths") {
			have := a.Capabilities(path)
			for _, op := range []string{"read", "list", "update"} {
				d := a.Decide(Question{Operation: Operation(op), Path: path})
				want, rule := m.decide(op, path)
				if d.Allowed != want || rule != "" && !strings.HasPrefix(d.Rule, fmt.Sprintf("path %q in ", rule)) {
					t.Fatalf("%s %q: got %v by %q, want %v by %q", op, path, d.Allowed, d.Rule, want, rule)
				}
				if slices.Contains(have, op) != want {
					t.Fatalf("Capabilities(%q) = %v disagrees on %s", path, have, op)
				}
				if want && !a.AnyUnder(path) && op != "list" {
					t.Fatalf("AnyUnder(%q) is false though %s is allowed", path, op)
				}
			}
		}
	})
}
