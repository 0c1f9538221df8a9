package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"
)

// hashPrefix marks a hashed value, as in the reference.
const hashPrefix = "hmac-sha256:"

// hashedLen is the length of a hashed value in text.
const hashedLen = len(hashPrefix) + 2*sha256.Size

// memoSize is how many token hashes one hasher remembers: the token and the
// accessor of the request that it wrote last, which its response repeats.
const memoSize = 2

// hasher turns sensitive text into HMACs under one device's salt. It is not
// safe for concurrent use.
type hasher struct {
	mac  hash.Hash
	in   []byte
	sum  [sha256.Size]byte
	memo [memoSize]memo
}

type memo struct {
	text string
	out  [hashedLen]byte
}

func newHasher(salt []byte) *hasher {
	return &hasher{mac: hmac.New(sha256.New, salt), in: make([]byte, 0, 256)}
}

// append appends the hash of text to b.
func (h *hasher) append(b []byte, text string) []byte {
	// The copy keeps the text off the heap: what goes through an interface escapes.
	h.in = append(h.in[:0], text...)
	h.mac.Reset()
	_, _ = h.mac.Write(h.in) // never fails
	clear(h.in)
	if cap(h.in) > maxKept {
		h.in = nil
	}
	b = append(b, hashPrefix...)
	return hex.AppendEncode(b, h.mac.Sum(h.sum[:0]))
}

// appendToken is append for a value that the next entries are likely to repeat.
// slot says which of the remembered values it is compared with.
func (h *hasher) appendToken(b []byte, slot int, text Secret) []byte {
	m := &h.memo[slot]
	if m.text != string(text) {
		h.append(m.out[:0], string(text))
		m.text = string(text)
	}
	return append(b, m.out[:]...)
}

// salter hands out hashers for one salt.
type salter struct{ pool sync.Pool }

func newSalter(salt []byte) *salter {
	own := append([]byte(nil), salt...)
	return &salter{pool: sync.Pool{New: func() any { return newHasher(own) }}}
}

func (s *salter) get() *hasher  { return s.pool.Get().(*hasher) }
func (s *salter) put(h *hasher) { s.pool.Put(h) }

// hash returns the hash of one text.
func (s *salter) hash(text string) string {
	h := s.get()
	defer s.put(h)
	return string(h.append(make([]byte, 0, hashedLen), text))
}
