package votes

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy"
)

// AdminRole is the name of the built-in role that holds CapSystem. No
// configuration can define it.
const AdminRole = "Admin"

// PolicySpec is one policy as the IAM file has it. The three lists must not be
// empty; "*" in one means everything.
type PolicySpec struct {
	Name       string
	Type       string // "allow" or "deny"
	Operations []string
	Reasons    []string
	Resources  []string
}

// RoleSpec is one role as the IAM file has it. "*" in a list means everything.
type RoleSpec struct {
	Name         string
	Capabilities []string
	Policies     []string
	TrustedRoles []string // roles that may act as this one; empty = used directly
}

// voter is a compiled policy.
type voter struct {
	name       string
	rule       string
	granting   []string
	deny       bool
	operations bits
	reasons    bits
	resources  []pattern
}

// Role is a compiled role. It is immutable and safe for concurrent use. The
// zero Role, and a nil one, may do nothing.
type Role struct {
	name    string
	caps    capSet
	names   []string // of the policies, sorted
	voters  []*voter // deny first
	trusted []string
}

// Roles is every role of one configuration. The zero value has none.
type Roles struct{ byName map[string]*Role }

// Compile turns specifications into roles, the built-in one included. It
// reports every problem at once, joined, each a *fault.Error of kind Invalid.
func Compile(roles []RoleSpec, policies []PolicySpec) (*Roles, error) {
	var problems []error
	voters := make(map[string]*voter, len(policies))
	for _, spec := range policies {
		v, errs := compilePolicy(spec)
		problems = append(problems, errs...)
		if voters[spec.Name] != nil {
			problems = append(problems, invalid("policy %q is defined twice", spec.Name))
		}
		voters[spec.Name] = v
	}
	out := &Roles{byName: make(map[string]*Role, len(roles)+1)}
	out.byName[AdminRole] = &Role{name: AdminRole, caps: setOf(CapSystem)}
	for _, spec := range roles {
		if out.byName[spec.Name] != nil {
			problems = append(problems, invalid("role %q is built in or defined twice", spec.Name))
		}
		r, errs := compileRole(spec, voters)
		problems = append(problems, errs...)
		out.byName[spec.Name] = r
	}
	for _, spec := range roles {
		for _, t := range spec.TrustedRoles {
			if out.byName[t] == nil {
				problems = append(problems, invalid("role %q trusts role %q, which is not defined", spec.Name, t))
			}
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return out, nil
}

func invalid(format string, args ...any) error {
	return fault.Newf(fault.Invalid, format, args...).WithReason("iam_config")
}

func compilePolicy(spec PolicySpec) (*voter, []error) {
	v := &voter{name: spec.Name, rule: fmt.Sprintf("policy %q", spec.Name), granting: []string{spec.Name}, deny: spec.Type != "allow"}
	var problems []error
	add := func(err error) {
		if err != nil {
			problems = append(problems, invalid("policy %q: %s", spec.Name, err))
		}
	}
	add(CheckPolicyType(spec.Type))
	for list, n := range map[string]int{"operations": len(spec.Operations), "reasons": len(spec.Reasons), "resources": len(spec.Resources)} {
		if n == 0 {
			add(fmt.Errorf("%s must name at least one value, or \"*\" for all", list))
		}
	}
	for _, s := range spec.Operations {
		add(CheckOperation(s))
		v.operations |= bitsOf(operationNames, s)
	}
	for _, s := range spec.Reasons {
		add(CheckReason(s))
		v.reasons |= bitsOf(reasonNames, s)
	}
	for _, s := range spec.Resources {
		p, err := parsePattern(s)
		add(err)
		v.resources = append(v.resources, p)
	}
	return v, problems
}

func bitsOf(names []string, s string) bits {
	if s == "*" {
		return allBits
	}
	return bitOf(names, s)
}

// CheckPolicyType returns nil for "allow" and "deny".
func CheckPolicyType(s string) error {
	if s == "allow" || s == "deny" {
		return nil
	}
	return fmt.Errorf("policy_type is %q; write \"allow\" or \"deny\"", s)
}

// CheckOperation returns nil for an operation that policies vote on, and "*".
func CheckOperation(s string) error {
	if bitsOf(operationNames, s) != 0 {
		return nil
	}
	return fmt.Errorf("unknown operation %q; known are %s and \"*\"", s, strings.Join(operationNames, ", "))
}

// CheckReason returns nil for an access reason, and "*".
func CheckReason(s string) error {
	if bitsOf(reasonNames, s) != 0 {
		return nil
	}
	return fmt.Errorf("unknown reason %q; known are %s and \"*\"", s, strings.Join(reasonNames, ", "))
}

// CheckResource returns nil for a resource that a policy may name.
func CheckResource(s string) error {
	_, err := parsePattern(s)
	return err
}

func compileRole(spec RoleSpec, voters map[string]*voter) (*Role, []error) {
	r := &Role{name: spec.Name, trusted: slices.Clone(spec.TrustedRoles)}
	var problems []error
	for _, name := range spec.Capabilities {
		c, ok := ParseCapability(name)
		switch {
		case name == "*":
			r.caps = ^capSet(0)
		case ok:
			r.caps |= setOf(c)
		default:
			problems = append(problems, invalid("role %q: unknown capability %q", spec.Name, name))
		}
	}
	for _, name := range spec.Policies {
		v, ok := voters[name]
		switch {
		case name == "*":
			for _, v := range voters {
				r.voters = append(r.voters, v)
			}
		case ok:
			r.voters = append(r.voters, v)
		default:
			problems = append(problems, invalid("role %q: policy %q is not defined", spec.Name, name))
		}
	}
	slices.SortFunc(r.voters, func(a, b *voter) int {
		if a.deny != b.deny {
			if a.deny {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	r.voters = slices.Compact(r.voters)
	for _, v := range r.voters {
		r.names = append(r.names, v.name)
	}
	slices.Sort(r.names)
	return r, problems
}

// Role returns the role with this name.
func (r *Roles) Role(name string) (*Role, bool) {
	if r == nil {
		return nil, false
	}
	role, ok := r.byName[name]
	return role, ok
}

// Names returns the names of all roles but the built-in one, sorted.
func (r *Roles) Names() []string {
	if r == nil {
		return nil
	}
	var out []string
	for name := range r.byName {
		if name != AdminRole {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Name returns the role's name.
func (r *Role) Name() string { return r.name }

// Capabilities returns the names of what the role may call, sorted; "*" alone
// for everything.
func (r *Role) Capabilities() []string {
	if r == nil || r.caps == 0 {
		return nil
	}
	if r.caps.has(CapSystem) {
		return []string{"*"}
	}
	return r.caps.names()
}

// Policies returns the names of the role's policies, sorted. Read only.
func (r *Role) Policies() []string { return r.names }

// TrustedRoles returns the roles that may act as this one; empty means that
// the role is used directly. Read only.
func (r *Role) TrustedRoles() []string {
	if r == nil {
		return nil
	}
	return r.trusted
}

// Has reports whether the role holds the capability, or all of them.
func (r *Role) Has(c Capability) bool {
	return r != nil && c > capNone && c < numCapabilities && (r.caps.has(c) || r.caps.has(CapSystem))
}

// Capability decides whether the role may call an operation of the API, given
// by its operation id.
func (r *Role) Capability(operation string) policy.Decision {
	n, known := needs[operation]
	if !known {
		return policy.Deny(policy.Check{Name: "capability", Received: operation, Note: "unknown operation"})
	}
	if r == nil {
		return policy.Deny(policy.Check{Name: "capability", Expected: "a role", Note: "the caller has no role"})
	}
	switch {
	case r.caps.has(CapSystem):
	case n.any != 0 && r.caps&n.any == 0:
		return policy.Deny(r.lacks(n.any))
	case r.caps&n.all != n.all:
		return policy.Deny(r.lacks(n.all &^ r.caps))
	}
	return policy.Decision{Allowed: true, Rule: "capability"}
}

func (r *Role) lacks(missing capSet) policy.Check {
	return policy.Check{
		Name: "capability", Expected: missing.String(), Received: fmt.Sprintf("role %q", r.name),
		Note: "the role lacks the capability for this operation",
	}
}

// Vote lets the role's policies vote on doing op to resource for a reason. An
// allowed answer allocates nothing; its Granting is shared: read only. reason
// may be empty where the server does not ask for one; then only policies for
// all reasons vote.
func (r *Role) Vote(op, resource, reason string) policy.Decision {
	if r == nil {
		return refuse("a role", "", "the caller has no role")
	}
	opBit := bitOf(operationNames, op)
	if opBit == 0 {
		return refuse("a known operation", op, "unknown operation")
	}
	reasonBit := bitOf(reasonNames, reason)
	if reason == "" {
		reasonBit = anyBit
	}
	if reasonBit == 0 {
		return refuse("a known reason", reason, "unknown access reason")
	}
	q, ok := parseQuestion(resource)
	if !ok {
		return refuse("<collection>/<kind>/<name>", resource, "unknown resource")
	}
	var yes *voter
	for _, v := range r.voters {
		if v.operations&opBit == 0 || v.reasons&reasonBit == 0 || !v.speaks(&q) {
			continue
		}
		if v.deny {
			d := refuse("no policy that denies", op+" "+resource, "denied by "+v.rule)
			d.Rule = v.rule
			return d
		}
		yes = v
		break // those that deny came first
	}
	if yes == nil {
		return refuse("a policy that allows", op+" "+resource, "no policy of the role allows it")
	}
	return policy.Decision{Allowed: true, Rule: yes.rule, Granting: yes.granting}
}

func (v *voter) speaks(q *question) bool {
	for i := range v.resources {
		// Where the type is unknown, a denial counts and a permission does not.
		if v.resources[i].fits(q, v.deny) {
			return true
		}
	}
	return false
}

func refuse(expected, received, note string) policy.Decision {
	return policy.Deny(policy.Check{Name: "policy", Expected: expected, Received: received, Note: note})
}
