package objects

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/jotgate/jotgate/internal/fault"
)

// template says what the ids of new tokens look like. The zero template makes
// UUIDs; one with a card number makes card numbers.
type template struct {
	card string    // the card number whose ends are kept
	prop *property // where it comes from
}

// panTemplate makes ids that are valid card numbers of 16 digits: the first six
// and the last four digits are those of the card, the others are not.
const panTemplate = "primary_account_number"

// template finds the card number that a template uses.
func (r *resolver) template(o *object, ps []*property, name string, props []string) (template, error) {
	bad := func(rule string) (template, error) {
		return template{}, fault.New(fault.Invalid, "The template "+panTemplate+" "+rule+".").WithDetail("field", "fpprops")
	}
	switch {
	case name == "" && len(props) == 0:
		return template{}, nil
	case name != panTemplate:
		return template{}, fault.New(fault.Invalid, "The only template is "+panTemplate+".").WithDetail("field", "fptemplate")
	case len(props) > 1:
		return bad("uses one property")
	}
	var card *property
	if len(props) == 1 {
		v, err := r.c.lookup(props[0])
		if err != nil {
			return template{}, err
		}
		card = v.prop
	} else if i := slices.IndexFunc(ps, func(p *property) bool { return p.typ.name == "CC_NUMBER" }); i >= 0 {
		card = ps[i]
	}
	if card == nil || card.typ.name != "CC_NUMBER" {
		return bad("needs a property of type CC_NUMBER")
	}
	t := template{card: unquote(o.raw(card)), prop: card}
	if len(t.card) != 16 {
		return bad("needs a card number of 16 digits")
	}
	return t, nil
}

// asked adds the property that the template shows part of to those that the
// policies are asked about.
func (t template) asked(ps []*property) []*property {
	if t.prop == nil || slices.Contains(ps, t.prop) {
		return ps
	}
	return append(slices.Clone(ps), t.prop)
}

// random returns a new id.
func (t template) random() string {
	if t.card == "" {
		return newID().String()
	}
	for {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		if s := t.fill(binary.BigEndian.Uint64(b[:])); s != t.card {
			return s
		}
	}
}

// deterministic returns the id that follows from a fingerprint.
func (t template) deterministic(f id) string {
	if t.card == "" {
		return f.asV4().String()
	}
	for {
		if s := t.fill(binary.BigEndian.Uint64(f[:8])); s != t.card {
			return s
		}
		next := sha256.Sum256(f[:])
		f = id(next[:16])
	}
}

// fill replaces the six digits in the middle: five by n, and the last of them
// such that the check digit is right.
func (t template) fill(n uint64) string {
	b := []byte(t.card)
	for i := 6; i < 11; i++ {
		b[i] = '0' + byte(n%10)
		n /= 10
	}
	for d := byte('0'); d <= '9'; d++ {
		if b[11] = d; luhn(string(b)) {
			break
		}
	}
	return string(b)
}
