package authjwt

import (
	"time"

	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/tokencache"
)

// Bounds on the memory of proved tokens: about 60 MiB at worst, 16 MiB with
// tokens of the usual size.
const (
	maxProofs     = 8192
	maxProofBytes = 4 << 10         // of a token's text
	maxProofTime  = time.Minute * 5 // pipelines that use a token again do so soon
)

// proof is a token whose signature was found good under the keys of a source.
// It says nothing about roles: each login is judged anew.
type proof struct {
	verified *jwt.Verified
	source   *source
}

// Generation grows whenever the keys of the source change.
func (s *source) Generation() uint64 {
	if s.keys != nil {
		return s.keys.Generation()
	}
	var n uint64
	for _, p := range s.pairs {
		n += p.Generation() // each only grows, and so does the sum
	}
	return n
}

// recall returns the token if the source's present keys have proved it, else
// nil. Only the one spelling of a token is recalled.
func (m *Method) recall(s *source, sum [32]byte, now time.Time) *jwt.Verified {
	if p, ok := m.proved.Get(sum, now); ok && p.source == s {
		return p.verified
	}
	return nil
}

// remember keeps a proved token from the second time on: most tokens come once.
func (m *Method) remember(s *source, v *jwt.Verified, generation uint64, now time.Time) {
	tok := v.Token()
	if tok.Len() > maxProofBytes {
		return
	}
	sum := tok.Hash()
	if !m.proved.Met(sum) {
		return
	}
	until := now.Add(maxProofTime)
	if exp, has := tok.Unverified().ExpiresAt().Time(); has && exp.Before(until) {
		until = exp
	}
	m.proved.Put(sum, tokencache.Entry[proof]{
		Value: proof{v, s}, Keys: s, Generation: generation, Since: now, Until: until,
	}, now)
}
