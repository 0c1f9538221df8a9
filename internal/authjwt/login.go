package authjwt

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/identity"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/trust"
)

// Request is one login.
type Request struct {
	Mount  Mount
	Role   string // "" for the mount's default role
	JWT    string
	Remote netip.Addr
	ID     string // of the request, for the operator's log
}

// Result is a login that worked.
type Result struct {
	Issued           session.Issued
	IdentityPolicies []string
	Issuer           string
	// Checks is everything that was looked at, for the audit log.
	Checks []policy.Check
	// Seen is what the audit log shows of the JWT, also of one that was
	// refused; nil when no role came to judge it.
	Seen *Seen
}

// Refusal is a login that was refused. It carries every check that was made,
// with what the role wants and what the token says, for the operator. The
// caller gets the reference's text, which shows neither.
type Refusal struct {
	err    error // what the caller may read, and its kind
	cause  error
	checks []policy.Check
}

// Error returns the whole cause, for the operator's log.
func (r *Refusal) Error() string { return r.cause.Error() }

// Unwrap returns the fault: what the caller may read, and its kind.
func (r *Refusal) Unwrap() error { return r.err }

// Checks returns what was looked at, in order.
func (r *Refusal) Checks() []policy.Check { return r.checks }

// refuse words an error of the verification as the reference does: a bad
// request, whatever was wrong with the token.
func refuse(err error, checks []policy.Check) error {
	if fault.Of(err) == fault.Internal {
		return err
	}
	f := fault.Wrap(fault.Invalid, err, fault.PublicText(err)).WithReason(fault.ReasonOf(err))
	return &Refusal{err: f, cause: err, checks: checks}
}

// Login exchanges a JWT for a client token. Refusals are Invalid with the
// reference's text; a caller from a wrong address, or whose entity is
// disabled, is Denied.
func (m *Method) Login(ctx context.Context, rq Request) (Result, error) {
	c, err := m.compiled(ctx, rq.Mount.UUID)
	switch {
	case err != nil:
		return Result{}, err
	case c == nil:
		return Result{}, invalid("could not load configuration")
	}
	defer c.source.release()
	decide := m.named
	if rq.Role == "" && c.RoleSelection != "" {
		decide = m.choose
	}
	r, grant, checks, err := decide(ctx, c, &rq)
	if err != nil {
		m.explain("login refused", rq, err)
		return Result{Seen: r.seeRefused(rq.JWT, err)}, err
	}
	res, err := m.commit(ctx, rq, r, grant)
	if err != nil {
		err = explained(err, checks, "issue")
		m.explain("login refused", rq, err)
	}
	res.Checks, res.Seen = checks, grant.seen
	return res, err
}

// explained adds a check to those that were made before an error that is the
// caller's, so that the operator sees what it was. Other errors stay as they
// are.
func explained(err error, before []policy.Check, name string) error {
	var r *Refusal
	if kind := fault.Of(err); kind != fault.Invalid && kind != fault.Denied || errors.As(err, &r) {
		return err
	}
	check := failed(name, err)
	if check.Reason != "" {
		check.Note = check.Reason // the text of a denial says nothing
	}
	return &Refusal{err: err, cause: err, checks: append(slices.Clip(before), check)}
}

// named judges the token by the role that the login names, or the default one.
func (m *Method) named(ctx context.Context, c *compiledConfig, rq *Request) (*compiledRole, admitted, []policy.Check, error) {
	r, err := m.find(ctx, c, rq)
	if err != nil {
		return nil, admitted{}, nil, explained(err, nil, "request")
	}
	if !session.Admits(r.BoundCIDRs, rq.Remote) {
		return r, admitted{}, nil, &Refusal{err: errAddress, cause: errAddress, checks: []policy.Check{r.wrongAddress(rq.Remote)}}
	}
	grant, checks, err := m.admit(ctx, c, r, rq.JWT)
	return r, grant, checks, err
}

var errAddress = fault.New(fault.Denied, "permission denied").WithReason("address")

// wrongAddress is the check of a caller's address, which failed.
func (r *compiledRole) wrongAddress(remote netip.Addr) policy.Check {
	return policy.Check{
		Name: checkAddress, Reason: errAddress.Reason(), Expected: clip(strings.Join(r.BoundCIDRs, " ")), Received: remote.String(),
		Note: "the role is bound to other addresses",
	}
}

// explain tells the operator's log why a login or renewal was refused.
func (m *Method) explain(what string, rq Request, err error) {
	var r *Refusal
	if !errors.As(err, &r) {
		return
	}
	m.log.Info(what, "request_id", rq.ID, "mount", rq.Mount.Path, "role", clip(rq.Role),
		"reason", fault.ReasonOf(err), "error", fault.PublicText(err), "checks", r.checks)
}

// find makes the checks that come before the token is looked at.
func (m *Method) find(ctx context.Context, c *compiledConfig, rq *Request) (r *compiledRole, err error) {
	if rq.Role == "" {
		rq.Role = c.DefaultRole
	}
	if rq.Role == "" {
		return nil, invalid("missing role")
	}
	rq.Role = strings.ToLower(rq.Role)
	if fitsName(rq.Role) {
		if r, err = m.role(ctx, rq.Mount, rq.Role, c); err != nil {
			return nil, err
		}
	}
	switch {
	case r == nil:
		return nil, invalid("role %q could not be found", clip(rq.Role))
	case r.rule == nil:
		return nil, invalid("role with oidc role_type is not allowed")
	case rq.JWT == "":
		return nil, invalid("missing token")
	}
	return r, nil
}

// admit proves the token, unless that was done before, and judges it by the
// role's rule, whenever it comes.
func (m *Method) admit(ctx context.Context, c *compiledConfig, r *compiledRole, raw string) (admitted, []policy.Check, error) {
	now := m.now()
	tok, v, err := m.read(c, r.compat, raw, now)
	if err == nil && v == nil {
		v, err = m.prove(ctx, c, r, tok, now)
	}
	if err != nil {
		return admitted{}, nil, err
	}
	a, checks, err := r.accept(v, now)
	if err != nil {
		return admitted{}, nil, refuse(err, checks)
	}
	return a, checks, nil
}

// read returns the token of a login, and its proof if that is remembered.
func (m *Method) read(c *compiledConfig, compat Compat, raw string, now time.Time) (*jwt.Token, *jwt.Verified, error) {
	if v := m.recall(c.source, sha256.Sum256([]byte(raw)), now); v != nil {
		return v.Token(), v, nil
	}
	tok, err := compat.parse(raw)
	if err != nil {
		return nil, nil, refuse(trust.VerifyRefusal(err, c.source.static), []policy.Check{failed("token", err)})
	}
	return tok, nil, nil
}

// prove makes the cheap checks of the role and then that of the signature.
func (m *Method) prove(ctx context.Context, c *compiledConfig, r *compiledRole, tok *jwt.Token, now time.Time) (*jwt.Verified, error) {
	if err := r.rule.Precheck(tok, now); err != nil {
		return nil, refuse(err, r.rule.Explain(tok, now).Checks)
	}
	v, err := m.verify(ctx, c.source, tok, r.rule.Algorithms(), now)
	if err != nil {
		return nil, refuse(err, append(r.rule.Explain(tok, now).Checks, failed("key", err)))
	}
	return v, nil
}

// failed is a check that no rule has made.
func failed(name string, err error) policy.Check {
	return policy.Check{Name: name, Reason: fault.ReasonOf(err), Note: fault.PublicText(err)}
}

// verify is the source's, and remembers what it proves.
func (m *Method) verify(ctx context.Context, s *source, tok *jwt.Token, allowed []jwt.Algorithm, now time.Time) (*jwt.Verified, error) {
	generation := s.Generation() // before the keys: a change in between voids the memory
	v, err := s.verify(ctx, tok, allowed)
	if err == nil {
		m.remember(s, v, generation, now)
	}
	return v, err
}

// verify finds the keys for a token and checks its signature.
func (s *source) verify(ctx context.Context, tok *jwt.Token, allowed []jwt.Algorithm) (*jwt.Verified, error) {
	keys, err := s.find(ctx, tok)
	if err == nil {
		var v *jwt.Verified
		if v, err = tok.Verify(keys, allowed); err == nil {
			return v, nil
		}
	}
	if errors.Is(err, errNoKeyID) || errors.Is(err, errAmbiguousKeyID) || errors.Is(err, errIssuer) || errors.Is(err, errNoPair) {
		return nil, err
	}
	if errors.Is(err, jwks.ErrUnavailable) {
		return nil, fault.Wrap(fault.Invalid, err,
			"error validating token: error verifying token signature: fetching keys: "+jwks.ErrUnavailable.Public()).
			WithReason(fault.ReasonOf(err))
	}
	return nil, trust.VerifyRefusal(err, s.static)
}

var (
	errNoKeyID = fault.New(fault.Invalid, "error validating token: error verifying token signature: token missing kid header parameter").
			WithReason("key_id_missing")
	errAmbiguousKeyID = fault.New(fault.Invalid, "error validating token: error verifying token signature: error searching for key set: more than one JWKS endpoint publishes the token's key id").
				WithReason("key_id_ambiguous")
	errIssuer = fault.New(fault.Invalid, "error validating token: invalid issuer (iss) claim").WithReason(trust.ReasonIssuer)
)

func (s *source) find(ctx context.Context, tok *jwt.Token) ([]*jwt.Key, error) {
	kid, has := tok.KeyID()
	if s.static {
		// The keys of a mount have no names: every one is tried.
		return s.keys.Keys(ctx, "", false)
	}
	if s.keys != nil {
		return s.keys.Keys(ctx, kid, has)
	}
	if s.byIssuer != nil {
		// Only the issuer's own keys are asked for and tried, so that two
		// issuers may use one key id and neither can speak for the other.
		iss, _ := tok.Unverified().Issuer()
		if keys := s.byIssuer[iss]; keys != nil {
			return keys.Keys(ctx, kid, has)
		}
		return nil, errIssuer
	}
	if !has {
		return nil, errNoKeyID
	}
	// From memory first: a done context keeps every set from fetching.
	done, cancel := context.WithCancel(ctx)
	cancel()
	if keys, err := s.onlyPair(done, kid); err == nil || errors.Is(err, errAmbiguousKeyID) {
		return keys, err
	}
	keys, err := s.onlyPair(ctx, kid)
	if errors.Is(err, jwt.ErrUnknownKey) {
		return nil, unknownPairKey(kid)
	}
	return keys, err
}

// errNoPair is the cause of a refusal because no pair has the token's key.
var errNoPair = errors.New("authjwt: no key set has the token's key id")

// unknownPairKey names the key id, as the reference does, unless it is no
// plain text.
func unknownPairKey(kid string) error {
	if len(kid) > 128 || strings.ContainsFunc(kid, func(r rune) bool { return r <= ' ' || r > '~' }) {
		kid = "(unreadable)"
	}
	return fault.Wrap(fault.Invalid, errNoPair, "error validating token: error verifying token signature: error searching for key set with kid "+
		kid+": no key found with kid "+kid+" in any JWKS endpoint").WithReason(fault.ReasonOf(jwt.ErrUnknownKey))
}

// onlyPair asks all sets for keys with this id. A key id that two sets have is
// refused: the first one must not speak for the second (the reference lets
// it).
func (s *source) onlyPair(ctx context.Context, kid string) ([]*jwt.Key, error) {
	type answer struct {
		keys []*jwt.Key
		err  error
	}
	answers := make(chan answer, len(s.pairs))
	for _, p := range s.pairs {
		go func() {
			keys, err := p.Keys(ctx, kid, true)
			answers <- answer{named(keys, kid), err}
		}()
	}
	var found []*jwt.Key
	var failed error = jwt.ErrUnknownKey
	for range s.pairs {
		a := <-answers
		switch {
		case a.err != nil && errors.Is(a.err, jwks.ErrUnavailable):
			failed = a.err
		case len(a.keys) > 0 && len(found) > 0:
			return nil, errAmbiguousKeyID
		case len(a.keys) > 0:
			found = a.keys
		}
	}
	if len(found) == 0 {
		return nil, failed
	}
	return found, nil
}

// named keeps the keys that carry this id.
func named(keys []*jwt.Key, kid string) []*jwt.Key {
	var out []*jwt.Key
	for _, k := range keys {
		if k.HasID() && k.ID() == kid {
			out = append(out, k)
		}
	}
	return out
}

// commit makes entity, alias, memberships, token and lease in one transaction.
func (m *Method) commit(ctx context.Context, rq Request, r *compiledRole, g admitted) (Result, error) {
	kind, err := session.ChooseType(rq.Mount.TokenType, r.TokenType)
	if err != nil {
		return Result{}, err
	}
	var res Result
	work := func(tx storage.Tx) (err error) {
		res, err = m.write(tx, kind, rq, r, g)
		return err
	}
	if kind == session.Batch {
		err = m.st.View(ctx, func(tx storage.ReadTx) error { return work(readOnly{tx}) })
	}
	if kind != session.Batch || errors.Is(err, storage.ErrReadOnly) {
		err = m.st.Update(ctx, work)
	}
	if err != nil {
		return Result{}, err
	}
	return res, nil
}

// readOnly lets a login that changes nothing run without a write transaction.
type readOnly struct{ storage.ReadTx }

func (readOnly) Put([]byte, []byte, time.Time) error { return storage.ErrReadOnly }
func (readOnly) Delete([]byte) error                 { return storage.ErrReadOnly }

func (m *Method) write(tx storage.Tx, kind session.Type, rq Request, r *compiledRole, g admitted) (Result, error) {
	who, err := m.ids.Resolve(tx, identity.Login{
		MountAccessor: rq.Mount.Accessor, AliasName: g.User, Metadata: r.aliasMetadata(g), Groups: g.Groups,
	})
	if err != nil {
		return Result{}, err
	}
	if err := session.CheckLoginPolicies(who.Policies); err != nil {
		return Result{}, err
	}
	var end time.Time
	if r.TTLFromExp {
		end = g.Expires
	}
	is, err := m.sessions.Issue(tx, session.IssueOptions{
		Type: kind, Path: rq.Mount.Path + "login", Mount: rq.Mount.Path, MountAccessor: rq.Mount.Accessor,
		Role: r.name, DisplayName: session.DisplayName(rq.Mount.Path, g.User), Subject: g.Subject, EntityID: who.ID,
		Policies: g.policies, NoDefaultPolicy: r.NoDefaultPolicy, Meta: g.Metadata,
		Limits: r.limits(rq.Mount), ExplicitMaxTTL: r.ExplicitMaxTTL, NumUses: r.NumUses,
		BoundCIDRs: r.BoundCIDRs, Remote: rq.Remote, StrictlyBindIP: r.StrictlyBindIP,
		NotAfter: end,
	})
	if err != nil {
		return Result{}, err
	}
	return Result{Issued: is, IdentityPolicies: who.Policies, Issuer: r.rule.Issuer()}, nil
}

// aliasMetadata is what the alias remembers: the mapped claims and the role's
// own additions, which never replace a claim's value.
func (r *compiledRole) aliasMetadata(g admitted) map[string]string {
	if len(r.AliasMetadata) == 0 {
		return g.Metadata
	}
	out := make(map[string]string, len(r.AliasMetadata)+len(g.Metadata))
	for k, v := range r.AliasMetadata {
		out[k] = v
	}
	for k, v := range g.Metadata {
		out[k] = v
	}
	return out
}
