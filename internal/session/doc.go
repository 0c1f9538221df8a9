// Package session keeps the client tokens that the Vault door hands out, and
// their leases.
//
// A service token is one stored record and one lease; both carry the token's
// end as the storage's expiry, so a token that is over reads as absent at once
// and a restart has nothing to scan. A batch token is a sealed blob that the
// client carries; issuing it writes nothing. No token is kept in memory.
//
// A child names its parent. A token is usable only while its whole chain of
// parents is, so revoking or expiring a parent ends its children in the same
// instant without looking for them.
//
// The package refuses to store a token in clear: records are found by an HMAC
// of the accessor and hold an HMAC of the token to compare with. It refuses to
// decide what a token may do: it only says whose token it is.
package session
