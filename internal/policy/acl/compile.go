package acl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy"
)

// ACL is the merged policies of one caller. It is immutable and safe for
// concurrent use. The zero ACL, and a nil one, denies everything but help.
type ACL struct {
	root    bool
	exact   map[string]*merged
	lengths []int                // of the heads, longest first
	byHead  map[string][]*merged // patterns with this head, best first
	dropped []policy.Check
	rules   []*merged // all, by path text
}

// merged is all rules with one path text.
type merged struct {
	pat      pattern
	caps     caps
	params   *params
	minWrap  time.Duration
	maxWrap  time.Duration
	names    []string          // policies that have a rule with this path, sorted
	granting [numCaps][]string // by bit, sorted; several may share one slice
	rule     string            // how a decision names it
	parts    map[string]caps   // what each policy grants; only while compiling
	order    []string          // keys of parts as they came
}

// Compile merges policies for one caller and fills in templates from ids. A
// templated rule that cannot be filled in safely is dropped (see Dropped).
// The root policy stands alone: together with others it is refused with kind
// Invalid. nil policies are ignored.
func Compile(policies []*Policy, ids TemplateData) (*ACL, error) {
	a := &ACL{exact: map[string]*merged{}, byHead: map[string][]*merged{}}
	byPath := map[string]*merged{}
	count := 0
	for _, p := range policies {
		if p == nil {
			continue
		}
		count++
		a.root = a.root || p.root
		for i := range p.rules {
			a.add(byPath, p, &p.rules[i], &ids)
		}
	}
	if a.root && count > 1 {
		return nil, fault.New(fault.Invalid, "policy root cannot be combined with other policies").WithReason("policy_root")
	}
	for _, m := range byPath {
		a.file(m)
	}
	a.sort()
	return a, nil
}

// add merges one rule of one policy into the rules by path text.
func (a *ACL) add(byPath map[string]*merged, p *Policy, r *rule, ids *TemplateData) {
	name, pat := p.name, r.pat
	if r.templated {
		var err error
		if pat, err = r.filled(ids, p.slashes); err != nil {
			a.dropped = append(a.dropped, policy.Check{
				Name: "template", Expected: fmt.Sprintf("path %q in policy %q", r.path, name), Note: "rule dropped: " + err.Error(),
			})
			return
		}
	}
	m := byPath[pat.text]
	if m == nil {
		m = &merged{pat: pat, parts: map[string]caps{}}
		byPath[pat.text] = m
	}
	if _, known := m.parts[name]; !known {
		m.order = append(m.order, name)
	}
	m.parts[name] |= r.caps
	m.merge(r)
}

// filled returns the pattern of a templated rule for one caller. A denial takes
// values that a grant must not take, as they are: what they widen is denied.
// Were it dropped, a value such as "a/b" would undo it.
func (r *rule) filled(ids *TemplateData, slashes bool) (pattern, error) {
	path, err := resolve(r.path, ids, slashes)
	deny := r.caps&capDeny != 0
	if deny && errors.Is(err, errUnsafe) {
		path, err = fillIn(r.path, ids)
	}
	if err != nil {
		return pattern{}, err
	}
	pat, err := compilePattern(path)
	if deny && err != nil { // the value spells "+*"
		head, _, _ := strings.Cut(r.path, "{{")
		return compilePattern(head + "*")
	}
	return pat, err
}

// merge joins r into m: capabilities add up, one deny wipes everything, and the
// lower wrapping bounds win.
func (m *merged) merge(r *rule) {
	if m.caps&capDeny != 0 {
		return
	}
	if r.caps&capDeny != 0 {
		m.caps, m.params, m.minWrap, m.maxWrap = capDeny, nil, 0, 0
		return
	}
	m.caps |= r.caps
	m.params = m.params.merge(r.params)
	m.minWrap = lowerSet(m.minWrap, r.minWrap)
	m.maxWrap = lowerSet(m.maxWrap, r.maxWrap)
}

func lowerSet(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// file puts a finished rule where requests find it.
func (a *ACL) file(m *merged) {
	m.finish()
	a.rules = append(a.rules, m)
	if m.pat.exact {
		a.exact[m.pat.text] = m
		return
	}
	if _, known := a.byHead[m.pat.head]; !known {
		a.lengths = append(a.lengths, len(m.pat.head))
	}
	a.byHead[m.pat.head] = append(a.byHead[m.pat.head], m)
}

func (m *merged) finish() {
	m.names = slices.Clone(m.order)
	slices.Sort(m.names)
	quoted := make([]string, len(m.names))
	for i, n := range m.names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	word := "policy"
	if len(quoted) > 1 {
		word = "policies"
	}
	m.rule = fmt.Sprintf("path %q in %s %s", m.pat.text, word, strings.Join(quoted, ", "))
	for bit := range numCaps {
		c := caps(1) << bit
		if m.caps&c == 0 {
			continue
		}
		var who []string
		for _, n := range m.names {
			if m.parts[n]&c != 0 {
				who = append(who, n)
			}
		}
		if len(who) == len(m.names) {
			who = m.names // the usual case: one shared slice
		}
		m.granting[bit] = who
	}
	m.parts, m.order = nil, nil
}

func (a *ACL) sort() {
	slices.Sort(a.lengths)
	a.lengths = slices.Compact(a.lengths)
	slices.Reverse(a.lengths)
	for _, list := range a.byHead {
		slices.SortFunc(list, func(x, y *merged) int { return x.pat.before(&y.pat) })
	}
	slices.SortFunc(a.rules, func(x, y *merged) int { return strings.Compare(x.pat.text, y.pat.text) })
}

// Dropped lists the templated rules that this caller does not have, with the
// reason. The caller's own values are not in it.
func (a *ACL) Dropped() []policy.Check { return slices.Clone(a.dropped) }

// Root reports whether everything is allowed.
func (a *ACL) Root() bool { return a != nil && a.root }
