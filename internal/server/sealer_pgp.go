package server

import (
	"encoding/base64"
	"encoding/hex"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/pgp"
)

// errNoShares is the answer of a node that unseals itself.
var errNoShares = fault.New(fault.Invalid, "PGP keys not supported when storing shares: this node unseals itself, and hands out no shares").WithReason("unseals_itself")

// encryptShares returns each share's text, in hex, encrypted to the key at its
// place. The keys were tried when they were read, so it fails only where
// nothing works any more.
func encryptShares(shares [][]byte, keys []pgp.Key) ([][]byte, error) {
	out := make([][]byte, len(shares))
	for i, share := range shares {
		text := []byte(hex.EncodeToString(share))
		var err error
		out[i], err = keys[i].Encrypt(text)
		clear(text)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// encryptToken returns a token encrypted to a key, in base64.
func encryptToken(token string, key pgp.Key) (string, error) {
	msg, err := key.Encrypt([]byte(token))
	return base64.StdEncoding.EncodeToString(msg), err
}
