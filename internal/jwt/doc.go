// Package jwt parses and verifies one JSON Web Token, strictly.
//
// Verifying tokens is what this project exists for, so the layer between the
// text of a token and the mathematics is ours: splitting, base64url, JSON, the
// header, the choice of the key and the claims. The mathematics is the
// standard library's.
//
// The road is Parse → Verify, and there is no other: a Token's claims are
// reachable only under a name that says Unverified, and a Verified, which the
// rest of the program asks for, comes only out of Verify.
//
// What it refuses:
//
//   - every spelling but one: compact serialization, three non-empty segments,
//     base64url without padding, white space or unused bits (RFC 7515 section 2,
//     7.1). One token has one text, so that its hash is fit for caches, replay
//     memory and audit.
//   - unclear JSON: duplicate names at any depth, invalid UTF-8, unpaired
//     surrogates, trailing data, depth beyond the limit (RFC 8725 section 2.4).
//   - names that case-fold onto a registered name, such as "SUB" or "ſub":
//     another decoder would read them as the registered one.
//   - crit, b64, zip, enc, nested tokens, and tokens typed for another purpose
//     (RFC 8725 section 3.11).
//   - an algorithm that the key and the allow-list do not both name. "none" is
//     not an algorithm. HS256, HS384 and HS512 need a symmetric key that was
//     loaded as such and an allow-list that spells them out.
//   - keys that cannot carry a signature: RSA under 2048 or over 8192 bits or
//     with an exponent below 65537, keys with the ROCA weakness, points off
//     their curve or of small order, keys marked for another use.
//   - PSS signatures whose salt is not as long as the hash (RFC 7518
//     section 3.5) and ECDSA signatures not exactly two coordinates long.
//
// The package does no I/O, reads no clock and keeps no state. No type of
// another JOSE library crosses its border. Numbers keep their text and compare
// exactly.
package jwt
