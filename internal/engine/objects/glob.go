package objects

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// glob is a compiled like pattern: * stands for any run of characters, ? for
// one character. Matching works on folded text.
type glob struct {
	parts []rune
	grams []string // runs of three characters that every match holds
}

// maxGlob bounds a like pattern, in bytes.
const maxGlob = 1024

// maxGrams bounds how many index lists one pattern looks at.
const maxGrams = 8

// compileGlob returns the rule that a bad pattern breaks.
func compileGlob(s string) (*glob, string) {
	if len(s) > maxGlob || !utf8.ValidString(s) {
		return nil, "needs a shorter pattern of valid UTF-8"
	}
	s = fold(norm.NFC.String(s))
	g := &glob{parts: []rune(s)}
	for _, lit := range strings.FieldsFunc(s, func(r rune) bool { return r == '*' || r == '?' }) {
		if utf8.RuneCountInString(lit) >= 3 {
			g.grams = append(g.grams, trigrams(lit)...)
		}
	}
	if len(g.grams) == 0 {
		return nil, "needs a pattern with at least three characters in a row"
	}
	slices.Sort(g.grams)
	g.grams = slices.Compact(g.grams)
	if len(g.grams) > maxGrams {
		g.grams = g.grams[:maxGrams]
	}
	return g, ""
}

// match compares in time linear in the product of both lengths at worst.
func (g *glob) match(s string) bool {
	text := []rune(s)
	t, p, star, mark := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(g.parts) && g.parts[p] == '*':
			star, mark = p, t
			p++
		case p < len(g.parts) && (g.parts[p] == '?' || g.parts[p] == text[t]):
			p++
			t++
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(g.parts) && g.parts[p] == '*' {
		p++
	}
	return p == len(g.parts)
}
