// Package bearer turns a JWT that came with a request into its caller: the
// issuer and the audience choose one identity provider of the IAM
// configuration, its keys prove the token, its rule decides who it may become.
// Nothing is stored; a token is judged on every request, and what was found is
// remembered for as long as it stays true.
//
// # What it refuses
//
// A token whose issuer and audiences fit no identity provider, or more than
// one, is refused before any key is fetched and any signature is computed. A
// refusal carries a stable reason and never says what other providers are
// configured.
//
// # The cache
//
//	key      SHA-256 of the whole token (the only spelling that verifies)
//	valid    for the very configuration and generation of keys that it was
//	         verified under, from that instant until the token ends
//	size     bounded; a full shard drops entries that are over, then any
//
// A refusal is never remembered.
package bearer
