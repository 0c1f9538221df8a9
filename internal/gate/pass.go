package gate

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/principal"
)

// visit is one request on its way through the gate.
type visit struct {
	gate     *Gate
	req      *Request
	start    time.Time
	who      *principal.Principal
	decision policy.Decision
	asker    Asker
	result   *audit.ResponsePart
	recorded bool // the request's entry is written
	acted    bool // the gate has opened
	repeat   *audit.Repeat
	over     atomic.Bool

	mu         sync.Mutex
	objects    []string
	properties []string
}

// Pass is the proof that the gate let one request through to one action on one
// path. Engines demand it in every method. The zero Pass opens nothing, and a
// Pass opens nothing after its request is over.
type Pass struct{ v *visit }

// errNoPass is what an engine answers to a Pass that the gate did not give, or
// gave for something else. It is a defect of ours, never the caller's fault.
var errNoPass = fault.New(fault.Internal, "gate: pass is void or was given for another action")

// valid reports whether the Pass belongs to a request that is still running.
func (p Pass) valid() bool { return p.v != nil && p.v.decision.Allowed && !p.v.over.Load() }

// Check returns nil only if this Pass was given for this operation on this
// path. Engines call it first.
func (p Pass) Check(op Operation, path string) error {
	if !p.valid() || p.v.req.Operation != op || p.v.req.Path != path {
		return errNoPass
	}
	return nil
}

// CheckOperation returns nil only if this Pass was given for this operation on
// the mount with this path. Engines whose operations touch several paths of
// their mount use it.
func (p Pass) CheckOperation(op Operation, mount string) error {
	if !p.valid() || p.v.req.Operation != op || p.v.req.Mount.Path != mount {
		return errNoPass
	}
	return nil
}

// Principal returns who is calling, or nil for a void Pass.
func (p Pass) Principal() *principal.Principal {
	if !p.valid() {
		return nil
	}
	return p.v.who
}

// RequestID returns the id that joins reply and audit entry.
func (p Pass) RequestID() string {
	if p.v == nil {
		return ""
	}
	return p.v.req.ID
}

// Ask decides whether the caller may do op to resource, such as reading one
// property. Without an Asker every answer is no.
func (p Pass) Ask(op Operation, resource string) policy.Decision {
	if !p.valid() || p.v.asker == nil {
		return policy.Deny(policy.Check{Name: "pass", Note: "the pass is void or answers no such question"})
	}
	return p.v.asker.Ask(op, resource)
}

// NoteObject remembers for the audit entry that this object was touched.
func (p Pass) NoteObject(ids ...string) {
	if p.v != nil {
		p.v.mu.Lock()
		p.v.objects = append(p.v.objects, ids...)
		p.v.mu.Unlock()
	}
}

// NoteProperty remembers for the audit entry that these properties were asked
// for.
func (p Pass) NoteProperty(names ...string) {
	if p.v == nil {
		return
	}
	p.v.mu.Lock()
	defer p.v.mu.Unlock()
	for _, n := range names {
		if !slices.Contains(p.v.properties, n) {
			p.v.properties = append(p.v.properties, n)
		}
	}
}

// Checked is implemented by errors that carry the checks that led to them, so
// that the audit entry of a refused login can show all of them.
type Checked interface {
	error
	Checks() []policy.Check
}

// Attempted is implemented by errors of logins that know what the operator
// wants to see of the credential.
type Attempted interface {
	error
	Login() *audit.Login
}
