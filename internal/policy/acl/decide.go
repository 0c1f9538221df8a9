package acl

import (
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/policy"
)

// Question is one request, as the policy language sees it.
type Question struct {
	Operation Operation
	Path      string         // logical path, such as "secret/data/app"
	Data      map[string]any // parameters
	WrapTTL   time.Duration  // requested life of the wrapping token; 0 = not wrapped
	Sudo      bool           // the endpoint is root-protected
}

var rootGranting = []string{RootName}

// Decide answers one question. A refusal always says which check failed; an
// allowed answer allocates nothing, and its Granting is shared: read only.
func (a *ACL) Decide(q Question) policy.Decision {
	if a.Root() {
		return policy.Decision{Allowed: true, Rule: `policy "root"`, Granting: rootGranting}
	}
	if q.Operation == Help {
		return policy.Decision{Allowed: true, Rule: "help is open to every caller"}
	}
	need := needed(q.Operation)
	if need == 0 {
		return policy.Deny(policy.Check{Name: "operation", Received: string(q.Operation), Note: "unknown operation"})
	}
	path := strings.TrimPrefix(q.Path, "/")
	if strings.Contains(path, "..") && hasParent(path) {
		return policy.Deny(policy.Check{Name: "path", Received: path, Note: "relative paths are not supported"})
	}
	m := a.find(path, need)
	if m == nil {
		return policy.Deny(policy.Check{Name: "path", Received: path, Note: "no rule matches this path"})
	}
	if c, ok := m.check(&q, need); !ok {
		return policy.Decision{Rule: m.rule, Checks: []policy.Check{m.pathCheck(path), c}}
	}
	return policy.Decision{Allowed: true, Rule: m.rule, Granting: m.granting[bits.TrailingZeros16(uint16(need))]}
}

// check asks everything that the deciding rule says.
func (m *merged) check(q *Question, need caps) (policy.Check, bool) {
	switch {
	case m.caps&capDeny != 0:
		return policy.Check{Name: "capability", Expected: string(q.Operation), Received: "deny", Note: "the rule denies this path"}, false
	case m.caps&need == 0:
		return policy.Check{
			Name: "capability", Expected: string(q.Operation), Received: strings.Join(m.caps.names(), ", "),
			Note: "the rule does not grant this operation",
		}, false
	case q.Sudo && m.caps&capSudo == 0:
		return policy.Check{
			Name: "sudo", Expected: "sudo", Received: strings.Join(m.caps.names(), ", "),
			Note: "this endpoint also needs the capability sudo",
		}, false
	case m.maxWrap > 0 && (q.WrapTTL <= 0 || q.WrapTTL > m.maxWrap), m.minWrap > 0 && q.WrapTTL < m.minWrap:
		return policy.Check{
			Name: "wrapping_ttl", Expected: m.wrapBounds(), Received: q.WrapTTL.String(),
			Note: "the answer must be wrapped for a time within the rule's bounds",
		}, false
	}
	if !judged(q.Operation) {
		return policy.Check{}, true
	}
	return m.params.check(q.Data)
}

func (m *merged) wrapBounds() string {
	var parts []string
	if m.minWrap > 0 {
		parts = append(parts, "at least "+m.minWrap.String())
	}
	if m.maxWrap > 0 {
		parts = append(parts, "at most "+m.maxWrap.String())
	}
	return strings.Join(parts, ", ")
}

func (m *merged) pathCheck(path string) policy.Check {
	return policy.Check{Name: "path", OK: true, Expected: m.rule, Received: path}
}

func hasParent(path string) bool {
	for seg := range strings.SplitSeq(path, "/") {
		if seg == ".." {
			return true
		}
	}
	return false
}

// find returns the one rule that decides, or nil.
func (a *ACL) find(path string, need caps) *merged {
	if a == nil {
		return nil
	}
	if need&(capList|capScan) != 0 {
		return a.findList(path)
	}
	if m := a.exact[path]; m != nil {
		return m
	}
	return a.best(path)
}

// best returns the pattern that decides path, or nil.
func (a *ACL) best(path string) *merged {
	for _, n := range a.lengths {
		if n > len(path) {
			continue
		}
		for _, m := range a.byHead[path[:n]] {
			if m.pat.matches(path) {
				return m
			}
		}
	}
	return nil
}

// findList returns the rule that decides a listing. "a/b" and "a/b/" name the
// same listing: a rule for either spelling counts, the one with the slash
// first, and a denial of either spelling wins unless the rule that would decide
// is more specific (GHSA-xp3c-3jw3-4vcr).
func (a *ACL) findList(path string) *merged {
	short := strings.TrimSuffix(path, "/")
	long := path
	if len(short) == len(path) {
		long = path + "/"
	}
	found := [4]*merged{a.exact[long], a.exact[short], a.best(long), a.best(short)}
	var m *merged
	for _, c := range found {
		if m == nil {
			m = c
		}
	}
	for _, c := range found {
		if c != nil && c.caps&capDeny != 0 && !m.moreSpecific(c) {
			return c
		}
	}
	return m
}

// moreSpecific reports whether m decides before o where both match.
func (m *merged) moreSpecific(o *merged) bool {
	if m.pat.exact || o.pat.exact {
		return m.pat.exact && !o.pat.exact
	}
	return m.pat.before(&o.pat) < 0
}

// operations lists what Capabilities asks for.
var operations = []caps{capCreate, capRead, capUpdate, capPatch, capDelete, capList, capScan, capSudo, capRecover, capSubscribe}

// Capabilities returns what the caller may do on path, sorted; ["root"] for
// root and ["deny"] for nothing. It asks the same rules as Decide, except those
// about parameters and wrapping.
func (a *ACL) Capabilities(path string) []string {
	if a.Root() {
		return []string{RootName}
	}
	path = strings.TrimPrefix(path, "/")
	if hasParent(path) {
		return caps(0).names()
	}
	var have caps
	for _, c := range operations {
		if m := a.find(path, c); m != nil && m.caps&capDeny == 0 {
			have |= m.caps & c
		}
	}
	return have.names()
}

// AnyUnder reports whether any rule grants anything at or below prefix, such as
// "secret/". Clients ask this before they use a mount.
func (a *ACL) AnyUnder(prefix string) bool {
	if a == nil {
		return false
	}
	return a.root || slices.ContainsFunc(a.rules, func(m *merged) bool {
		return m.caps != 0 && m.caps&capDeny == 0 && m.pat.touches(prefix)
	})
}

// touches reports whether the pattern can match a path that begins with prefix.
func (p *pattern) touches(prefix string) bool {
	if len(prefix) <= len(p.head) {
		return strings.HasPrefix(p.head, prefix)
	}
	rest, ok := strings.CutPrefix(prefix, p.head)
	if !ok || len(p.segs) == 0 {
		return ok && p.prefix
	}
	for i, want := range p.segs {
		if i == len(p.segs)-1 && p.prefix {
			return strings.HasPrefix(rest, want) || strings.HasPrefix(want, rest)
		}
		got, tail, more := strings.Cut(rest, "/")
		if !more {
			return want == "+" || strings.HasPrefix(want, got)
		}
		if want != "+" && want != got {
			return false
		}
		rest = tail
	}
	return false
}
