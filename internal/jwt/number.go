package jwt

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// Number is a JSON number that keeps its text. Two numbers compare by their
// exact decimal value, whatever their spelling and size. The zero Number is
// not a number and equals nothing.
type Number struct{ text string }

// ParseNumber reads a JSON number. It is false for every other text.
func ParseNumber(s string) (Number, bool) {
	n := Number{s}
	return n, wellFormed(s)
}

// wellFormed reports whether s is a number by the grammar of RFC 8259
// section 6.
func wellFormed(s string) bool {
	s = strings.TrimPrefix(s, "-")
	intPart, rest := cutDigits(s)
	if intPart == "" || len(intPart) > 1 && intPart[0] == '0' {
		return false
	}
	if strings.HasPrefix(rest, ".") {
		var frac string
		if frac, rest = cutDigits(rest[1:]); frac == "" {
			return false
		}
	}
	if rest == "" {
		return true
	}
	if rest[0] != 'e' && rest[0] != 'E' {
		return false
	}
	rest = rest[1:]
	if rest != "" && (rest[0] == '+' || rest[0] == '-') {
		rest = rest[1:]
	}
	exp, rest := cutDigits(rest)
	return exp != "" && rest == ""
}

func cutDigits(s string) (digits, rest string) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		i++
	}
	return s[:i], s[i:]
}

// Text returns the number as it was written.
func (n Number) Text() string { return n.text }

// decimal is 0.digits × 10^exp, without leading or trailing zeros in digits;
// zero has no digits.
type decimal struct {
	negative bool
	digits   string
	exp      int64
}

// decimal returns the number's value. It is false for the zero Number and for
// an exponent of more than 17 digits, which no arithmetic here could hold.
func (n Number) decimal() (decimal, bool) {
	if !wellFormed(n.text) {
		return decimal{}, false
	}
	var d decimal
	s, negative := strings.CutPrefix(n.text, "-")
	mantissa, exponent := s, "0"
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, exponent = s[:i], strings.TrimPrefix(s[i+1:], "+")
	}
	intPart, frac, _ := strings.Cut(mantissa, ".")
	all := intPart + frac
	d.digits = strings.TrimLeft(all, "0")
	leading := len(all) - len(d.digits)
	d.digits = strings.TrimRight(d.digits, "0")
	if d.digits == "" {
		return decimal{}, true
	}
	e, err := strconv.ParseInt(exponent, 10, 64)
	if err != nil || e > 1e17 || e < -1e17 {
		return decimal{}, false
	}
	d.negative = negative
	d.exp = int64(len(intPart)) - int64(leading) + e
	return d, true
}

// Compare returns -1, 0 or +1 for n < m, n == m, n > m. It is false when
// either is not a number or has an exponent beyond 10^17: then the two must be
// taken as different.
func (n Number) Compare(m Number) (int, bool) {
	a, ok1 := n.decimal()
	b, ok2 := m.decimal()
	if !ok1 || !ok2 {
		return 0, false
	}
	if s := cmp.Compare(a.sign(), b.sign()); s != 0 || a.sign() == 0 {
		return s, true
	}
	c := cmp.Compare(a.exp, b.exp)
	if c == 0 {
		c = cmp.Compare(a.digits, b.digits) // no trailing zeros: the longer one is the larger one
	}
	return c * a.sign(), true
}

// Equal reports whether n and m are numbers of the same exact value.
func (n Number) Equal(m Number) bool {
	c, ok := n.Compare(m)
	return ok && c == 0
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}

// The range of a NumericDate: years 1 to 9999. Values outside it are taken for
// the nearest end, which is as good as "always" and "never" and leaves room
// for every leeway without overflow.
var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
)

// time returns the number of seconds since the epoch as an instant, exact to
// the nanosecond; what is finer is cut off towards the past.
func (n Number) time() time.Time {
	d, ok := n.decimal()
	switch {
	case !ok && !strings.Contains(n.text, "e-") && !strings.Contains(n.text, "E-"), d.exp > 12:
		// Beyond the range, on the side of the sign.
		if strings.HasPrefix(n.text, "-") {
			return earliest
		}
		return latest
	case !ok:
		// Too small to tell from zero.
		return time.Unix(0, 0).UTC()
	}
	sec, nsec, rest := d.seconds()
	t := time.Unix(sec, nsec)
	if d.negative {
		t = time.Unix(-sec, -nsec)
		if rest {
			t = t.Add(-1)
		}
	}
	switch t = t.UTC(); {
	case t.Before(earliest):
		return earliest
	case t.After(latest):
		return latest
	}
	return t
}

// seconds splits the absolute value, which is below 10^12, into seconds and
// nanoseconds; rest reports whether there is more behind the nanoseconds.
func (d decimal) seconds() (sec, nsec int64, rest bool) {
	if d.exp < -9 {
		return 0, 0, d.digits != ""
	}
	width := int(d.exp) + 9 // digits down to the nanosecond
	digits := d.digits + strings.Repeat("0", max(0, width-len(d.digits)))
	whole := digits[:width]
	point := max(0, len(whole)-9)
	sec, _ = strconv.ParseInt("0"+whole[:point], 10, 64)
	nsec, _ = strconv.ParseInt("0"+whole[point:], 10, 64)
	return sec, nsec, len(digits) > width
}
