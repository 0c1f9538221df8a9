package authjwt

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"

	"github.com/jotgate/jotgate/internal/trust"
)

// boundedFuncs are the functions of templates: those of the library that make
// texts, for short ones, as with the library's own a template that doubles a
// text some dozen times would fill the memory; and those that OpenBao adds, as
// far as they come to the same at every login. A policy whose name depends on
// chance or the clock is nobody's.
var boundedFuncs = template.FuncMap{
	"print":    short(fmt.Sprint),
	"println":  short(fmt.Sprintln),
	"html":     short(template.HTMLEscaper),
	"js":       short(template.JSEscaper),
	"urlquery": short(template.URLQueryEscaper),
	"printf":   shortFormat,

	"lowercase":       shortText(strings.ToLower),
	"uppercase":       shortText(strings.ToUpper),
	"sha256":          shortText(hexSum),
	"base64":          shortText(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }),
	"hex":             shortText(func(s string) string { return hex.EncodeToString([]byte(s)) }),
	"decode_base64":   decoder(base64.StdEncoding.DecodeString),
	"decode_hex":      decoder(hex.DecodeString),
	"replace":         shortReplace,
	"truncate":        truncate,
	"truncate_sha256": truncateSum,
	"glob":            shortGlob,
}

func short(make func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		if size(args) > maxMade {
			return "", errLong
		}
		return make(args...), nil
	}
}

// size is what the values come to as one text, counted no further than needed.
func size(args []any) (n int) {
	for _, a := range args {
		if s, ok := a.(string); ok {
			n += len(s)
		} else {
			n += len(fmt.Sprint(a))
		}
		if n > maxMade {
			break
		}
	}
	return n
}

// wideFormat finds the widths and precisions that make long texts of short
// ones: those of three digits and more, and those that the arguments give.
var wideFormat = regexp.MustCompile(`%[-+# 0-9.\[\]]*(\d{3}|[*\[])`)

func shortFormat(format string, args ...any) (string, error) {
	if wideFormat.MatchString(format) || size(append([]any{format}, args...)) > maxMade {
		return "", errLong
	}
	return fmt.Sprintf(format, args...), nil
}

func shortText(make func(string) string) func(string) (string, error) {
	return func(s string) (string, error) {
		if len(s) > maxMade {
			return "", errLong
		}
		return make(s), nil
	}
}

var errUndecodable = errors.New("a claim of a policy's name is not in the encoding that the template names")

// decoder leaves out the library's error, which shows a part of the claim.
func decoder(decode func(string) ([]byte, error)) func(string) (string, error) {
	return func(s string) (string, error) {
		if len(s) > maxMade {
			return "", errLong
		}
		b, err := decode(s)
		if err != nil {
			return "", errUndecodable
		}
		return string(b), nil
	}
}

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func shortReplace(find, by, s string) (string, error) {
	if len(s) > maxMade || len(s)+strings.Count(s, find)*len(by) > maxMade {
		return "", errLong
	}
	return strings.ReplaceAll(s, find, by), nil
}

var errTooShort = errors.New("a template cuts a name to less than it can")

func truncate(most int, s string) (string, error) {
	if most <= 0 {
		return "", errTooShort
	}
	return s[:min(most, len(s))], nil
}

// sumLength is what truncate_sha256 keeps of the sum of what it cuts off.
const sumLength = 8

func truncateSum(most int, s string) (string, error) {
	switch {
	case most <= sumLength:
		return "", errTooShort
	case len(s) <= most:
		return s, nil
	case len(s) > maxMade:
		return "", errLong
	}
	cut := most - sumLength
	return s[:cut] + hexSum(s[cut:])[:sumLength], nil
}

func shortGlob(pattern, s string) (bool, error) {
	if len(pattern)+len(s) > maxMade {
		return false, errLong
	}
	return trust.Glob(pattern, s), nil
}
