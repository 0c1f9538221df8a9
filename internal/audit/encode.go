package audit

import (
	"slices"
	"strings"
	"sync"

	"github.com/jotgate/jotgate/internal/policy"
)

// format says how a device writes its lines.
type format struct {
	salt        *salter
	prefix      string
	raw         bool // parameters and answers in clear; tokens stay hashed
	clearAccess bool // accessors in clear
	elideLists  bool // answers of lists and scans as counts
}

// maxKept is the largest buffer that goes back into a pool.
const maxKept = 64 << 10

// encoder builds one line. It is reused through a pool.
type encoder struct {
	objectWriter
	f    *format
	h    *hasher
	keys []string // stack of sorted member names
	same [2]int   // where caller and request of the last entry stand in b
}

var encoders = sync.Pool{New: func() any {
	return &encoder{objectWriter: objectWriter{b: make([]byte, 0, 2048)}, keys: make([]string, 0, 32)}
}}

// encode returns an encoder whose b holds the whole line, newline included.
// The caller gives it back with release.
func (f *format) encode(e *Entry) *encoder {
	n := encoders.Get().(*encoder)
	n.f, n.h, n.b = f, f.salt.get(), append(n.b[:0], f.prefix...)
	n.entry(e)
	n.b = append(n.b, '\n')
	return n
}

func (n *encoder) release() {
	n.f.salt.put(n.h)
	n.f, n.h = nil, nil
	clear(n.keys[:cap(n.keys)])
	if cap(n.b) <= maxKept {
		encoders.Put(n)
	}
}

// again adds a second line, about the same caller and request as the first.
func (n *encoder) again(e *Entry) {
	n.b = append(n.b, n.f.prefix...)
	n.start(e)
	// Copied bytes: the first line may move when the second one grows it.
	n.b = append(n.b, n.b[n.same[0]:n.same[1]]...)
	n.rest(e)
	n.b = append(n.b, '\n')
}

func (n *encoder) entry(e *Entry) {
	n.start(e)
	n.same[0] = len(n.b)
	switch r := e.Repeat; {
	case r == nil:
		n.caller(e)
	case r.by == n.f:
		n.b = append(n.b, r.text...)
	default:
		n.caller(e)
		r.by, r.text = n.f, append(r.text[:0], n.b[n.same[0]:]...)
	}
	n.same[1] = len(n.b)
	n.rest(e)
}

func (n *encoder) caller(e *Entry) {
	n.auth(&e.Auth)
	n.request(&e.Req)
}

func (n *encoder) start(e *Entry) {
	n.open()
	n.time("time", e.Time)
	n.str("type", string(e.Type))
	n.str("door", e.Door)
}

func (n *encoder) rest(e *Entry) {
	n.comma = true
	if e.Resp != nil {
		n.response(e)
	}
	if e.Door == "pvault" {
		n.pvault(e)
	}
	n.str("error", HideTokens(e.Error))
	n.str("diagnosis", e.Diagnosis)
	n.checks(e.Checks)
	n.end()
}

// token writes a value that is always hashed.
func (n *encoder) token(name string, slot int, s Secret) {
	if s == "" {
		return
	}
	n.key(name)
	n.b = append(n.b, '"')
	n.b = n.h.appendToken(n.b, slot, s)
	n.b = append(n.b, '"')
}

// hashed writes a value that is always hashed and not remembered.
func (n *encoder) hashed(name string, s Secret) {
	if s == "" {
		return
	}
	n.key(name)
	n.hash(string(s))
}

func (n *encoder) hash(s string) {
	n.b = append(n.b, '"')
	n.b = n.h.append(n.b, s)
	n.b = append(n.b, '"')
}

func (n *encoder) accessor(name string, slot int, s Secret) {
	if n.f.clearAccess {
		n.str(name, string(s))
		return
	}
	n.token(name, slot, s)
}

func (n *encoder) auth(a *Auth) {
	n.object("auth")
	n.token("client_token", 0, a.ClientToken)
	n.accessor("accessor", 1, a.Accessor)
	n.str("display_name", a.DisplayName)
	n.str("issuer", a.Issuer)
	n.str("subject", a.Subject)
	n.str("role", a.Role)
	n.str("delegate", a.Delegate)
	n.str("delegate_issuer", a.DelegateIssuer)
	n.list("policies", a.Policies)
	n.list("token_policies", a.TokenPolicies)
	n.list("identity_policies", a.IdentityPolicies)
	n.policyResults(a)
	n.texts("metadata", a.Metadata)
	n.int("remaining_uses", int64(a.RemainingUses))
	n.str("entity_id", a.EntityID)
	n.str("token_type", a.TokenType)
	n.seconds("token_ttl", a.TokenTTL)
	n.time("token_issue_time", a.TokenIssueTime)
	n.end()
}

func (n *encoder) policyResults(a *Auth) {
	n.object("policy_results")
	n.bool("allowed", a.Allowed)
	n.str("rule", a.Rule)
	if len(a.Granting) > 0 {
		n.key("granting_policies")
		n.b = append(n.b, '[')
		for i, name := range a.Granting {
			if i > 0 {
				n.b = append(n.b, ',')
			}
			n.open()
			n.str("name", name)
			n.str("namespace_id", "root")
			n.str("type", "acl")
			n.end()
		}
		n.b = append(n.b, ']')
	}
	n.end()
}

func (n *encoder) request(r *RequestPart) {
	n.object("request")
	n.str("id", r.ID)
	n.str("operation", r.Operation)
	n.str("method", r.Method)
	n.str("mount_point", r.MountPoint)
	n.str("mount_type", r.MountType)
	n.str("mount_accessor", r.MountAccessor)
	n.object("namespace")
	n.str("id", "root")
	n.end()
	n.str("path", HideTokens(r.Path))
	n.data("data", r.Data, r.ClearKeys)
	n.str("remote_address", r.RemoteAddr)
	n.int("remote_port", int64(r.RemotePort))
	n.seconds("wrap_ttl", r.WrapTTL)
	n.headers(r.Headers, r.HashHeaders)
	n.end()
}

// headers are written as lists of texts, as in the reference. The door has
// already left out those that the operator did not ask for.
func (n *encoder) headers(h map[string]string, hashed []string) {
	if len(h) == 0 {
		return
	}
	n.object("headers")
	base := n.sorted(h)
	for _, k := range n.keys[base:] {
		n.name(k)
		n.b = append(n.b, '[')
		if slices.Contains(hashed, k) {
			n.hash(h[k])
		} else {
			n.b = appendString(n.b, h[k])
		}
		n.b = append(n.b, ']')
	}
	n.keys = n.keys[:base]
	n.end()
}

func (n *encoder) response(e *Entry) {
	r := e.Resp
	n.object("response")
	n.int("status", int64(r.Status))
	if r.Auth != nil {
		n.newToken(r.Auth)
	}
	n.str("mount_point", e.Req.MountPoint)
	n.str("mount_type", e.Req.MountType)
	n.str("mount_accessor", e.Req.MountAccessor)
	if r.LeaseID != "" {
		n.object("secret")
		n.str("lease_id", r.LeaseID)
		n.end()
	}
	if n.f.elideLists && (e.Req.Operation == "list" || e.Req.Operation == "scan") {
		n.elided(r)
	} else {
		n.data("data", r.Data, r.ClearKeys)
	}
	n.list("warnings", r.Warnings)
	if r.Wrap != nil {
		n.wrap(r.Wrap)
	}
	if r.Login != nil {
		n.login(r.Login)
	}
	n.end()
}

func (n *encoder) login(l *Login) {
	n.object("login")
	n.str("role", l.Role)
	n.bool("verified", l.Verified)
	n.texts("claims", l.Claims)
	if len(l.Hashed) > 0 {
		n.object("claims_hmac")
		base := n.sorted(l.Hashed)
		for _, k := range n.keys[base:] {
			n.name(k)
			n.hash(l.Hashed[k])
		}
		n.keys = n.keys[:base]
		n.end()
	}
	n.end()
}

func (n *encoder) newToken(t *NewToken) {
	n.object("auth")
	n.hashed("client_token", t.ClientToken)
	if n.f.clearAccess {
		n.str("accessor", string(t.Accessor))
	} else {
		n.hashed("accessor", t.Accessor)
	}
	n.str("display_name", t.DisplayName)
	n.list("policies", t.Policies)
	n.list("token_policies", t.TokenPolicies)
	n.texts("metadata", t.Metadata)
	n.int("num_uses", int64(t.NumUses))
	n.str("entity_id", t.EntityID)
	n.str("token_type", t.TokenType)
	n.seconds("token_ttl", t.TTL)
	n.end()
}

func (n *encoder) wrap(w *WrapInfo) {
	n.object("wrap_info")
	n.hashed("token", w.Token)
	if n.f.clearAccess {
		n.str("accessor", string(w.Accessor))
		n.str("wrapped_accessor", string(w.WrappedAccessor))
	} else {
		n.hashed("accessor", w.Accessor)
		n.hashed("wrapped_accessor", w.WrappedAccessor)
	}
	n.seconds("ttl", w.TTL)
	n.time("creation_time", w.CreationTime)
	n.str("creation_path", HideTokens(w.CreationPath))
	n.end()
}

// pvault repeats what the readers of the other product's audit lines look for,
// under the names that they know.
func (n *encoder) pvault(e *Entry) {
	n.str("product", "vault")
	n.str("operation_id", e.Req.Operation)
	n.str("url", HideTokens(e.Req.Path))
	n.str("user_name", e.Auth.DisplayName)
	n.str("role_name", e.Auth.Role)
	n.str("collection", e.Req.Collection)
	n.list("data_requested", e.Req.Properties)
	n.list("data_accessed", e.Req.Objects)
	n.str("reason", e.Req.Reason)
	if e.Resp != nil {
		n.int("status_code", int64(e.Resp.Status))
	}
}

func (n *encoder) checks(list []policy.Check) {
	if len(list) == 0 {
		return
	}
	n.key("checks")
	n.b = append(n.b, '[')
	for i := range list {
		if i > 0 {
			n.b = append(n.b, ',')
		}
		c := &list[i]
		n.open()
		n.str("check", c.Name)
		n.bool("ok", c.OK)
		n.str("expected", c.Expected)
		n.str("received", c.Received)
		n.str("note", c.Note)
		n.end()
	}
	n.b = append(n.b, ']')
	n.comma = true
}

// texts writes a map that stays in clear.
func (n *encoder) texts(name string, m map[string]string) {
	if len(m) == 0 {
		return
	}
	n.object(name)
	base := n.sorted(m)
	for _, k := range n.keys[base:] {
		n.name(k)
		n.b = appendString(n.b, m[k])
	}
	n.keys = n.keys[:base]
	n.end()
}

// name starts a member whose name may need escaping.
func (n *encoder) name(k string) {
	if n.comma {
		n.b = append(n.b, ',')
	}
	n.comma = true
	n.b = appendString(n.b, k)
	n.b = append(n.b, ':')
}

// sorted pushes the names of m in order and returns where they start. Equal
// entries are then equal lines.
func (n *encoder) sorted(m map[string]string) int {
	base := len(n.keys)
	for k := range m {
		n.keys = append(n.keys, k)
	}
	slices.SortFunc(n.keys[base:], strings.Compare)
	return base
}
