package objects

import (
	"crypto/rand"
	"encoding/hex"
)

// id is a UUID in binary.
type id [16]byte

// newID returns a random UUID (RFC 9562, version 4).
func newID() id {
	var b id
	_, _ = rand.Read(b[:]) // never fails: crypto/rand stops the program instead
	return b.asV4()
}

func (b id) asV4() id {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return b
}

// parseID reads the 36-character form, upper or lower case.
func parseID(s string) (id, bool) {
	var b id
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return b, false
	}
	var digits [32]byte
	n := 0
	for i := range len(s) {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			continue
		}
		digits[n] = s[i]
		n++
	}
	_, err := hex.Decode(b[:], digits[:])
	return b, err == nil
}

// String returns the 36-character form in lower case.
func (b id) String() string {
	return string(b.append(make([]byte, 0, 36)))
}

func (b id) append(dst []byte) []byte {
	dst = hex.AppendEncode(dst, b[0:4])
	dst = hex.AppendEncode(append(dst, '-'), b[4:6])
	dst = hex.AppendEncode(append(dst, '-'), b[6:8])
	dst = hex.AppendEncode(append(dst, '-'), b[8:10])
	return hex.AppendEncode(append(dst, '-'), b[10:16])
}
