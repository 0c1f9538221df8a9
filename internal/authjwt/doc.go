// Package authjwt is the JWT auth method of the Vault door: its configuration
// (whose keys count), its roles (who may become what), and the login that
// exchanges a JWT for a client token.
//
// Configuration and roles compile to a key source and to one trust rule per
// role. Compiled values are immutable and dropped when their stored text
// changes, by this node or another, so that a login works on one state.
//
// It refuses a login before any signature or fetch when the token can never
// pass, and it commits token, lease, alias and memberships in one transaction
// or not at all. Texts of refusals are the reference's; every check that was
// made travels with the error to the audit log, and no part of a token does.
package authjwt
