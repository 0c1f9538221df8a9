package vaultapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/mount"
	"github.com/jotgate/jotgate/internal/session"
)

// requestTime bounds one request, as in the reference.
const requestTime = 90 * time.Second

// Door is the handler for everything below /v1/. Build it with New.
type Door struct {
	rt        atomic.Pointer[Runtime]
	sealer    Sealer
	info      Info
	log       *slog.Logger
	now       func() time.Time
	moves     moves
	emergency bool
	level     *slog.LevelVar // nil: the log's level cannot be changed
	atStart   slog.Level
	settings  map[string]any
	rows      func(*mount.Entry) *Backend // handlers cannot name the backends that hold them
}

// Options of New.
type Options struct {
	Sealer Sealer // nil: the server has no seal to operate
	// Emergency lets callers without a token make a root token, if they bring
	// the shares.
	Emergency bool
	Info      Info             // what status endpoints say about the server
	Log       *slog.Logger     // nil: slog.Default
	Now       func() time.Time // nil: time.Now
	// LogLevel is what sys/loggers reads and sets; a reset goes back to the
	// level that it has now. nil: the level cannot be changed.
	LogLevel *slog.LevelVar
	// Settings are what sys/config/state/sanitized shows. No secret may stand
	// in them.
	Settings map[string]any
}

// New returns a door that is sealed until Unlock.
func New(o Options) *Door {
	d := &Door{sealer: o.Sealer, info: o.Info, log: o.Log, now: o.Now, emergency: o.Emergency, level: o.LogLevel, settings: o.Settings, rows: backendOf}
	if d.level != nil {
		d.atStart = d.level.Level()
	}
	if d.log == nil {
		d.log = slog.Default()
	}
	if d.now == nil {
		d.now = time.Now
	}
	return d
}

// Unlock lets requests through to rt.
func (d *Door) Unlock(rt *Runtime) { d.rt.Store(rt) }

// Lock answers every request with "Vault is sealed" from now on. Requests that
// run finish on the Runtime they started with.
func (d *Door) Lock() { d.rt.Store(nil) }

// Runtime returns what requests run on now, nil while sealed.
func (d *Door) Runtime() *Runtime { return d.rt.Load() }

// ServeHTTP answers one request.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &Call{Door: d, http: r, w: w}
	setHeaders(w.Header())
	defer func() {
		if v := recover(); v != nil {
			if v == http.ErrAbortHandler { //nolint:errorlint // a sentinel that net/http compares itself
				panic(v)
			}
			d.crashed(c, v)
		}
	}()
	if ns := r.Header.Get("X-Vault-Namespace"); ns != "" {
		w.Header().Set("X-Vault-Namespace", cleanHeader(ns))
	}
	if err := d.serve(c); err != nil {
		d.fail(c, err)
	}
}

// crashed is the last line: the stack goes to the log, nothing of the request.
func (d *Door) crashed(c *Call, v any) {
	kind := "panic"
	if err, ok := v.(error); ok {
		kind = "panic: " + errorType(err)
	}
	d.log.Error("vault door: a handler crashed", "kind", kind, "request_id", c.id(), "stack", string(debug.Stack()))
	d.fail(c, fault.New(fault.Internal, ""))
}

func errorType(err error) string {
	var re interface{ RuntimeError() }
	if errors.As(err, &re) {
		return err.Error() // runtime errors name types and indexes only
	}
	return "error"
}

func (c *Call) id() string {
	if c.Request == nil {
		return ""
	}
	return c.Request.ID
}

// serve takes the request apart and sends it through the gate.
func (d *Door) serve(c *Call) error {
	if done, err := d.crossOrigin(c); done || err != nil {
		return err
	}
	path, err := cleanPath(c.http)
	if err == nil && d.serveStatus(c, path) {
		return nil
	}
	if c.Runtime = d.rt.Load(); c.Runtime == nil {
		return errSealed
	}
	if err == nil {
		err = checkNamespace(c.http)
	}
	c.begin()
	if over := c.withinRate(path); over != nil {
		err = over
	}
	if err == nil {
		err = c.settle(path)
	}
	if c.changesNothing() {
		c.Request.Recording = gate.RecordTogether
	}
	c.spoiled = err // the gate records it like any other refusal
	ctx, cancel := context.WithTimeout(c.http.Context(), requestTime)
	defer cancel()
	var body []byte
	var reply *Reply
	err = c.Runtime.Gate.Do(ctx, doorman{c}, c.Request, func(ctx context.Context, pass gate.Pass) (*gate.Result, error) {
		var err error
		if reply, err = c.act(ctx, pass); err != nil {
			return nil, err
		}
		if body, err = c.encode(ctx, reply); err != nil {
			return nil, err
		}
		part := reply.part(reply.status())
		if c.Mount != nil {
			part.ClearKeys = slices.Concat(part.ClearKeys, c.Mount.Config.AuditNonHMACResponseKeys)
		}
		return part, nil
	})
	if err != nil {
		return err
	}
	if reply != nil && reply.Stream != nil {
		return c.stream(reply)
	}
	if reply != nil && reply.ContentType != "" {
		c.w.Header().Set("Content-Type", reply.ContentType)
	}
	if c.http.Method == http.MethodHead {
		body = nil
	}
	send(c.w, reply.status(), body)
	return nil
}

// begin notes what is known of a request before it is understood.
func (c *Call) begin() {
	c.Request = &gate.Request{
		ID: gate.NewID(), Door: "vault", Method: c.http.Method, Remote: remote(c.http), Status: failureStatus,
		Path: strings.TrimPrefix(c.http.URL.Path[:min(len(c.http.URL.Path), maxLoggedPath)], "/v1/"),
	}
	if a := c.Runtime.Audit; a != nil {
		c.Request.Headers, c.Request.HashHeaders = a.Headers().Pick(c.http.Header)
	}
}

// maxLoggedPath is how many bytes of a path that was refused the log shows.
const maxLoggedPath = 1024

// settle finds out what the request asks for and where it goes.
func (c *Call) settle(path string) (err error) {
	if c.Op, err = operation(c.http); err != nil {
		return err
	}
	mounts := c.Runtime.Mounts.Table()
	if c.Path, err = settlePath(path, c.Op, mounts); err != nil {
		return err
	}
	if c.Token, err = credential(c.http); err != nil {
		return err
	}
	if c.WrapTTL, err = wrapTTL(c.http); err != nil {
		return err
	}
	c.Request.Operation, c.Request.Path, c.Request.WrapTTL = gate.Operation(c.Op), c.Path, c.WrapTTL
	c.limit = SmallBody
	e, rel, ok := mounts.Route(c.Path)
	if !ok {
		return nil
	}
	c.Mount, c.Rel = e, trimSlash(rel)
	c.Request.Mount = gate.Mount{Path: e.Logical(), Type: e.Type, Accessor: e.Accessor}
	c.Request.ClearKeys = e.Config.AuditNonHMACRequestKeys
	b := backendOf(e)
	if b == nil {
		return nil
	}
	if row, params, o := b.table.Find(c.Op, c.Rel); o == route.Found {
		c.row, c.Params = row, params
		c.limit = row.Body
		if len(row.Handler.ClearKeys) > 0 {
			c.Request.ClearKeys = append(row.Handler.ClearKeys[:len(row.Handler.ClearKeys):len(row.Handler.ClearKeys)], c.Request.ClearKeys...)
		}
	}
	return nil
}

// changesNothing reports whether the request can have no effect but its
// answer. Wrapping one stores it.
func (c *Call) changesNothing() bool {
	switch c.Op {
	case Read, List, Scan, help:
		return c.WrapTTL == 0
	}
	return false
}

func trimSlash(p string) string {
	if n := len(p); n > 0 && p[n-1] == '/' {
		return p[:n-1]
	}
	return p
}

// act runs the handler, once the gate has opened.
func (c *Call) act(ctx context.Context, pass gate.Pass) (*Reply, error) {
	c.pass = pass
	switch {
	case c.Op == help:
		return c.help()
	case c.Mount == nil:
		return nil, fault.Newf(fault.NotFound, "no handler for route %q. route entry not found.", c.Path)
	case c.row == nil:
		return nil, c.noRow()
	}
	if !c.row.Handler.Free {
		if err := c.parseFields(); err != nil {
			return nil, err
		}
	}
	reply, err := c.row.Handler.Do(ctx, c, pass)
	if err != nil || reply == nil {
		return nil, err
	}
	reply.Warnings = append(reply.Warnings, c.strayWarnings()...)
	return reply, nil
}

// noRow tells a verb that the path lacks from a path that the backend lacks.
func (c *Call) noRow() error {
	if b := backendOf(c.Mount); b != nil {
		if _, _, o := b.table.Find(c.Op, c.Rel); o == route.NoVerb {
			return errUnsupported
		}
	}
	return errNoPath
}

func (r *Reply) status() int {
	switch {
	case r == nil:
		return http.StatusNoContent
	case r.Status != 0:
		return r.Status
	}
	return http.StatusOK
}

// encode returns the body of an answer, wrapped if the caller asked for it.
func (c *Call) encode(ctx context.Context, r *Reply) ([]byte, error) {
	if r == nil || r.Stream != nil {
		return nil, nil
	}
	if r.Raw != nil {
		return r.Raw, nil
	}
	body, err := r.envelope(c.Request.ID)
	if err != nil || c.WrapTTL == 0 || r.wrap != nil || r.status() >= 400 {
		return body, err
	}
	accessor := ""
	if r.Auth != nil {
		accessor = r.Auth.Accessor
	}
	wr, err := c.Runtime.Sessions.Wrap(ctx, session.WrapOptions{Body: body, TTL: c.WrapTTL, Path: c.Path, WrappedAccessor: accessor})
	if err != nil {
		return nil, err
	}
	// The audit entry must show the wrapping token, and not what it hides.
	*r = Reply{wrap: &wr, login: r.login}
	return r.envelope("")
}

// failureStatus is the status with which fail answers.
func failureStatus(err error) int { return statusOf[fault.Of(classify(err))] }

// fail answers with an error. What the caller may not know goes to the log.
func (d *Door) fail(c *Call, err error) {
	err = classify(err)
	kind := fault.Of(err)
	if id := c.id(); id != "" {
		c.w.Header().Set(DiagnosisHeader, id)
	}
	if errors.Is(err, errInlineAuth) {
		c.w.Header().Set(inlineAuthFailed, "true")
	}
	if kind == fault.Internal || kind == fault.Unavailable && !errors.Is(err, errSealed) {
		d.log.Error("vault door: request failed", "request_id", c.id(), "path", audit.HideTokens(c.Path), "operation", c.Op, "error", err)
	}
	send(c.w, statusOf[kind], errorBody(wireText(err, c.authed)))
}

// cleanHeader keeps an echoed header from carrying anything but plain text.
func cleanHeader(s string) string {
	if len(s) > 256 {
		return ""
	}
	for _, r := range s {
		if r < 0x20 || r > 0x7e {
			return ""
		}
	}
	return s
}
