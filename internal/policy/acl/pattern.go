package acl

import (
	"cmp"
	"errors"
	"strings"
)

// errPlusStar is the reference's text for a pattern that it forbids.
var errPlusStar = errors.New("invalid use of wildcards ('+*' is forbidden)")

// pattern is a rule's path, taken apart once. The first wildcard of every
// pattern that shares a head stands at the same place, so patterns can be found
// by their head, longest first.
type pattern struct {
	text   string   // as written, without a leading "/"
	head   string   // the literal text before the first wildcard
	segs   []string // what follows the head, if it begins with a "+"
	prefix bool     // ends with "*"
	exact  bool     // has no wildcard
	plus   int      // number of "+" segments
}

// compilePattern takes a path apart. A "*" anywhere but at the end, and a "+"
// that is not a whole segment, are literal.
func compilePattern(path string) (pattern, error) {
	p := pattern{text: path}
	if strings.Contains(path, "+*") {
		return p, errPlusStar
	}
	body, isPrefix := strings.CutSuffix(path, "*")
	p.prefix = isPrefix
	segs := strings.Split(body, "/")
	at := 0
	for i, s := range segs {
		if s == "+" {
			if p.plus == 0 {
				p.head, p.segs = body[:at], segs[i:]
			}
			p.plus++
		}
		at += len(s) + 1
	}
	if p.plus == 0 {
		p.head, p.exact = body, !isPrefix
	}
	return p, nil
}

// matches reports whether path, which begins with the head, fits the rest.
func (p *pattern) matches(path string) bool {
	rest := path[len(p.head):]
	for i, want := range p.segs {
		last := i == len(p.segs)-1
		if last && p.prefix {
			return strings.HasPrefix(rest, want)
		}
		got, tail, more := strings.Cut(rest, "/")
		if want != "+" && want != got {
			return false
		}
		if last {
			return !more
		}
		if !more {
			return false
		}
		rest = tail
	}
	return p.prefix || rest == ""
}

// before orders patterns by who decides: negative if p decides before o.
func (p *pattern) before(o *pattern) int {
	return cmp.Or(
		cmp.Compare(len(o.head), len(p.head)),
		cmp.Compare(b2i(p.prefix), b2i(o.prefix)),
		cmp.Compare(p.plus, o.plus),
		cmp.Compare(len(o.text), len(p.text)),
		cmp.Compare(o.text, p.text),
	)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
