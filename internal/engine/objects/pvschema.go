package objects

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/jotgate/jotgate/internal/fault"
)

// maxSchema bounds a PVSchema document, in bytes.
const maxSchema = 1 << 20

// FormatSchema renders collections as PVSchema.
func FormatSchema(cs ...Collection) []byte {
	var b strings.Builder
	for _, c := range cs {
		b.WriteString(c.Name + " " + c.Type + " (\n")
		for i, p := range c.Properties {
			b.WriteString("  " + p.Name + " " + p.DataType)
			for _, w := range []struct {
				on   bool
				word string
			}{
				{p.IsUnique, "UNIQUE"}, {p.IsIndex, "INDEX"}, {p.IsSubstringIndex, "SUBSTRING_INDEX"},
				{p.IsEncrypted != nil && !*p.IsEncrypted, "NOT ENCRYPTED"}, {p.IsNullable, "NULL"},
				{p.IsBuiltin, "BUILTIN"}, {p.IsReadonly, "READONLY"},
			} {
				if w.on {
					b.WriteString(" " + w.word)
				}
			}
			if p.Description != "" {
				b.WriteString(" COMMENT '" + strings.ReplaceAll(p.Description, "'", "''") + "'")
			}
			if i < len(c.Properties)-1 {
				b.WriteByte(',')
			}
			b.WriteByte('\n')
		}
		b.WriteString(");\n")
	}
	return []byte(b.String())
}

// ParseSchema reads the PVSchema of one collection. Built-in properties in it
// are left out, so that what FormatSchema writes can be read back.
func ParseSchema(src []byte) (Collection, error) {
	if len(src) > maxSchema {
		return Collection{}, fault.Newf(fault.TooLarge, "The PVSchema is larger than %d bytes.", maxSchema)
	}
	if !utf8.Valid(src) {
		return Collection{}, fault.New(fault.Invalid, "The PVSchema is not valid UTF-8.")
	}
	p := &schemaParser{src: string(src), line: 1}
	c := p.collection()
	if p.err != nil {
		return Collection{}, p.err
	}
	return c, nil
}

// schemaParser reads tokens; the first error sticks.
type schemaParser struct {
	src  string
	line int
	tok  string // current token; "" at the end; a text starts with '
	err  error
}

func (p *schemaParser) fail(rule string) {
	if p.err == nil {
		p.err = fault.New(fault.Invalid, "The PVSchema is wrong in line "+strconv.Itoa(p.line)+": "+rule+".").WithDetail("line", strconv.Itoa(p.line))
	}
	p.src, p.tok = "", ""
}

// next reads one token.
func (p *schemaParser) next() {
	p.space()
	switch {
	case p.src == "":
		p.tok = ""
	case p.src[0] == '\'':
		p.text()
	case strings.IndexByte("(),;", p.src[0]) >= 0:
		p.tok, p.src = p.src[:1], p.src[1:]
	default:
		n := strings.IndexFunc(p.src, func(r rune) bool { return !wordRune(r) })
		if n < 0 {
			n = len(p.src)
		}
		if n == 0 {
			p.fail("unexpected character")
			return
		}
		p.tok, p.src = p.src[:n], p.src[n:]
	}
}

func wordRune(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

func (p *schemaParser) space() {
	for p.src != "" {
		switch p.src[0] {
		case '\n':
			p.line++
		case ' ', '\t', '\r':
		default:
			return
		}
		p.src = p.src[1:]
	}
}

// text reads a quoted text; a quote in it is doubled.
func (p *schemaParser) text() {
	var b strings.Builder
	b.WriteByte('\'')
	rest := p.src[1:]
	for {
		n := strings.IndexByte(rest, '\'')
		if n < 0 {
			p.fail("a text is not closed")
			return
		}
		b.WriteString(rest[:n])
		rest = rest[n+1:]
		if !strings.HasPrefix(rest, "'") {
			p.tok, p.src = b.String(), rest
			p.line += strings.Count(p.tok, "\n")
			return
		}
		b.WriteByte('\'')
		rest = rest[1:]
	}
}

func (p *schemaParser) expect(tok string) {
	if p.tok != tok {
		p.fail("expected " + strconv.Quote(tok))
		return
	}
	p.next()
}

func (p *schemaParser) word(what string) string {
	w := p.tok
	if w == "" || !wordRune(rune(w[0])) {
		p.fail("expected " + what)
		return ""
	}
	p.next()
	return w
}

func (p *schemaParser) collection() Collection {
	p.next()
	c := Collection{Name: p.word("the name of the collection"), Type: strings.ToUpper(p.word("PERSONS or DATA"))}
	p.expect("(")
	for p.err == nil && p.tok != ")" {
		prop := p.property()
		if !prop.IsBuiltin {
			c.Properties = append(c.Properties, prop)
		}
		if len(c.Properties) > maxProperties {
			p.fail("too many properties")
		}
		if p.tok != "," {
			break
		}
		p.next()
	}
	p.expect(")")
	if p.tok == ";" {
		p.next()
	}
	if p.err == nil && p.tok != "" {
		p.fail("only one collection can be given")
	}
	return c
}

func (p *schemaParser) property() Property {
	out := Property{Name: p.word("the name of a property"), DataType: p.word("a data type")}
	not := false
	for p.err == nil && p.tok != "," && p.tok != ")" {
		w := strings.ToUpper(p.word("an attribute, \",\" or \")\""))
		if not && w != "NULL" && w != "ENCRYPTED" && w != "UNIQUE" && w != "INDEX" {
			p.fail("NOT must be followed by NULL, ENCRYPTED, UNIQUE or INDEX")
			break
		}
		switch w {
		case "NOT":
			not = true
			continue
		case "UNIQUE":
			out.IsUnique = !not
		case "INDEX":
			out.IsIndex = !not
		case "SUBSTRING_INDEX":
			out.IsSubstringIndex = true
		case "ENCRYPTED":
		case "NULL":
			out.IsNullable = !not
		case "BUILTIN":
			out.IsBuiltin = true
		case "READONLY":
			out.IsReadonly = true
		case "COMMENT":
			if !strings.HasPrefix(p.tok, "'") {
				p.fail("COMMENT must be followed by a text in single quotes")
				break
			}
			out.Description = p.tok[1:]
			p.next()
		default:
			p.fail("unknown attribute " + strconv.Quote(clip(w)))
		}
		not = false
	}
	if not {
		p.fail("NOT must be followed by NULL, ENCRYPTED, UNIQUE or INDEX")
	}
	return out
}
