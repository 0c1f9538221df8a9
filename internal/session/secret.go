package session

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
)

// Prefixes of the tokens that this package makes.
const (
	servicePrefix = "hvs."
	batchPrefix   = "hvb."
)

const (
	accessorSize = 24 // base62 characters, 142 bits
	secretSize   = 32 // random bytes in a service token
	// MaxTokenSize bounds what is looked at as a token, in bytes.
	MaxTokenSize = 8 << 10
)

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

var secretLen = base64.RawURLEncoding.EncodedLen(secretSize)

// ServiceTokenSize is the length in bytes of every service token that is made
// here.
var ServiceTokenSize = len(servicePrefix) + accessorSize + secretLen

// newAccessor returns 24 random base62 characters without bias.
func newAccessor() string {
	out := make([]byte, 0, accessorSize)
	var b [2 * accessorSize]byte
	for {
		_, _ = rand.Read(b[:]) // never fails
		for _, c := range b {
			if c >= 4*62 {
				continue
			}
			if out = append(out, base62[c%62]); len(out) == accessorSize {
				return string(out)
			}
		}
	}
}

// newSecret returns a service token for an accessor: the accessor, by which
// the record is found, and 256 random bits, which prove possession. A token
// that is cut short in some log therefore shows its accessor and no secret.
func newSecret(accessor string) string {
	var b [secretSize]byte
	_, _ = rand.Read(b[:]) // never fails
	return servicePrefix + accessor + base64.RawURLEncoding.EncodeToString(b[:])
}

// splitSecret returns the accessor within a service token that newSecret made.
func splitSecret(token string) (accessor string, ok bool) {
	rest, ok := strings.CutPrefix(token, servicePrefix)
	if !ok || len(rest) != accessorSize+secretLen {
		return "", false
	}
	return rest[:accessorSize], isAccessor(rest[:accessorSize])
}

func isAccessor(s string) bool {
	if len(s) != accessorSize {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// idOf returns the storage name that belongs to an accessor.
func (s *Store) idOf(accessor string) (id ID) {
	copy(id[:], s.keys.HMAC("token-id", []byte(accessor)))
	return id
}

// macOf returns what is stored to compare a presented token with.
func (s *Store) macOf(token string) (m [32]byte) {
	copy(m[:], s.keys.HMAC("token", []byte(token)))
	return m
}

func sameMAC(a, b [32]byte) bool { return subtle.ConstantTimeCompare(a[:], b[:]) == 1 }

// checkCustomID refuses a chosen token text that could be taken for one of
// ours.
func checkCustomID(id string) error {
	switch {
	case len(id) > 256:
		return fault.New(fault.Invalid, "custom token ID is longer than 256 bytes")
	case strings.HasPrefix(id, servicePrefix), strings.HasPrefix(id, batchPrefix):
		return fault.Newf(fault.Invalid, "custom token ID cannot have the '%s' prefix", id[:4])
	case strings.HasPrefix(id, "s."), strings.HasPrefix(id, "b."):
		return fault.Newf(fault.Invalid, "custom token ID cannot have the '%s' prefix", id[:2])
	case strings.Contains(id, "."):
		return fault.New(fault.Invalid, "custom token ID cannot have a '.' in the value")
	case strings.ContainsFunc(id, func(r rune) bool { return r < 0x21 || r > 0x7e }):
		return fault.New(fault.Invalid, "custom token ID must be printable ASCII without blanks")
	}
	return nil
}
