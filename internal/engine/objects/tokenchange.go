package objects

import (
	"context"
	"slices"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy"
	"github.com/jotgate/jotgate/internal/storage"
)

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
