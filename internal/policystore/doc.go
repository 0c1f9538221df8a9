// Package policystore keeps the Vault door's path policies: their texts in
// storage, their compiled rules in one immutable snapshot, and the merged rules
// of each set of policies that a caller holds.
//
// A merged set is compiled once and shared by every caller that holds it.
// Rules with templates are merged apart, per caller, and only for requests
// whose path such a rule could match; so the default policy, which has some,
// costs nothing on other paths.
//
// It refuses texts that do not parse, changes to "root" and
// "response-wrapping", and the deletion of "default". Unknown names grant
// nothing. "root" counts only among a token's own policies, never among those
// that identity adds (CVE-2025-5999).
package policystore
