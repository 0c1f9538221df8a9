package objects

import (
	"context"
	"slices"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

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
