package session

import (
	"encoding/base64"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
)

const batchPurpose = "batch-token"

// maxBatchSize bounds a batch token's text, so that every HTTP client and
// server takes it as a header.
const maxBatchSize = 6 << 10

// seal returns the batch token that carries t.
func (s *Store) seal(t *Token) (string, error) {
	b := s.keys.Seal(batchPurpose, nil, t.encode())
	text := batchPrefix + base64.RawURLEncoding.EncodeToString(b)
	if len(text) > maxBatchSize {
		return "", fault.Newf(fault.Invalid, "batch token would be %d bytes long, more than %d: use fewer policies or less metadata, or a service token",
			len(text), maxBatchSize)
	}
	return text, nil
}

// openBatch returns what a batch token carries, or errAbsent. Its time and its
// parents are for the caller to judge.
func (s *Store) openBatch(token string) (Token, error) {
	text := strings.TrimPrefix(token, batchPrefix)
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(token) > maxBatchSize || strings.ContainsAny(text, "\r\n") {
		return Token{}, errAbsent
	}
	b, err = s.keys.Open(batchPurpose, nil, b)
	if err != nil {
		return Token{}, errAbsent
	}
	t, err := decodeToken(ID{}, b)
	if err != nil || t.Type != Batch || t.Expires.IsZero() {
		return Token{}, errAbsent
	}
	return t, nil
}
