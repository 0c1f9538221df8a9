package objects

import (
	"math"
	"net/mail"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"
)

// Limits of values, in bytes after normalisation.
const (
	maxString   = 4096
	maxLongText = 1 << 20
)

// base is how a value is stored and compared.
type base uint8

const (
	baseString base = iota
	baseLongText
	baseJSON
	baseInteger
	baseBoolean
	baseDouble
)

// dataType is one type of values. normal checks and normalises a text; it
// returns the rule that the text breaks, or "".
type dataType struct {
	name       string
	base       base
	normal     func(s string) (out, rule string)
	transforms map[string]transform
	about      string
}

// searchable reports whether values of the type may be unique or indexed.
func (t *dataType) searchable() bool { return t.base != baseLongText && t.base != baseJSON }

// canonical turns a JSON value into the one spelling that is stored. The
// returned rule says what is wrong with it and never quotes it.
func (t *dataType) canonical(v jsontext.Value) (out []byte, rule string) {
	switch t.base {
	case baseJSON:
		c := v.Clone()
		if err := c.Compact(); err != nil {
			return nil, "must be valid JSON"
		}
		if len(c) > maxLongText {
			return nil, tooLong(maxLongText)
		}
		return c, ""
	case baseInteger:
		n, err := strconv.ParseInt(string(v), 10, 64)
		if v.Kind() != '0' || err != nil {
			return nil, "must be a whole number of 64 bits"
		}
		return strconv.AppendInt(nil, n, 10), ""
	case baseDouble:
		f, err := strconv.ParseFloat(string(v), 64)
		if v.Kind() != '0' || err != nil || math.IsInf(f, 0) {
			return nil, "must be a number"
		}
		return []byte(jsontext.Float(f).String()), ""
	case baseBoolean:
		if k := v.Kind(); k != 't' && k != 'f' {
			return nil, "must be true or false"
		}
		return []byte(v), ""
	default:
		return t.canonicalText(v)
	}
}

func (t *dataType) canonicalText(v jsontext.Value) ([]byte, string) {
	if v.Kind() != '"' {
		return nil, "must be a string"
	}
	raw, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return nil, "must be valid UTF-8"
	}
	return t.canonicalString(string(raw))
}

// canonicalString is canonical for a text that is not JSON, such as the value
// of a claim.
func (t *dataType) canonicalString(s string) ([]byte, string) {
	limit := maxString
	if t.base == baseLongText {
		limit = maxLongText
	}
	if len(s) > limit {
		return nil, tooLong(limit)
	}
	if !utf8.ValidString(s) {
		return nil, "must be valid UTF-8"
	}
	s = norm.NFC.String(s)
	if t.normal != nil {
		var rule string
		if s, rule = t.normal(s); rule != "" {
			return nil, rule
		}
	}
	q, err := jsontext.AppendQuote(nil, s)
	if err != nil {
		return nil, "must be valid UTF-8"
	}
	return q, ""
}

func tooLong(n int) string { return "must be at most " + strconv.Itoa(n) + " bytes long" }

// unquote returns the text of a canonical string value.
func unquote(raw []byte) string {
	if len(raw) >= 2 && raw[0] == '"' && !strings.Contains(string(raw), `\`) {
		return string(raw[1 : len(raw)-1])
	}
	s, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return string(raw)
	}
	return string(s)
}

// builtinTypes are the data types of the reference, by name. BLOB is left out:
// blobs are not offered.
var builtinTypes = map[string]*dataType{}

func init() {
	for _, t := range []*dataType{
		{name: "STRING", about: "A short text."},
		{name: "LONG_TEXT", base: baseLongText, about: "A long text."},
		{name: "JSON", base: baseJSON, about: "Any JSON value."},
		{name: "INTEGER", base: baseInteger, about: "A whole number of 64 bits."},
		{name: "BOOLEAN", base: baseBoolean, about: "True or false."},
		{name: "DOUBLE", base: baseDouble, about: "A number."},
		{name: "EMAIL", normal: email, transforms: masks(maskEmail), about: "An email address."},
		{name: "EMAIL_STRICT", normal: emailStrict, transforms: masks(maskEmail), about: "An email address of letters and digits with a domain that has a dot."},
		{name: "URL", normal: webAddress, about: "An absolute http or https URL."},
		{name: "PHONE_NUMBER", normal: phone, transforms: masks(maskPhone), about: "A telephone number."},
		{name: "ZIP_CODE_US", normal: zipCode, transforms: masks(maskZip), about: "A US ZIP code."},
		{name: "TIMESTAMP", normal: timestamp, about: "An instant, as RFC 3339."},
		{name: "DATE", normal: date, transforms: masks(maskDate), about: "A day, as YYYY-MM-DD."},
		{name: "DATE_OF_BIRTH", normal: date, transforms: birth, about: "A day of birth, as YYYY-MM-DD."},
		{name: "NAME", normal: printable, transforms: masks(maskName), about: "A person's name."},
		{name: "GENDER", normal: printable, transforms: masks(maskAll), about: "A gender."},
		{name: "SSN", normal: ssn, transforms: masks(maskSSN), about: "A US social security number."},
		{name: "ADDRESS", normal: lines, about: "A postal address."},
		{name: "BAN", normal: ban, transforms: masks(maskLast4), about: "A bank account number."},
		{name: "CC_HOLDER_NAME", normal: printable, transforms: masks(maskName), about: "A card holder's name."},
		{name: "CC_NUMBER", normal: cardNumber, transforms: masks(maskLast4), about: "A card number with a valid check digit."},
		{name: "CC_EXPIRATION_STRING", normal: cardExpiry, about: "A card's month of expiry, as MM/YYYY."},
		{name: "CC_CVV", normal: cvv, transforms: masks(maskAll), about: "A card's verification value."},
		{name: "US_BANK_ROUTING", normal: routing, about: "A US bank routing number."},
		{name: "US_BANK_ACCOUNT_NUMBER", normal: usAccount, transforms: masks(maskLast4), about: "A US bank account number."},
		{name: "OBJECT_ID", normal: objectID, about: "The id of an object."},
		{name: "TENANT_ID", normal: printable, about: "The id of a tenant."},
	} {
		builtinTypes[t.name] = t
	}
}

// printable accepts a non-empty text on one line and trims it.
func printable(s string) (string, string) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", "must not be empty"
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", "must not hold control characters"
	}
	return s, ""
}

// lines is printable with line breaks.
func lines(s string) (string, string) {
	if strings.TrimSpace(s) == "" {
		return "", "must not be empty"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }) {
		return "", "must not hold control characters"
	}
	return strings.TrimSpace(s), ""
}

func email(s string) (string, string) {
	s = strings.TrimSpace(s)
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || strings.Contains(domain, "@") || len(s) > 254 ||
		strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return "", "must be an email address"
	}
	return strings.ToLower(s), ""
}

var strictEmail = regexp.MustCompile(`^[a-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$`)

func emailStrict(s string) (string, string) {
	s, rule := email(s)
	if rule != "" {
		return "", rule
	}
	if a, err := mail.ParseAddress(s); err != nil || a.Address != s || !strictEmail.MatchString(s) {
		return "", "must be an email address of letters and digits with a domain that has a dot"
	}
	return s, ""
}

func webAddress(s string) (string, string) {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", "must be an absolute http or https URL"
	}
	return u.String(), ""
}

// only keeps the digits of s; ok is false if s holds anything else than digits
// and the separators.
func only(s, separators string) (digits string, ok bool) {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case !strings.ContainsRune(separators, r):
			return "", false
		}
	}
	return b.String(), true
}

func phone(s string) (string, string) {
	s = strings.TrimSpace(s)
	rest, plus := strings.CutPrefix(s, "+")
	d, ok := only(rest, " -().")
	if !ok || len(d) < 7 || len(d) > 15 {
		return "", "must be a telephone number of 7 to 15 digits"
	}
	if plus {
		d = "+" + d
	}
	return d, ""
}

var zipPattern = regexp.MustCompile(`^[0-9]{5}(-[0-9]{4})?$`)

func zipCode(s string) (string, string) {
	s = strings.TrimSpace(s)
	if !zipPattern.MatchString(s) {
		return "", "must be a US ZIP code such as 12345 or 12345-6789"
	}
	return s, ""
}

func timestamp(s string) (string, string) {
	t, err := time.Parse(time.RFC3339Nano, strings.TrimSpace(s))
	if err != nil || t.Year() < 1 || t.UTC().Year() > 9999 || t.UTC().Year() < 1 {
		return "", "must be an RFC 3339 time"
	}
	return t.UTC().Format(time.RFC3339Nano), ""
}

func date(s string) (string, string) {
	t, err := time.Parse(time.DateOnly, strings.TrimSpace(s))
	if err != nil {
		return "", "must be a date such as 2006-01-31"
	}
	return t.Format(time.DateOnly), ""
}

func ssn(s string) (string, string) {
	d, ok := only(strings.TrimSpace(s), "-")
	if !ok || len(d) != 9 || d[:3] == "000" || d[:3] == "666" || d[0] == '9' || d[3:5] == "00" || d[5:] == "0000" {
		return "", "must be a US social security number"
	}
	return d[:3] + "-" + d[3:5] + "-" + d[5:], ""
}

var banPattern = regexp.MustCompile(`^[A-Z0-9]{4,34}$`)

func ban(s string) (string, string) {
	s = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(s))
	if !banPattern.MatchString(s) {
		return "", "must be a bank account number of 4 to 34 letters and digits"
	}
	return s, ""
}

func cardNumber(s string) (string, string) {
	d, ok := only(strings.TrimSpace(s), " -")
	if !ok || len(d) < 12 || len(d) > 19 || !luhn(d) {
		return "", "must be a card number with a valid check digit"
	}
	return d, ""
}

// luhn checks the check digit of ISO/IEC 7812-1.
func luhn(d string) bool {
	sum := 0
	for i := range len(d) {
		n := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	return sum%10 == 0
}

var expiryPattern = regexp.MustCompile(`^(0?[1-9]|1[0-2]) ?[/-] ?(?:20)?([0-9]{2})$`)

func cardExpiry(s string) (string, string) {
	m := expiryPattern.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return "", "must be a month and year such as 12/2030"
	}
	if len(m[1]) == 1 {
		m[1] = "0" + m[1]
	}
	return m[1] + "/20" + m[2], ""
}

func cvv(s string) (string, string) {
	if d, ok := only(s, ""); !ok || len(d) < 3 || len(d) > 4 {
		return "", "must be 3 or 4 digits"
	}
	return s, ""
}

func routing(s string) (string, string) {
	d, ok := only(strings.TrimSpace(s), "-")
	if !ok || len(d) != 9 {
		return "", "must be a routing number of 9 digits"
	}
	sum := 0
	for i, weight := range []int{3, 7, 1, 3, 7, 1, 3, 7, 1} {
		sum += weight * int(d[i]-'0')
	}
	if sum%10 != 0 {
		return "", "must be a routing number with a valid check digit"
	}
	return d, ""
}

func usAccount(s string) (string, string) {
	d, ok := only(strings.TrimSpace(s), "-")
	if !ok || len(d) < 4 || len(d) > 17 {
		return "", "must be a bank account number of 4 to 17 digits"
	}
	return d, ""
}

func objectID(s string) (string, string) {
	id, ok := parseID(s)
	if !ok {
		return "", "must be a UUID"
	}
	return id.String(), ""
}
