package passpolicy

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// tries is how often a password is drawn freely before its demanded characters
// are placed first. Free drawing makes every valid password equally likely.
const tries = 1000

var errZero = errors.New("passpolicy: the zero policy makes no password")

// Generate returns a password that every rule is content with. rng is a source
// of secret random bytes, such as crypto/rand.Reader; its errors are the only
// ones, for a policy that Parse returned.
func (p Policy) Generate(rng io.Reader) (string, error) {
	if p.length == 0 || len(p.chars) == 0 {
		return "", errZero
	}
	d := dice{from: rng}
	for range tries {
		out := make([]rune, p.length)
		for i := range out {
			out[i] = d.pick(p.chars)
		}
		if d.err != nil || p.content(out) {
			return string(out), d.err
		}
	}
	out := make([]rune, 0, p.length)
	for _, r := range p.rules {
		for range r.min {
			out = append(out, d.pick(r.chars))
		}
	}
	for len(out) < p.length {
		out = append(out, d.pick(p.chars))
	}
	for i := len(out) - 1; i > 0; i-- {
		j := d.below(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	return string(out), d.err
}

// content reports whether every rule is satisfied.
func (p Policy) content(out []rune) bool {
	for _, r := range p.rules {
		n := 0
		for _, c := range out {
			if slices.Contains(r.chars, c) {
				n++
			}
		}
		if n < r.min {
			return false
		}
	}
	return true
}

// dice draws numbers of equal likelihood. After an error it draws zeros.
type dice struct {
	from io.Reader
	buf  [64]byte
	left []byte
	err  error
}

// below returns a number in [0, n), for n up to 256.
func (d *dice) below(n int) int {
	limit := 256 - 256%n // bytes from here on would favour small numbers
	for d.err == nil {
		if len(d.left) == 0 {
			if _, err := io.ReadFull(d.from, d.buf[:]); err != nil {
				d.err = fmt.Errorf("passpolicy: reading random bytes: %w", err)
				return 0
			}
			d.left = d.buf[:]
		}
		b := int(d.left[0])
		if d.left = d.left[1:]; b < limit {
			return b % n
		}
	}
	return 0
}

func (d *dice) pick(chars []rune) rune { return chars[d.below(len(chars))] }
