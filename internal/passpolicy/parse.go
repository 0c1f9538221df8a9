package passpolicy

import (
	"fmt"
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"

	"github.com/jotgate/jotgate/internal/fault"
)

// Bounds of a policy. The lengths are the reference's.
const (
	maxText   = 8 << 10 // bytes; it bounds the recursion of the HCL parser too
	minLength = 4
	maxLength = 100
	maxChars  = 255 // different characters in all sets together
)

// Policy is a policy that was read and can be satisfied. The zero Policy makes
// no password.
type Policy struct {
	length int
	rules  []rule
	chars  []rune // of all rules, sorted, each once
}

// rule demands at least min characters of a set.
type rule struct {
	chars []rune
	min   int
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "invalid password policy: "+fmt.Sprintf(format, args...))
}

// Parse reads a policy in HCL or JSON. Errors are Invalid and say what is
// wrong, without the text's own values.
func Parse(text string) (_ Policy, err error) {
	if len(text) > maxText {
		return Policy{}, invalid("it is longer than %d bytes", maxText)
	}
	if !utf8.ValidString(text) {
		return Policy{}, invalid("it is not valid UTF-8")
	}
	defer func() {
		if recover() != nil { // the HCL library does so on values that its scanner lets through
			err = invalid("it holds a value that cannot be read")
		}
	}()
	file, parseErr := hcl.Parse(text)
	if parseErr != nil {
		return Policy{}, invalid("it is neither HCL nor JSON")
	}
	var p Policy
	if err := p.read(file.Node.(*ast.ObjectList)); err != nil {
		return Policy{}, err
	}
	return p, p.check()
}

func (p *Policy) read(list *ast.ObjectList) error {
	for _, item := range list.Items {
		var err error
		switch name := key(item.Keys[0]); {
		case name == "length" && len(item.Keys) == 1:
			if p.length != 0 {
				return invalid("length stands there twice")
			}
			p.length, err = number("length", item.Val)
		case name == "rule":
			err = p.readRule(item.Keys[1:], item.Val)
		default:
			return invalid("line %d: only length and rule \"charset\" are known", item.Pos().Line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readRule reads `rule "charset" {…}`, and what JSON makes of it, where the
// kind is the name of an object inside.
func (p *Policy) readRule(kinds []*ast.ObjectKey, value ast.Node) error {
	switch v := value.(type) {
	case *ast.ListType:
		for _, e := range v.List {
			if err := p.readRule(kinds, e); err != nil {
				return err
			}
		}
		return nil
	case *ast.ObjectType:
		switch {
		case len(kinds) == 1 && key(kinds[0]) == "charset":
			return p.readCharset(v.List)
		case len(kinds) == 0 && len(v.List.Items) > 0:
			for _, item := range v.List.Items {
				if err := p.readRule(item.Keys, item.Val); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return invalid("the only kind of rule is \"charset\"")
}

func (p *Policy) readCharset(list *ast.ObjectList) (err error) {
	var r rule
	for _, item := range list.Items {
		switch key(item.Keys[0]) {
		case "charset":
			lit, ok := item.Val.(*ast.LiteralType)
			if !ok {
				return invalid("charset must be a text")
			}
			text, ok := lit.Token.Value().(string)
			if !ok {
				return invalid("charset must be a text")
			}
			r.chars = once([]rune(text))
		case "min-chars":
			if r.min, err = number("min-chars", item.Val); err != nil {
				return err
			}
		default:
			return invalid("line %d: a rule has charset and min-chars only", item.Pos().Line)
		}
	}
	if len(r.chars) == 0 {
		return invalid("a rule needs a charset")
	}
	for _, c := range r.chars {
		if !unicode.IsPrint(c) {
			return invalid("non-printable character in charset")
		}
	}
	p.rules = append(p.rules, r)
	return nil
}

func (p *Policy) check() error {
	if p.length < minLength || p.length > maxLength {
		return fault.Newf(fault.Invalid, "passwords must be between %d and %d characters", minLength, maxLength)
	}
	if len(p.rules) == 0 {
		return invalid("no charset specified")
	}
	least := 0
	for i := range p.rules {
		least += max(p.rules[i].min, 0)
		p.chars = append(p.chars, p.rules[i].chars...)
	}
	if least > p.length {
		return invalid("specified rules require at least %d characters but %d is specified", least, p.length)
	}
	if p.chars = once(p.chars); len(p.chars) > maxChars {
		return invalid("charset is too long: limited to %d characters", maxChars)
	}
	return nil
}

// once returns the characters sorted, each of them once: none is likelier for
// standing there twice.
func once(chars []rune) []rune {
	slices.Sort(chars)
	return slices.Compact(chars)
}

func key(k *ast.ObjectKey) string {
	s, _ := k.Token.Value().(string)
	return s
}

// number reads a whole number that is not negative, also from a text.
func number(name string, v ast.Node) (int, error) {
	if lit, ok := v.(*ast.LiteralType); ok {
		n, err := strconv.Atoi(fmt.Sprint(lit.Token.Value()))
		if err == nil && n >= 0 && n <= 1<<20 {
			return n, nil
		}
	}
	return 0, invalid("%s must be a whole number that is not negative", name)
}
