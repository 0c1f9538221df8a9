package audit

import (
	"strconv"
	"time"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// plain says which ASCII bytes stand for themselves inside a JSON string.
var plain = func() (t [utf8.RuneSelf]bool) {
	for i := range t {
		t[i] = i >= 0x20 && i != '"' && i != '\\' && i != 0x7f
	}
	return t
}()

// appendString appends s as a JSON string. Bytes that are no UTF-8 become the
// replacement character, and control characters are escaped, so that one entry
// is always one line and a terminal that shows it obeys nothing in it.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if plain[c] {
				i++
				continue
			}
			b = append(b, s[start:i]...)
			b = appendEscaped(b, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if (r == utf8.RuneError && size == 1) || isLineBreak(r) {
			b = append(b, s[start:i]...)
			b = append(b, `\u`...)
			b = append(b, hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			start = i + size
		}
		i += size
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// isLineBreak reports runes that some readers take for the end of a line or
// for a terminal command: NEL and the other C1 controls, LS and PS.
func isLineBreak(r rune) bool { return r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 }

func appendEscaped(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	default:
		return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}

// appendTime appends t as an RFC 3339 time in UTC with nanoseconds.
func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// objectWriter writes the members of one JSON object. Members with an empty value
// are left out unless the method says otherwise.
type objectWriter struct {
	b     []byte
	comma bool
}

func (o *objectWriter) open() { o.b, o.comma = append(o.b, '{'), false }

// end closes the object; the object around it has at least this member.
func (o *objectWriter) end() { o.b, o.comma = append(o.b, '}'), true }

// key starts a member. name needs no escaping.
func (o *objectWriter) key(name string) {
	if o.comma {
		o.b = append(o.b, ',')
	}
	o.comma = true
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

func (o *objectWriter) object(name string) {
	o.key(name)
	o.open()
}

func (o *objectWriter) str(name, s string) {
	if s != "" {
		o.key(name)
		o.b = appendString(o.b, s)
	}
}

func (o *objectWriter) int(name string, n int64) {
	if n != 0 {
		o.key(name)
		o.b = strconv.AppendInt(o.b, n, 10)
	}
}

func (o *objectWriter) bool(name string, v bool) {
	o.key(name)
	o.b = strconv.AppendBool(o.b, v)
}

func (o *objectWriter) time(name string, t time.Time) {
	if !t.IsZero() {
		o.key(name)
		o.b = appendTime(o.b, t)
	}
}

// seconds writes a duration in whole seconds.
func (o *objectWriter) seconds(name string, d time.Duration) { o.int(name, int64(d/time.Second)) }

func (o *objectWriter) list(name string, l []string) {
	if len(l) == 0 {
		return
	}
	o.key(name)
	o.b = append(o.b, '[')
	for i, s := range l {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = appendString(o.b, s)
	}
	o.b = append(o.b, ']')
}
