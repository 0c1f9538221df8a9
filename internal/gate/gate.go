// Package gate is the one way in: it authenticates, authorises and audits each
// request, always in this order, and hands out the Pass without which no
// engine opens.
//
// It refuses to let an act happen that the audit log does not know of: the
// entry for a request is written before anything is changed, the entry for the
// answer before anything is revealed, and a request that fails before a
// decision is recorded as well. If no audit device takes the entry, the caller
// gets an error and nothing else.
package gate

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/netip"
	"time"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/principal"
)

// Recorder takes audit entries. It returns an error unless at least one device
// has accepted the entry.
type Recorder interface {
	Record(ctx context.Context, e *audit.Entry) error
	// RecordPair takes the two entries of one request together. Their Auth and
	// Req are the same.
	RecordPair(ctx context.Context, request, response *audit.Entry) error
}

// Recording is when the audit entries of a request are written. An entry
// always precedes each effect, and the answer is one.
type Recording uint8

// The times of recording. The zero value is right for every request.
const (
	RecordBefore   Recording = iota // one entry before the act, one before the answer
	RecordTogether                  // the act changes nothing: both entries before the answer
	RecordOnce                      // the act changes nothing: one entry, before the answer
)

// Operation is what the caller wants to do: a Vault operation such as "read",
// or the operation id of the pvault door such as "get-iam-conf".
type Operation string

// Mount is the mounted engine or auth method that a request goes to.
type Mount struct {
	Path     string // such as "secret/" or "auth/jwt/"
	Type     string
	Accessor string
}

// Request is one question that a door puts to the gate.
type Request struct {
	ID          string // given by the door; made up when empty
	Door        string
	Operation   Operation
	Path        string // Vault door: logical path; pvault door: URL path
	Method      string
	Mount       Mount
	Credential  audit.Secret // what the caller presented
	Remote      netip.AddrPort
	WrapTTL     time.Duration
	Data        map[string]any // parameters, for the audit entry and parameter rules
	ClearKeys   []string       // keys of Data that need no HMAC
	Headers     map[string]string
	HashHeaders []string // names among Headers whose values the log shows as HMACs only
	Reason      string
	Collection  string
	Recording   Recording
	// Status tells which HTTP status the door gives a failure, for the audit
	// entry. nil: the entry of a failure names none.
	Status func(failure error) int
}

// Doorman is what one door knows: who is behind a credential, and what its
// policies say. Both must be pure apart from reading snapshots and storage.
type Doorman interface {
	// Authenticate returns the caller. An endpoint that needs no credential
	// returns an anonymous principal.
	Authenticate(ctx context.Context, r *Request) (*principal.Principal, error)
	// Authorise decides. The returned Asker answers later questions about
	// single properties and rows; it may be nil.
	Authorise(ctx context.Context, r *Request, p *principal.Principal) (policy.Decision, Asker, error)
}

// Asker answers questions that arise while an engine works, such as whether
// this caller may read this property.
type Asker interface {
	Ask(op Operation, resource string) policy.Decision
}

// Gate runs the steps. Build it with New.
type Gate struct {
	rec     Recorder
	now     func() time.Time
	observe func(Outcome) // nil: nobody counts
}

// New returns a gate that records with rec. now is the clock; nil means
// time.Now.
func New(rec Recorder, now func() time.Time) *Gate {
	if now == nil {
		now = time.Now
	}
	if rec == nil {
		rec = nobody{}
	}
	return &Gate{rec: rec, now: now}
}

// ErrAudit is the cause of every failure to record.
var ErrAudit = errors.New("gate: no audit device accepted the entry")

// errNoRecorder is what a gate without a recorder answers: never a pass.
var errNoRecorder = errors.New("gate: no audit device is configured")

// nobody records nothing, so nothing happens.
type nobody struct{}

func (nobody) Record(context.Context, *audit.Entry) error                   { return errNoRecorder }
func (nobody) RecordPair(context.Context, *audit.Entry, *audit.Entry) error { return errNoRecorder }

// errCrashed is what the log says of a request whose handling panicked. The
// door answers it.
var errCrashed = fault.Wrap(fault.Internal, errors.New("gate: the handling of the request crashed"), "")

// Result is what the act answers, for the audit entry.
type Result = audit.ResponsePart

// Do authenticates and authorises r, records it, runs act with a Pass, and
// records the answer. The Pass is void once Do returns. The returned error is
// the failure of the first step that failed; when it is not nil, the door
// must not send anything that act produced.
func (g *Gate) Do(ctx context.Context, d Doorman, r *Request, act func(context.Context, Pass) (*Result, error)) (err error) {
	if r.ID == "" {
		r.ID = NewID()
	}
	v := &visit{gate: g, req: r, start: g.now()}
	defer func() {
		v.over.Store(true)
		if aerr := g.close(ctx, v, err); aerr != nil {
			err = aerr
		}
		if g.observe != nil {
			g.observed(v, err)
		}
	}()

	err = errCrashed // stays if the next step panics, so that the log tells
	if v.who, err = d.Authenticate(ctx, r); err != nil {
		return err
	}
	if v.who.Expired(g.now()) {
		return fault.New(fault.Denied, "permission denied").WithReason("expired")
	}
	err = errCrashed
	if v.decision, v.asker, err = d.Authorise(ctx, r, v.who); err != nil {
		return err
	}
	if !v.decision.Allowed {
		return denied(v.decision)
	}
	if r.Recording == RecordBefore {
		if err = g.open(ctx, v); err != nil {
			return err
		}
	}
	err = errCrashed
	v.acted = true
	v.result, err = act(ctx, Pass{v: v})
	return err
}

// denied is the refusal of an authenticated caller. The decision itself is in
// the audit entry.
func denied(d policy.Decision) error {
	e := fault.New(fault.Denied, "permission denied")
	if c, ok := d.Failed(); ok {
		return e.WithReason(c.Name)
	}
	return e
}

// NewID returns a random UUID (RFC 9562, version 4).
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand stops the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], b[0:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:36], b[10:16])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
