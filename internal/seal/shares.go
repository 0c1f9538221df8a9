package seal

import (
	"bytes"
	"fmt"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal/shamir"
)

// A share is no shorter and no longer than this, in bytes; it is judged before
// anything is kept of it.
const (
	minShareSize = 16
	maxShareSize = KeySize + 1
)

// Shares collects the shares of one operation that several people agree to.
// The zero value collects nothing yet; it is not safe for concurrent use.
type Shares struct{ list [][]byte }

// Add takes a share of the right size. One that is there already counts once.
func (s *Shares) Add(share []byte) error {
	if err := checkShareSize(share); err != nil {
		return err
	}
	if !hasShare(s.list, share) {
		s.list = append(s.list, bytes.Clone(share))
	}
	return nil
}

// Len returns how many different shares there are.
func (s *Shares) Len() int { return len(s.list) }

// List returns the shares themselves; Clear overwrites them.
func (s *Shares) List() [][]byte { return s.list }

// Clear overwrites the shares and forgets them.
func (s *Shares) Clear() {
	for _, one := range s.list {
		clear(one)
	}
	s.list = nil
}

func hasShare(list [][]byte, share []byte) bool {
	for _, s := range list {
		if shamir.Equal(s, share) {
			return true
		}
	}
	return false
}

func checkShareSize(share []byte) error {
	var text string
	switch {
	case len(share) < minShareSize:
		text = fmt.Sprintf("invalid key: key is shorter than minimum %d bytes", minShareSize)
	case len(share) > maxShareSize:
		text = fmt.Sprintf("invalid key: key is longer than maximum %d bytes", maxShareSize)
	default:
		return nil
	}
	return fault.New(fault.Invalid, text).WithReason("invalid_key")
}
