package objects

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
)

// access decides which objects one call may touch: those that match every
// narrowing claim of the caller's JWT and belong to a tenant of the header. It
// can only take away from what the policies allow.
type access struct {
	bounds  []bound
	tenants []string // nil = any
	now     time.Time
}

// bound is one narrowing claim: the property must have one of the values.
type bound struct {
	prop   *property
	values [][]byte // canonical
}

// access compiles what the pass's principal may touch in c. A claim on a
// property that c does not have denies everything.
func (call Call) access(c *collection, now time.Time) (access, error) {
	a := access{tenants: call.Tenants, now: now}
	for _, n := range call.Pass.Principal().Narrowing() {
		p := c.props[n.Property]
		if p == nil {
			return access{}, refuse(policy.Check{
				Name: "narrowing", Expected: "property " + n.Property, Received: "collection " + c.def.Name,
				Note: "the token restricts a property that the collection does not have",
			})
		}
		b := bound{prop: p}
		for _, v := range n.Values {
			if raw := p.claim(v); raw != nil {
				b.values = append(b.values, raw)
			}
		}
		a.bounds = append(a.bounds, b)
		if p.num == numTenant {
			a.tenants = nil // the token's own bound is stronger than the header
		}
	}
	return a, nil
}

// claim spells the value of a claim as the property stores it; nil if no
// object can have it.
func (p *property) claim(v string) []byte {
	switch p.typ.base {
	case baseString, baseLongText:
		raw, rule := p.typ.canonicalString(v)
		if rule != "" {
			return nil
		}
		return raw
	default:
		raw, rule := p.typ.canonical([]byte(v))
		if rule != "" {
			return nil
		}
		return raw
	}
}

// matches reports whether the object satisfies every narrowing claim.
func (a access) matches(o *object) bool {
	for _, b := range a.bounds {
		if raw := o.raw(b.prop); raw == nil || !b.allows(raw) {
			return false
		}
	}
	return true
}

// allows reports whether the claim admits a value.
func (b bound) allows(raw []byte) bool {
	return slices.ContainsFunc(b.values, func(v []byte) bool { return bytes.Equal(v, raw) })
}

// ours reports whether the object belongs to a tenant of the header.
func (a access) ours(o *object) bool { return a.tenants == nil || slices.Contains(a.tenants, o.tenant) }

// admit refuses an object that the caller named but may not touch.
func (a access) admit(o *object) error {
	if !a.matches(o) {
		return refuse(policy.Check{Name: "narrowing", Expected: a.expected(), Note: "the object is outside the token's restriction"})
	}
	return a.admitTenant(o)
}

func (a access) admitTenant(o *object) error {
	if !a.ours(o) {
		return refuse(policy.Check{Name: "tenant", Expected: "X-Tenant-Id", Note: "the object belongs to another tenant"})
	}
	return nil
}

// expected names the restricted properties for the audit entry.
func (a access) expected() string {
	var names []string
	for _, b := range a.bounds {
		names = append(names, b.prop.Name)
	}
	return fmt.Sprint(names)
}

// refusal is a denial that carries its check to the audit entry.
type refusal struct {
	fault  *fault.Error
	checks []policy.Check
}

// Error returns the public text.
func (r refusal) Error() string { return r.fault.Error() }

// Checks lists what failed.
func (r refusal) Checks() []policy.Check { return r.checks }

// Unwrap gives errors.As the failure behind the refusal.
func (r refusal) Unwrap() error { return r.fault }

func refuse(checks ...policy.Check) error {
	e := fault.New(fault.Denied, "The operation is forbidden due to a policy violation.")
	if len(checks) > 0 {
		e = e.WithReason(checks[len(checks)-1].Name)
	}
	return refusal{e, checks}
}

// ask lets the policies vote on doing op to each of the views. One refusal
// refuses the call.
func (call Call) ask(op gate.Operation, archived bool, views ...*view) error {
	names := make([]string, 0, len(views))
	for _, v := range views {
		r := v.resource
		if archived {
			r = v.archived
		}
		names = append(names, v.name)
		if err := call.askOne(op, r); err != nil {
			call.Pass.NoteProperty(names...)
			return err
		}
	}
	call.Pass.NoteProperty(names...)
	return nil
}

func (call Call) askOne(op gate.Operation, resource string) error {
	d := call.Pass.Ask(op, resource)
	if d.Allowed {
		return nil
	}
	checks := d.Checks
	if len(checks) == 0 {
		checks = []policy.Check{{Name: "policy", Expected: string(op) + " " + resource}}
	}
	return refuse(checks...)
}

// views returns the views of whole properties.
func views(ps []*property) []*view {
	out := make([]*view, len(ps))
	for i, p := range ps {
		out[i] = p.views[""]
	}
	return out
}
