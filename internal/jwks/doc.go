// Package jwks holds public keys and knows where they come from: the
// configuration itself, a JWKS URL, or an issuer's discovery document.
//
// A key set belongs to one issuer. There is no common pool of keys and no
// lookup by kid across issuers.
//
// Requests are answered from memory. A fetched set is fresh for five minutes,
// or for a shorter max-age that the endpoint sends; it is renewed in the
// background a little before that, serves for up to an hour when the endpoint
// fails, also over a restart if there is a Memory, and is forgotten then. An
// endpoint that hangs never delays a token whose key is known. A token whose kid
// is not in the set may wait for one bounded fetch, which all such tokens share,
// at most once in ten seconds.
//
// What it refuses: any scheme but https (plain http only to this machine, and
// only when that is allowed), redirects, link-local and metadata addresses and
// those of this machine, answers over 1 MiB once unpacked, more than 256 keys,
// a discovery document for another issuer. One unusable key in a set is
// skipped and counted, the rest work. What an endpoint answers never reaches a
// caller: errors name the step that failed and the status, and no body.
package jwks
