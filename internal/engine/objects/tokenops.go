package objects

import (
	"context"
	"slices"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/storage"
)

// TokenFilter says which tokens an operation is about: those that fit one item
// of every list that is not empty.
type TokenFilter struct {
	ObjectIDs []string
	TokenIDs  []string
	Tags      []string
	Tenant    string // only uses of this tenant; "" = any
	Archived  bool   // archived uses instead of active ones
}

func (f TokenFilter) empty() bool { return len(f.ObjectIDs)+len(f.TokenIDs)+len(f.Tags) == 0 }

// maxTokens bounds how many tokens one operation touches.
const maxTokens = 1000

// selector finds tokens and those of their uses that the caller may touch.
type selector struct {
	*resolver
	filter TokenFilter
}

// found is a token with the uses that the filter and the caller's claims let
// through.
type found struct {
	token *token
	hash  id    // storage name of the token
	refs  []int // indexes into token.Refs
}

// find returns the tokens that the filter names. A token that is named by its
// id and lies outside the caller's claims refuses the call; one that is found
// in another way is left out.
func (s *selector) find() ([]found, error) {
	if s.filter.empty() {
		return nil, fault.New(fault.Invalid, "Name the tokens by token_ids, object_ids or tags.")
	}
	var out []found
	seen := map[id]bool{}
	err := s.candidates(func(h id) error {
		if seen[h] {
			return nil
		}
		seen[h] = true
		t, err := loadToken(s.tx, s.c, h)
		if err != nil || t == nil {
			return err
		}
		f, err := s.uses(t)
		if err != nil || len(f.refs) == 0 {
			return err
		}
		if len(out) == maxTokens {
			return fault.Newf(fault.Invalid, "The request concerns more than %d tokens; name fewer.", maxTokens)
		}
		f.hash = h
		out = append(out, f)
		s.noteUses(f)
		return nil
	})
	slices.SortFunc(out, func(a, b found) int { return slices.Compare(a.hash[:], b.hash[:]) })
	return out, err
}

// noteUses remembers the objects behind a token for the audit entry.
func (s *selector) noteUses(f found) {
	for _, i := range f.refs {
		s.touch(f.token.Refs[i].Object)
	}
}

// candidates calls do with the storage names of the tokens that may fit, from
// the most selective list. Tokens that others have must not get in the way of a
// caller's own, so their number is not bounded here.
func (s *selector) candidates(do func(id) error) error {
	switch {
	case len(s.filter.TokenIDs) > 0:
		for _, t := range s.filter.TokenIDs {
			if err := do(s.engine.tokenHash(s.c, t)); err != nil {
				return err
			}
		}
	case len(s.filter.ObjectIDs) > 0:
		for _, name := range s.filter.ObjectIDs {
			key, ok := parseID(name)
			if !ok {
				return badValue("object_ids", "must be UUIDs")
			}
			if err := s.scan(slices.Concat(s.c.keyOf("obj/to/", 16), key[:]), do); err != nil {
				return err
			}
		}
	default:
		for _, tag := range s.filter.Tags {
			h := s.engine.nameHash(s.c, "tag", tag)
			if err := s.scan(slices.Concat(s.c.keyOf("obj/tt/", 16), h[:]), do); err != nil {
				return err
			}
		}
	}
	return nil
}

// scanStep is how many keys are read at a time.
const scanStep = 256

// scan calls do with every id that stands after a key prefix.
func (s *selector) scan(prefix []byte, do func(id) error) error {
	var after []byte
	for {
		items, err := s.tx.Scan(prefix, after, scanStep)
		if err != nil {
			return err
		}
		for _, it := range items {
			if err := do(id(it.Key[len(prefix):])); err != nil {
				return err
			}
		}
		if len(items) < scanStep || s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		after = items[len(items)-1].Key
	}
}

// uses picks the uses of a token that fit the filter and the caller's claims.
// The id of a deterministic token follows from its value, so a refusal would
// tell whether others have that value: without a use of the caller's own, there
// is no such token.
func (s *selector) uses(t *token) (found, error) {
	f := found{token: t}
	foreign := false
	for i, r := range t.Refs {
		if !s.fits(t, r) {
			continue
		}
		ok, err := s.mine(t, r)
		if err != nil {
			return f, err
		}
		if !ok {
			foreign = true
			continue
		}
		if s.access.tenants != nil && !slices.Contains(s.access.tenants, r.Tenant) {
			return f, refuse(policy.Check{Name: "tenant", Expected: "X-Tenant-Id", Note: "the token belongs to another tenant"})
		}
		f.refs = append(f.refs, i)
	}
	if foreign && len(f.refs) == 0 && len(s.filter.TokenIDs) > 0 && t.Type != Deterministic {
		return f, refuse(policy.Check{Name: "narrowing", Expected: s.access.expected(), Note: "the data token is outside the caller's restriction"})
	}
	return f, nil
}

func (s *selector) fits(t *token, r ref) bool {
	f := s.filter
	if len(f.TokenIDs) > 0 && !slices.Contains(f.TokenIDs, t.ID) {
		return false
	}
	if len(f.ObjectIDs) > 0 && !slices.ContainsFunc(f.ObjectIDs, func(o string) bool {
		key, ok := parseID(o)
		return ok && key.String() == r.Object
	}) {
		return false
	}
	if len(f.Tags) > 0 && !slices.ContainsFunc(f.Tags, func(tag string) bool { return slices.Contains(r.Tags, tag) }) {
		return false
	}
	return (f.Tenant == "" || f.Tenant == r.Tenant) && r.archived(s.tx.Now()) == f.Archived
}

// mine reports whether the caller's claims let a use through. The object says
// whom it belongs to; a use without a stored object is judged by its values.
func (s *selector) mine(t *token, r ref) (bool, error) {
	if len(s.access.bounds) == 0 {
		return true, nil
	}
	if key, ok := parseID(r.Object); ok {
		o, err := fetch(s.tx, s.c, key)
		if err == nil {
			return s.access.matches(o), nil
		}
		if !fault.Is(err, fault.NotFound) {
			return false, err
		}
	}
	vs := t.Values
	if t.Type == PCIOneWay {
		vs = nil
	}
	return s.access.matches(&object{tenant: r.Tenant, fields: toFields(vs, r.Owner)}), nil
}

// any reports whether the caller may touch some use of a token.
func (s *selector) any(t *token) (bool, error) {
	for _, r := range t.Refs {
		ok, err := s.mine(t, r)
		if err != nil || ok && (s.access.tenants == nil || slices.Contains(s.access.tenants, r.Tenant)) {
			return ok, err
		}
	}
	return false, nil
}

// Detokenize returns the values behind tokens as a JSON array; no match is an
// empty one.
func (e *Engine) Detokenize(ctx context.Context, call Call, f TokenFilter, props []string, show Metadata) ([]byte, error) {
	if err := call.check("detokenize", "/tokens"); err != nil {
		return nil, err
	}
	var out []byte
	err := e.resolve(ctx, call, func(r *resolver) error {
		s := &selector{r, f}
		list, err := s.find()
		if err != nil {
			return err
		}
		out = []byte{'['}
		for _, t := range list {
			if t.token.Type == PCIOneWay {
				return fault.New(fault.Invalid, "A one-way token cannot be turned back.").WithDetail("type", PCIOneWay)
			}
			shown, err := s.show(t)
			if err != nil {
				return err
			}
			for _, o := range shown {
				if out, err = s.render(out, t, o, props, show); err != nil {
					return err
				}
			}
		}
		out = append(out, ']')
		return nil
	})
	return out, err
}

// show lists the objects to render for a token: one per use of a pointer, one
// for all uses of a token that holds its values itself.
func (s *selector) show(f found) ([]*object, error) {
	if f.token.Type != Pointer {
		return []*object{{fields: toFields(f.token.Values)}}, nil
	}
	var out []*object
	for _, i := range f.refs {
		key, ok := parseID(f.token.Refs[i].Object)
		if !ok {
			continue
		}
		switch o, err := fetch(s.tx, s.c, key); {
		case err == nil:
			out = append(out, o)
		case !fault.Is(err, fault.NotFound):
			return nil, err
		}
	}
	return out, nil
}

func (s *selector) render(b []byte, f found, o *object, props []string, show Metadata) ([]byte, error) {
	vs, err := s.shownOf(f.token, props)
	if err != nil {
		return b, err
	}
	for _, op := range []gate.Operation{"detokenize", "read"} {
		if err := s.call.ask(op, s.filter.Archived, vs...); err != nil {
			return b, err
		}
	}
	if len(b) > 1 {
		b = append(b, ',')
	}
	b = append(append(b, `{"token_id":`...), quoted(f.token.ID)...)
	b = o.render(append(b, `,"fields":`...), vs, s.tx.Now())
	if show.Uses {
		b = s.metadata(append(b, `,"metadata":`...), f, show.Aggregated)
	}
	return append(b, '}'), nil
}

// shownOf lists what to show of a token: the given properties, as far as the
// token stands for them, or all of its own.
func (s *selector) shownOf(t *token, props []string) ([]*view, error) {
	if len(props) == 0 {
		var out []*view
		for _, n := range t.Props {
			if p := s.c.byNum[uint16(n)]; p != nil { //nolint:gosec // written by tokenFor
				out = append(out, p.views[""])
			}
		}
		return out, nil
	}
	vs, err := s.c.shown(Projection{Props: props})
	if err != nil {
		return nil, err
	}
	for _, v := range vs {
		if !slices.Contains(t.Props, int(v.prop.num)) {
			return nil, badValue(v.name, "is not part of the token")
		}
	}
	return vs, nil
}

// Metadata says what to show of tokens beside their values.
type Metadata struct {
	Uses       bool // type, scope and uses
	Aggregated bool // with Uses: the last end of all uses
}

// metadata appends the reference's TokenMetadata with the uses that the caller
// may see.
func (s *selector) metadata(b []byte, f found, aggregated bool) []byte {
	var latest int64
	forever := false
	uses := []byte{'['}
	for _, i := range f.refs {
		r := f.token.Refs[i]
		end := r.end()
		forever = forever || end == 0
		latest = max(latest, end)
		if len(uses) > 1 {
			uses = append(uses, ',')
		}
		uses = append(append(uses, `{"creation_time":`...), quotedTime(r.Created)...)
		uses = append(append(uses, `,"expiration_time":`...), quotedEnd(r.Expires)...)
		uses = append(append(uses, `,"effective_expiration_time":`...), quotedEnd(end)...)
		if r.Object != "" {
			uses = append(append(uses, `,"object_id":`...), quoted(r.Object)...)
		}
		if r.Tenant != "" {
			uses = append(append(uses, `,"effective_tenant_id":`...), quoted(r.Tenant)...)
		}
		uses = append(quotedList(append(uses, `,"tags":`...), r.Tags), '}')
	}
	uses = append(uses, ']')
	if forever {
		latest = 0
	}
	b = append(append(b, `{"token_id":`...), quoted(f.token.ID)...)
	b = append(append(b, `,"type":`...), quoted(f.token.Type)...)
	b = append(append(b, `,"scope":`...), quoted(f.token.Scope)...)
	if aggregated {
		b = append(append(b, `,"agg":{"max_effective_expiration_time":`...), quotedEnd(latest)...)
		b = append(b, '}')
	}
	b = append(append(b, `,"tokens":`...), uses...)
	return append(b, '}')
}

// quotedEnd is a time, or null for what never ends.
func quotedEnd(ms int64) []byte {
	if ms == 0 {
		return []byte("null")
	}
	return quotedTime(ms)
}

// SearchTokens returns what is known of tokens, without their values.
func (e *Engine) SearchTokens(ctx context.Context, call Call, f TokenFilter) ([]byte, error) {
	if err := call.check("search-tokens", "/query/tokens"); err != nil {
		return nil, err
	}
	var out []byte
	err := e.resolve(ctx, call, func(r *resolver) error {
		if err := call.askOne("read", r.c.tokensOf(f.Archived)); err != nil {
			return err
		}
		s := &selector{r, f}
		list, err := s.find()
		if err != nil {
			return err
		}
		out = []byte{'['}
		for i, t := range list {
			if i > 0 {
				out = append(out, ',')
			}
			out = s.metadata(out, t, true)
		}
		out = append(out, ']')
		return nil
	})
	return out, err
}

// tokensOf is the resource of a collection's tokens.
func (c *collection) tokensOf(archived bool) string {
	if archived {
		return resource(c.def.Name, "archived/tokens", "*", "")
	}
	return c.tokens
}

func noToken(reason string) error {
	return fault.New(fault.NotFound, "One or more tokens are not found.").WithReason(reason)
}

// editTokens runs edit on every token that the filter names, in one
// transaction. No match is an error.
func (e *Engine) editTokens(ctx context.Context, call Call, op gate.Operation, f TokenFilter, edit func(storage.Tx, *selector, found) error) error {
	return e.resolveTo(ctx, call, func(tx storage.Tx, r *resolver) error {
		if err := call.askOne(op, r.c.tokensOf(f.Archived)); err != nil {
			return err
		}
		s := &selector{r, f}
		list, err := s.find()
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return noToken("token_missing")
		}
		for _, t := range list {
			if err := edit(tx, s, t); err != nil {
				return err
			}
		}
		return nil
	})
}

// TokenChange is an update of tokens; what it does not give stays.
type TokenChange struct {
	Tags       []string `json:"tags"` // replace the tags; nil = stay
	UniqueTags []string `json:"ensure_unique_tenant_tags"`
	Object     *Input   `json:"object"` // replaces the values
	Props      []string `json:"props"`
}

func (ch *TokenChange) check(x Expiry) error {
	if err := x.check(); err != nil {
		return err
	}
	if len(ch.Props) > 0 && ch.Object == nil {
		return fault.New(fault.Invalid, "Properties can be named only together with an object.").WithDetail("field", "props")
	}
	if err := checkLabels(defaultScope, ch.Tags); err != nil {
		return err
	}
	return checkUniqueTags(ch.Tags, ch.UniqueTags)
}

// UpdateTokens changes the uses that the filter names: their tags and their
// end, or the values of their one token.
func (e *Engine) UpdateTokens(ctx context.Context, call Call, f TokenFilter, ch TokenChange, x Expiry) error {
	if err := call.check("update-tokens", "/tokens"); err != nil {
		return err
	}
	if err := ch.check(x); err != nil {
		return err
	}
	if ch.Object != nil {
		return e.resolveTo(ctx, call, func(tx storage.Tx, r *resolver) error {
			return (&selector{r, f}).replace(tx, ch, x)
		})
	}
	return e.editTokens(ctx, call, "write", f, func(tx storage.Tx, s *selector, t found) error {
		n := t.token.clone()
		if err := s.change(tx, n, t.refs, ch, x); err != nil {
			return err
		}
		return e.saveToken(tx, s.c, t.token, n)
	})
}

// change gives uses of a token new tags and a new end.
func (s *selector) change(tx storage.Tx, t *token, refs []int, ch TokenChange, x Expiry) error {
	for _, i := range refs {
		if ch.Tags != nil {
			t.Refs[i].Tags = ch.Tags
		}
		if x.Given {
			t.Refs[i].Expires = x.at(tx.Now())
		}
		if err := s.uniqueTags(ch.UniqueTags, t.ID, t.Refs[i]); err != nil {
			return err
		}
	}
	return nil
}

// replace gives the one token that the filter names new values. The caller must
// be able to touch all of its uses, because they share the values.
func (s *selector) replace(tx storage.Tx, ch TokenChange, x Expiry) error {
	in, err := s.next(*ch.Object)
	if err != nil {
		return err
	}
	ps, err := s.chosen(in.object, ch.Props, false)
	if err != nil {
		return err
	}
	if err := s.call.ask("tokenize", false, views(ps)...); err != nil {
		return err
	}
	if err := s.call.askOne("write", s.c.tokensOf(s.filter.Archived)); err != nil {
		return err
	}
	list, err := s.find()
	switch {
	case err != nil:
		return err
	case len(list) == 0:
		return noToken("token_missing")
	case len(list) > 1:
		return fault.New(fault.Invalid, "The values of one token can be replaced at a time.").WithDetail("field", "object")
	}
	t := list[0].token
	if err := s.whole(list[0]); err != nil {
		return err
	}
	n := t.clone()
	n.Props, n.Values = nil, toValues(pick(in.object, ps))
	for _, p := range ps {
		n.Props = append(n.Props, int(p.num))
	}
	if err := s.revalue(tx, n, pick(in.object, ps)); err != nil {
		return err
	}
	if err := s.change(tx, n, list[0].refs, ch, x); err != nil {
		return err
	}
	return s.engine.saveToken(tx, s.c, t, n)
}

// whole refuses a caller whose claims narrow to change a token for others too:
// one that has uses outside the claims, or one that all uses of a value share.
// Of the latter it must not even learn whether there are others.
func (s *selector) whole(f found) error {
	shared := f.token.Type == PCI || f.token.Type == PCIOneWay
	if len(s.access.bounds) == 0 || !shared && len(f.refs) == len(f.token.Refs) {
		return nil
	}
	return refuse(policy.Check{Name: "narrowing", Expected: s.access.expected(), Note: "the data token may be used outside the caller's restriction"})
}

// revalue checks that a token may stand for the new values.
func (s *selector) revalue(tx storage.Tx, t *token, fs []field) error {
	switch t.Type {
	case Randomized:
		return nil
	case PCI, PCIOneWay:
	default:
		return fault.New(fault.Invalid, "Only the values of pci, pci_oneway and randomized tokens can be replaced.").WithDetail("type", t.Type)
	}
	key := s.engine.pciKey(s.c, t.Type, t.Scope, fs)
	other, err := s.byValue(tx, key)
	if err != nil {
		return err
	}
	if other != nil && other.ID != t.ID {
		return fault.New(fault.Conflict, "Another token stands for these values.").WithDetail("field", "object")
	}
	if t.Type == PCIOneWay {
		t.Values = []value{{0, key[len(key)-16:]}}
	}
	return nil
}

// DeleteTokens removes the uses that the filter names; a token without uses is
// gone.
func (e *Engine) DeleteTokens(ctx context.Context, call Call, f TokenFilter) error {
	if err := call.check("delete-tokens", "/tokens"); err != nil {
		return err
	}
	return e.editTokens(ctx, call, "delete", f, func(tx storage.Tx, s *selector, t found) error {
		n := t.token.clone()
		n.Refs = nil
		for i, r := range t.token.Refs {
			if !slices.Contains(t.refs, i) {
				n.Refs = append(n.Refs, r)
			}
		}
		return e.saveToken(tx, s.c, t.token, n)
	})
}

// RotateTokens gives tokens new ids and returns old → new. All must exist, and
// the caller must be able to touch every use of each.
func (e *Engine) RotateTokens(ctx context.Context, call Call, ids []string) (map[string]string, error) {
	if err := call.check("rotate-tokens", "/rotate/tokens"); err != nil {
		return nil, err
	}
	if len(ids) == 0 || len(ids) > maxTokens {
		return nil, fault.Newf(fault.Invalid, "Between 1 and %d tokens can be rotated at once.", maxTokens).WithDetail("parameter", "token_ids")
	}
	var out map[string]string
	err := e.resolveTo(ctx, call, func(tx storage.Tx, r *resolver) (err error) {
		out = make(map[string]string, len(ids))
		if err := call.askOne("write", r.c.tokens); err != nil {
			return err
		}
		s := &selector{r, TokenFilter{TokenIDs: ids}}
		for _, tokenID := range ids {
			if out[tokenID] != "" {
				continue
			}
			if out[tokenID], err = s.rotate(tx, tokenID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *selector) rotate(tx storage.Tx, tokenID string) (string, error) {
	t, err := loadToken(tx, s.c, s.engine.tokenHash(s.c, tokenID))
	if err != nil {
		return "", err
	}
	if t == nil {
		return "", noToken("tokens_missing")
	}
	f, err := s.uses(t)
	if err != nil {
		return "", err
	}
	switch {
	case len(f.refs) == 0:
		return "", noToken("tokens_missing")
	case t.Type == Deterministic:
		return "", fault.New(fault.Invalid, "A deterministic token cannot be rotated.").WithDetail("type", Deterministic)
	}
	if err := s.whole(f); err != nil {
		return "", err
	}
	s.noteUses(f)
	n := t.clone()
	n.ID = newID().String()
	if err := s.engine.saveToken(tx, s.c, t, nil); err != nil {
		return "", err
	}
	return n.ID, s.engine.saveToken(tx, s.c, nil, n)
}

// CountTokens says how many uses of tokens the caller may touch.
func (e *Engine) CountTokens(ctx context.Context, call Call) (Counts, error) {
	var n Counts
	if err := call.check("get-tokens-count", "/count/tokens"); err != nil {
		return n, err
	}
	err := e.resolve(ctx, call, func(r *resolver) error {
		if err := call.askOne("stats", r.c.tokens); err != nil {
			return err
		}
		n = Counts{}
		return (&selector{resolver: r}).count(&n)
	})
	return n, err
}

func (s *selector) count(n *Counts) error {
	return s.scan(s.c.keyOf("obj/t/", 0), func(h id) error { return s.countOne(h, n) })
}

func (s *selector) countOne(h id, n *Counts) error {
	t, err := loadToken(s.tx, s.c, h)
	if err != nil || t == nil {
		return err
	}
	for _, r := range t.Refs {
		ok, err := s.mine(t, r)
		if err != nil {
			return err
		}
		switch {
		case !ok || s.access.tenants != nil && !slices.Contains(s.access.tenants, r.Tenant):
		case r.archived(s.tx.Now()):
			n.Archived++
		default:
			n.Active++
		}
	}
	return nil
}

// forget removes the uses of tokens that belong to an object which is deleted.
func (e *Engine) forget(tx storage.Tx, c *collection, o *object) error {
	name := o.id.String()
	return e.ofObject(tx, c, o, func(t *token) {
		t.Refs = slices.DeleteFunc(t.Refs, func(r ref) bool { return r.Object == name })
	})
}

// follow gives the uses of tokens that belong to an object its end of life and
// its tenant.
func (e *Engine) follow(tx storage.Tx, c *collection, o *object) error {
	name := o.id.String()
	return e.ofObject(tx, c, o, func(t *token) {
		for i := range t.Refs {
			if t.Refs[i].Object == name {
				t.Refs[i].ObjectEnd, t.Refs[i].Tenant = o.end(), o.tenant
			}
		}
	})
}

// ofObject changes every token that an object has.
func (e *Engine) ofObject(tx storage.Tx, c *collection, o *object, edit func(*token)) error {
	prefix := slices.Concat(c.keyOf("obj/to/", 16), o.id[:])
	items, err := tx.Scan(prefix, nil, maxTokens+1)
	if err != nil {
		return err
	}
	if len(items) > maxTokens {
		return fault.Newf(fault.Conflict, "The object has more than %d tokens; delete these first.", maxTokens)
	}
	for _, it := range items {
		t, err := loadToken(tx, c, id(it.Key[len(prefix):]))
		if err != nil {
			return err
		}
		if t == nil {
			continue
		}
		n := t.clone()
		edit(n)
		if err := e.saveToken(tx, c, t, n); err != nil {
			return err
		}
	}
	return nil
}
