package acl

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jotgate/jotgate/internal/fault"
)

// Names of the policies that every server has.
const (
	RootName             = "root"
	DefaultName          = "default"
	ResponseWrappingName = "response-wrapping"
)

// maxName bounds a policy name, in bytes.
const maxName = 512

// NormalizeName returns the one spelling under which a policy is stored,
// attached and compared: lower case. It refuses, with kind Invalid, an empty
// name, one over 512 bytes, white space at either end, control characters, bad
// UTF-8, and every other spelling of "root" (CVE-2025-5999: a policy called
// " Root " on an entity must never become the root policy).
func NormalizeName(name string) (string, error) {
	switch {
	case name == "":
		return "", badName("policy name must not be empty")
	case len(name) > maxName:
		return "", badName("policy name is longer than 512 bytes")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "", badName("policy name must be printable UTF-8 text")
	case strings.TrimSpace(name) != name:
		return "", badName("policy name must not begin or end with white space")
	}
	lower := strings.ToLower(name)
	if lower == RootName && name != RootName {
		return "", badName(`"root" must be written in lower case`)
	}
	return lower, nil
}

func badName(text string) error {
	return fault.New(fault.Invalid, text).WithReason("policy_name")
}
