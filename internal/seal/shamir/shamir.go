// Package shamir splits a secret into shares of which a threshold is enough to
// get it back, and fewer say nothing about it (Shamir, "How to Share a Secret",
// 1979), byte by byte over GF(2⁸).
//
// A share is one y byte for each byte of the secret, then its x byte: the
// layout that Vault writes, so that its operators' habits and tools carry over.
//
// The package refuses to tell whether shares were the right ones: combining
// wrong shares gives a wrong secret, which its user has to notice.
package shamir

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
)

// Limits of a split.
const (
	MaxShares = 255 // x is one byte and never 0, where the secret lies
	MinShares = 2
)

// Errors that Combine returns.
var (
	ErrTooFew    = errors.New("shamir: at least two shares are needed")
	ErrLength    = errors.New("shamir: shares differ in length or are too short")
	ErrDuplicate = errors.New("shamir: the same share was given twice")
	ErrZero      = errors.New("shamir: a share has the number 0")
)

// Split returns shares of the secret, any threshold of which give it back.
// 2 ≤ threshold ≤ shares ≤ 255, and the secret is not empty.
func Split(secret []byte, shares, threshold int) ([][]byte, error) {
	switch {
	case len(secret) == 0:
		return nil, errors.New("shamir: empty secret")
	case threshold < MinShares || threshold > shares || shares > MaxShares:
		return nil, fmt.Errorf("shamir: cannot make %d shares with threshold %d", shares, threshold)
	}
	xs := numbers(shares)
	out := make([][]byte, shares)
	for i := range out {
		out[i] = make([]byte, len(secret)+1)
		out[i][len(secret)] = xs[i]
	}
	poly := make([]byte, threshold) // poly[0] is the secret, the rest is random
	defer clear(poly)
	for at, b := range secret {
		_, _ = rand.Read(poly[1:]) // never fails: it ends the process instead
		poly[0] = b
		for i := range out {
			out[i][at] = evaluate(poly, xs[i])
		}
	}
	return out, nil
}

// numbers returns n different x bytes in random order, none of them 0.
func numbers(n int) []byte {
	xs := make([]byte, MaxShares)
	for i := range xs {
		xs[i] = byte(i + 1)
	}
	for i := range n { // Fisher–Yates; x bytes are no secret
		j := i + pick(len(xs)-i)
		xs[i], xs[j] = xs[j], xs[i]
	}
	return xs[:n]
}

// pick returns a uniform number below n ≤ 256.
func pick(n int) int {
	var b [1]byte
	for {
		_, _ = rand.Read(b[:])
		if v := int(b[0]); v < 256-256%n {
			return v % n
		}
	}
}

// evaluate returns the polynomial's value at x (Horner).
func evaluate(poly []byte, x byte) byte {
	y := byte(0)
	for i := len(poly) - 1; i >= 0; i-- {
		y = multiply(y, x) ^ poly[i]
	}
	return y
}

// Combine returns the secret that the shares are of. With too few or foreign
// shares it returns some other bytes and no error.
func Combine(shares [][]byte) ([]byte, error) {
	if err := check(shares); err != nil {
		return nil, err
	}
	n := len(shares[0]) - 1
	secret := make([]byte, n)
	for i, share := range shares {
		// The Lagrange basis polynomial of this share at 0: ∏ xj / (xj - xi).
		basis := byte(1)
		for j, other := range shares {
			if i != j {
				basis = multiply(basis, divide(other[n], other[n]^share[n]))
			}
		}
		for at := range secret {
			secret[at] ^= multiply(share[at], basis)
		}
	}
	return secret, nil
}

func check(shares [][]byte) error {
	if len(shares) < MinShares {
		return ErrTooFew
	}
	var seen [256]bool
	n := len(shares[0])
	for _, s := range shares {
		if len(s) != n || n < 2 {
			return ErrLength
		}
		x := s[n-1]
		switch {
		case x == 0:
			return ErrZero
		case seen[x]:
			return ErrDuplicate
		}
		seen[x] = true
	}
	return nil
}

// multiply is the product in GF(2⁸) modulo x⁸+x⁴+x³+x+1. It neither branches
// on nor indexes by its operands, so its time says nothing about them.
func multiply(a, b byte) byte {
	var product byte
	for range 8 {
		product ^= a & -(b & 1)
		a = a<<1 ^ 0x1b&-(a>>7)
		b >>= 1
	}
	return product
}

// divide is a times the inverse of b, which is b²⁵⁴. b is not 0.
func divide(a, b byte) byte {
	inverse := b
	for range 6 {
		inverse = multiply(multiply(inverse, inverse), b)
	}
	return multiply(a, multiply(inverse, inverse))
}

// Equal reports in constant time whether two shares are the same.
func Equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
