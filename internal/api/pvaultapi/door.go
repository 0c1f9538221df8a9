package pvaultapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy/votes"
	"github.com/jotgate/jotgate/internal/principal"
)

// Prefix is where the door stands.
const Prefix = "/api/pvlt/1.0/"

// defaultTimeout bounds one request, as in the reference.
const defaultTimeout = 30 * time.Second

// Media types.
const (
	mediaJSON   = "application/json"
	mediaTOML   = "application/toml"
	mediaSchema = "application/pvschema"
)

// Door is the http.Handler for Prefix. Build it with New.
type Door struct {
	o       Options
	table   *route.Table[endpoint]
	version reply
	health  reply
}

// endpoint is what the door does for one row.
type endpoint struct {
	do       func(ctx context.Context, c *call) (reply, error)
	query    []queryParam
	media    []string // accepted body types; nil = application/json when the row has a body
	data     bool     // a data call: it needs an access reason
	readOnly bool     // it changes nothing
	tenants  bool     // it heeds X-Tenant-Id
	adminJob bool     // only the built-in administrator may do it
	later    bool     // documented by the reference, not offered here
}

// reply is what a handler answers. The zero reply is 200 with no body.
type reply struct {
	media string
	body  []byte
	etag  string
}

// call is one request on its way through the door. It is also the gate's
// doorman for this one request.
type call struct {
	door   *Door
	w      http.ResponseWriter
	http   *http.Request
	row    *route.Row[endpoint]
	params route.Params
	query  query
	reason string
	bad    error // what is wrong with the request; told only to a caller who may make it
	role   *votes.Role
	who    *principal.Principal
	pass   gate.Pass
	out    reply
}

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	if d.browser(w, r) {
		return
	}

	c := &call{door: d, w: w, http: r}
	req := gate.Request{ID: gate.NewID(), Door: "pvault", Method: r.Method, Path: r.URL.Path, Status: statusOf}
	h["X-Pvault-Request-Id"] = []string{req.ID}
	req.Remote, _ = netip.ParseAddrPort(r.RemoteAddr)
	c.find(&req)

	ctx := r.Context()
	if c.row == nil || c.row.Timeout >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultTimeout)
		defer cancel()
	}
	err := d.guard(ctx, c, &req)
	if err != nil {
		d.fail(c, &req, err)
		return
	}
	c.out.write(h, w)
}

// Headers that every reply carries; shared so that they cost nothing.
var (
	noStore  = []string{"no-store"}
	noSniff  = []string{"nosniff"}
	jsonType = []string{mediaJSON}
)

// find fills in what the URL says. It never fails: what is wrong is kept for
// after the decision.
func (c *call) find(req *gate.Request) {
	row, params, outcome := c.door.table.Find(c.http.Method, strings.TrimPrefix(c.http.URL.Path, Prefix))
	switch outcome {
	case route.NoPath:
		c.bad = fault.New(fault.NotFound, "There is no such operation.").WithReason("no_operation")
	case route.NoVerb:
		c.bad = fault.New(fault.Unsupported, "The operation does not support the method "+clip(c.http.Method)+".")
	}
	if row == nil {
		req.Operation, req.Recording = "unknown", gate.RecordOnce
		return
	}
	c.row, c.params = row, params
	req.Operation = gate.Operation(row.Action)
	if row.Handler.readOnly {
		req.Recording = gate.RecordOnce
	}
	req.Collection = params.Get("collection")
	c.query, c.bad = parseQuery(c.http.URL.RawQuery, row.Handler.query)
	if c.bad == nil && row.Handler.data {
		c.reason, c.bad = checkReason(c.query, !c.door.o.ReasonOptional)
		req.Reason = c.reason
	}
	c.note(req, "custom_audit", c.query.get("custom_audit"))
	c.note(req, "adhoc_reason", c.query.get("adhoc_reason"))
	if trace := c.http.Header["X-Pvault-Request-Id"]; len(trace) == 1 && len(trace[0]) <= maxTrace {
		c.note(req, "trace_id", trace[0])
	}
}

// maxTrace bounds the id by which a caller traces its request, in bytes.
const maxTrace = 128

// note adds what the caller says about its request to the audit entry.
func (c *call) note(req *gate.Request, name, value string) {
	if value == "" {
		return
	}
	if req.Headers == nil {
		req.Headers = map[string]string{}
	}
	req.Headers[name] = value
}

// guard takes the request through the gate.
func (d *Door) guard(ctx context.Context, c *call, req *gate.Request) (err error) {
	defer d.recovered(req, &err)
	return d.o.Gate.Do(ctx, c, req, func(ctx context.Context, pass gate.Pass) (res *gate.Result, err error) {
		defer d.recovered(req, &err) // in here too, so that the audit entry says so
		return c.act(ctx, pass)
	})
}

// recovered turns a panic into a server error that names nothing to the
// caller.
func (d *Door) recovered(req *gate.Request, err *error) {
	p := recover()
	if p == nil {
		return
	}
	if aborted, ok := p.(error); ok && errors.Is(aborted, http.ErrAbortHandler) {
		panic(p)
	}
	d.o.Logger.Error("pvault door: panic", "request", req.ID, "operation", string(req.Operation), "panic", p, "stack", stack())
	*err = fault.New(fault.Internal, "panic")
}

// act runs the operation with the gate's pass.
func (c *call) act(ctx context.Context, pass gate.Pass) (*gate.Result, error) {
	if c.row.Handler.later {
		return nil, fault.Newf(fault.NotImplemented, "The operation %s is not implemented.", c.row.Action)
	}
	c.pass = pass
	out, err := c.row.Handler.do(ctx, c)
	if err != nil {
		return nil, err
	}
	c.out = out
	return okResult, nil
}

// okResult is the audit part of every success: the door reveals no more there.
var okResult = &audit.ResponsePart{Status: http.StatusOK}

// write sends a successful reply.
func (o reply) write(h http.Header, w http.ResponseWriter) {
	switch o.media {
	case "":
	case mediaJSON:
		h["Content-Type"] = jsonType
	default:
		h.Set("Content-Type", o.media)
	}
	if o.etag != "" {
		h.Set("ETag", o.etag)
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(o.body) // a caller that hung up gets nothing; there is no one to tell
}

// statusOf is the status with which fail answers.
func statusOf(err error) int { return lookup(err).status }

// fail sends the reply for err and logs what only the operator may know.
func (d *Door) fail(c *call, req *gate.Request, err error) {
	code := lookup(err)
	if code.status >= http.StatusInternalServerError && code.status != http.StatusNotImplemented {
		d.o.Logger.Error("pvault door: request failed", "request", req.ID, "operation", string(req.Operation), "status", code.status, "error", err)
	}
	h := c.w.Header()
	h["Content-Type"] = jsonType
	switch code.status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case http.StatusMethodNotAllowed:
		h.Set("Allow", strings.Join(d.table.Verbs(strings.TrimPrefix(c.http.URL.Path, Prefix)), ", "))
	}
	c.w.WriteHeader(code.status)
	_, _ = c.w.Write(errorBody(err, code, c.who.Name()))
}

// body reads the request's body, at most what the row allows.
func (c *call) body() ([]byte, error) {
	limit := c.row.Body
	b, err := io.ReadAll(http.MaxBytesReader(c.w, c.http.Body, limit))
	if err == nil {
		return b, nil
	}
	if tooLarge(err) {
		return nil, fault.Newf(fault.TooLarge, "The request body is larger than %d bytes.", limit)
	}
	return nil, fault.Wrap(fault.Invalid, err, "The request body could not be read.")
}

// discard is the logger of a door that was given none.
var discard = slog.New(slog.DiscardHandler)
