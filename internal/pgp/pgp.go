// Package pgp encrypts what must leave the server for one holder only, such as
// a share of the unseal key, to that holder's OpenPGP key.
//
// A key is judged before anything is made that would have to be encrypted to
// it: one that is expired, revoked, too weak, private, or not alone is refused
// when it is read. The package decrypts nothing.
package pgp

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/jotgate/jotgate/internal/fault"
)

const (
	// MaxKey bounds a key, in bytes before base64. Keys with many signatures
	// on them are larger than they need to be; "export-minimal" cuts them.
	MaxKey = 64 << 10

	minRSABits = 2048
)

// Key is a public key that can be encrypted to. The zero Key encrypts nothing.
type Key struct {
	entity *openpgp.Entity
	config *packet.Config
}

func invalid(format string, args ...any) error {
	return fault.New(fault.Invalid, "error parsing given PGP key: "+fmt.Sprintf(format, args...))
}

// Parse reads one public key: the base64 of its binary form, as the API takes
// it. now says when it must be valid. Errors are Invalid.
func Parse(text string, now func() time.Time) (Key, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return Key{}, invalid("it is not the base64 of a binary key")
	}
	e, err := read(raw)
	if err != nil {
		return Key{}, err
	}
	k := Key{entity: e, config: &packet.Config{Time: now, DefaultCipher: packet.CipherAES256, Rand: rand.Reader}}
	part, ok := e.EncryptionKey(now())
	if !ok {
		return Key{}, invalid("it cannot be encrypted to: it has no part for that, or is expired or revoked")
	}
	if !strong(part.PublicKey) {
		return Key{}, invalid("its kind is not supported, or it is too weak: RSA from %d bits on, or an elliptic curve", minRSABits)
	}
	// What fails must fail before there is anything to encrypt.
	if _, err := k.Encrypt(nil); err != nil {
		return Key{}, invalid("it cannot be encrypted to")
	}
	return k, nil
}

// ParseAll reads keys in order.
func ParseAll(texts []string, now func() time.Time) ([]Key, error) {
	keys := make([]Key, 0, len(texts))
	for _, t := range texts {
		k, err := Parse(t, now)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// read reads the one public key in raw.
func read(raw []byte) (e *openpgp.Entity, err error) {
	if len(raw) > MaxKey {
		return nil, invalid("it is larger than %d bytes: export it with its own signatures only", MaxKey)
	}
	defer func() {
		if recover() != nil { // a parser of foreign data must not end a request
			e, err = nil, invalid("it is no OpenPGP key")
		}
	}()
	packets := packet.NewReader(bytes.NewReader(raw))
	if e, err = openpgp.ReadEntity(packets); err != nil {
		return nil, invalid("it is no OpenPGP key")
	}
	if private(e) {
		return nil, invalid("it is a private key: give the public one, and take the private one out of wherever it was copied to")
	}
	if _, err := packets.Next(); !errors.Is(err, io.EOF) {
		return nil, invalid("something follows the key: give one key")
	}
	return e, nil
}

// strong reports whether a part of a key is of a kind that holds.
func strong(k *packet.PublicKey) bool {
	switch k.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSAEncryptOnly:
		bits, err := k.BitLength()
		return err == nil && bits >= minRSABits
	case packet.PubKeyAlgoECDH, packet.PubKeyAlgoX25519, packet.PubKeyAlgoX448:
		return true
	}
	return false
}

func private(e *openpgp.Entity) bool {
	if e.PrivateKey != nil {
		return true
	}
	for _, s := range e.Subkeys {
		if s.PrivateKey != nil {
			return true
		}
	}
	return false
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.entity == nil }

// Fingerprints returns the fingerprints of keys in order; nil for none.
func Fingerprints(keys []Key) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.Fingerprint())
	}
	return out
}

// Fingerprint returns the fingerprint of the primary key in hex.
func (k Key) Fingerprint() string { return hex.EncodeToString(k.entity.PrimaryKey.Fingerprint) }

// Encrypt returns an OpenPGP message, in binary form, that only the holder of
// the key can read.
func (k Key) Encrypt(plain []byte) ([]byte, error) {
	if k.entity == nil {
		return nil, errors.New("pgp: the zero key encrypts nothing")
	}
	var out bytes.Buffer
	w, err := openpgp.Encrypt(&out, []*openpgp.Entity{k.entity}, nil, &openpgp.FileHints{IsBinary: true}, k.config)
	if err != nil {
		return nil, fmt.Errorf("pgp: %w", err)
	}
	if _, err = w.Write(plain); err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("pgp: %w", err)
	}
	return out.Bytes(), nil
}

// FromFile returns the key in a file as the API takes it: armored, binary and
// base64 files are read.
func FromFile(content []byte) (string, error) {
	if list, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(content)); err == nil {
		if len(list) != 1 {
			return "", invalid("the file holds %d keys: it must hold one", len(list))
		}
		if private(list[0]) {
			return "", invalid("the file holds a private key: give the public one")
		}
		var out bytes.Buffer
		if err := list[0].Serialize(&out); err != nil {
			return "", invalid("it is no OpenPGP key")
		}
		content = out.Bytes()
	} else if raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(content))); err == nil {
		content = raw
	}
	if _, err := read(content); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(content), nil
}
