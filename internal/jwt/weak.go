package jwt

import (
	"crypto/ed25519"
	"math/big"
	"slices"
)

// rocaPrimes are the small primes of the published fingerprint of
// CVE-2017-15361: a weak modulus is, modulo each of them, a power of 65537.
var rocaPrimes = []int64{
	3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73,
	79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
}

// hasROCA reports whether n has the structure of keys made by the broken
// library. A sound key passes for one with a chance below 2^-27.
func hasROCA(n *big.Int) bool {
	rest := new(big.Int)
	for _, p := range rocaPrimes {
		want := rest.Mod(n, big.NewInt(p)).Int64()
		power, found := int64(1), false
		for range p - 1 {
			found = found || power == want
			power = power * 65537 % p
		}
		if !found {
			return false
		}
	}
	return true
}

// The curve of Ed25519 (RFC 8032 section 5.1): -x² + y² = 1 + dx²y² over the
// field of 2^255-19 elements.
var (
	fieldP = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	curveD = func() *big.Int {
		d := new(big.Int).ModInverse(big.NewInt(121666), fieldP)
		d.Mul(d, big.NewInt(-121665))
		return d.Mod(d, fieldP)
	}()
)

// soundEdwardsPoint reports whether key is the canonical encoding of a point
// on the curve whose order is not 1, 2, 4 or 8. Under a key of small order
// anyone can make signatures that verify.
func soundEdwardsPoint(key ed25519.PublicKey) bool {
	if len(key) != ed25519.PublicKeySize {
		return false
	}
	b := slices.Clone(key)
	b[31] &= 0x7f // the sign of x
	slices.Reverse(b)
	y := new(big.Int).SetBytes(b)
	if y.Cmp(fieldP) >= 0 {
		return false
	}
	// x² = (y²-1) / (dy²+1); the denominator is never zero, as -1/d is not a square.
	y2 := mulP(y, y)
	x2 := mulP(new(big.Int).Sub(y2, big.NewInt(1)), new(big.Int).ModInverse(new(big.Int).Add(mulP(curveD, y2), big.NewInt(1)), fieldP))
	x := new(big.Int).ModSqrt(x2, fieldP)
	if x == nil {
		return false
	}
	// Three doublings take a point of small order to the neutral one (0, 1).
	for range 3 {
		x, y = double(x, y)
	}
	return x.Sign() != 0 || y.Cmp(big.NewInt(1)) != 0
}

// double returns the sum of a point with itself (RFC 8032 section 5.1.4, in
// affine coordinates).
func double(x, y *big.Int) (*big.Int, *big.Int) {
	one := big.NewInt(1)
	xy := mulP(x, y)
	t := mulP(curveD, mulP(xy, xy))
	x3 := mulP(new(big.Int).Lsh(xy, 1), new(big.Int).ModInverse(new(big.Int).Add(one, t), fieldP))
	y3 := mulP(new(big.Int).Add(mulP(y, y), mulP(x, x)), new(big.Int).ModInverse(new(big.Int).Mod(new(big.Int).Sub(one, t), fieldP), fieldP))
	return x3, y3
}

func mulP(a, b *big.Int) *big.Int {
	r := new(big.Int).Mul(a, b)
	return r.Mod(r, fieldP)
}
