package votes

import (
	"fmt"
	"strings"
)

// kind is what sort of data a resource is.
type kind uint8

const (
	kindNone kind = iota
	properties
	types
	tokens
	archived // added to one of the above
)

// parseKind reads "properties", "archived/properties" and the like off the
// front of rest.
func parseKind(rest string) (k kind, tail string, ok bool) {
	word, tail, _ := strings.Cut(rest, "/")
	if word == "archived" || word == "deleted" {
		k = archived
		word, tail, _ = strings.Cut(tail, "/")
	}
	switch word {
	case "properties":
		return k + properties, tail, true
	case "types":
		return k + types, tail, true
	case "tokens":
		return k + tokens, tail, true
	}
	return kindNone, "", false
}

// glob is a text with at most one "*".
type glob struct {
	head, tail string
	star       bool
}

func parseGlob(s string) (glob, bool) {
	head, tail, star := strings.Cut(s, "*")
	return glob{head: head, tail: tail, star: star}, s != "" && !strings.ContainsAny(tail, "*")
}

func (g glob) fits(s string) bool {
	if !g.star {
		return s == g.head
	}
	return len(s) >= len(g.head)+len(g.tail) && strings.HasPrefix(s, g.head) && strings.HasSuffix(s, g.tail)
}

// pattern is a resource of a policy.
type pattern struct {
	all        bool
	collection glob
	kind       kind
	name       glob // unused for tokens
}

// parsePattern reads "*" or "<collection>/<kind>/<name>".
func parsePattern(text string) (pattern, error) {
	if text == "*" {
		return pattern{all: true}, nil
	}
	bad := func(why string) (pattern, error) {
		return pattern{}, fmt.Errorf("resource %q %s; write \"*\" or \"<collection>/<kind>/<name>\" with kind properties, types or tokens, such as \"customers/properties/email\"", text, why)
	}
	collection, rest, _ := strings.Cut(text, "/")
	k, name, ok := parseKind(rest)
	if !ok {
		return bad("has no known kind")
	}
	p := pattern{kind: k}
	if p.collection, ok = parseGlob(collection); !ok || !patternText(collection) {
		return bad("has a bad collection")
	}
	if k%archived == tokens && name == "" {
		name = "*"
	}
	if p.name, ok = parseGlob(name); !ok || !patternText(name) {
		return bad("has a bad name")
	}
	return p, nil
}

// patternText reports whether s has only what names are made of: letters,
// digits, "_", the "." of a transformation, and "*".
func patternText(s string) bool {
	for _, r := range []byte(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.', r == '*':
		default:
			return false
		}
	}
	return true
}

// question is one piece of data, taken apart.
type question struct {
	collection string
	kind       kind
	name       string
	typeName   string // of a property, "" if the asker does not say
}

// parseQuestion reads "<collection>/<kind>/<name>[/<TYPE>]" without allocating.
func parseQuestion(text string) (question, bool) {
	collection, rest, _ := strings.Cut(text, "/")
	k, rest, ok := parseKind(rest)
	if !ok || collection == "" {
		return question{}, false
	}
	name, typeName, _ := strings.Cut(rest, "/")
	q := question{collection: collection, kind: k, name: name, typeName: typeName}
	return q, (name != "" || k%archived == tokens) && !strings.Contains(typeName, "/")
}

// fits reports whether the pattern speaks of the data. A pattern about types
// speaks of every property of the type; unsure is the answer for a property
// whose type the asker does not say.
func (p *pattern) fits(q *question, unsure bool) bool {
	if p.all {
		return true
	}
	if !p.collection.fits(q.collection) {
		return false
	}
	switch {
	case p.kind == q.kind:
		return p.kind%archived == tokens || p.name.fits(q.name)
	case p.kind%archived == types && q.kind == p.kind-types+properties:
		if q.typeName == "" {
			return unsure
		}
		return p.name.fits(q.typeName)
	}
	return false
}
