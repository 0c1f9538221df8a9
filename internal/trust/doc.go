// Package trust decides which genuine token may become which principal.
//
// An operator's words (a Spec: the fields of a role of the Vault door's JWT
// method, or an [idps] table of the IAM file) are compiled into an immutable
// Rule. A Rule takes a verified token and an instant and returns a Grant and a
// Decision that lists every check with its result. It is a pure function: no
// clock, no network, no state, so that the server, the validate commands and
// explain cannot disagree.
//
// There are two styles of reading a token, one per door. Login follows the
// table of the Vault-compatible JWT method, including its derived times;
// Bearer follows the pvault-compatible [idps] tables. Where the references are
// lax or surprising this package is strict; docs/divergences.md lists where.
//
// What it refuses: everything, unless each check passes. The zero Spec does
// not compile, the zero Rule admits nothing, and a refusal comes with a zero
// Grant. Numbers compare by exact value and never by a truncated one. A token
// can narrow what its principal may touch, never widen it, and can never
// become the built-in administrator.
package trust
