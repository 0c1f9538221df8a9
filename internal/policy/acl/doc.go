// Package acl is the Vault door's policy language: path rules written in HCL or
// JSON, merged for one caller and compiled so that a request costs a few map
// lookups and no parsing.
//
// # Which rule decides
//
// A path in a rule is literal text, in which a segment that is just "+" stands
// for one whole segment, and a "*" as the very last character for any rest.
// Exactly one rule decides, after rules with equal path text have been merged
// over all policies of the caller: the rule with the request's literal path,
// else the best pattern, where a later first wildcard wins, then a pattern
// without the final "*", then fewer "+", then the longer text, then the
// lexicographically greater one. Nothing matching means no.
//
// # What it refuses
//
//   - A policy over 128 KiB, nested deeper than 32, with bad UTF-8, with a key
//     set twice, or with a key that would restrict a rule and that this server
//     does not enforce: a rule must never allow more than it says.
//   - Names that only look like "root" (any case, surrounding white space).
//   - A template value that could widen a path: with "*", "+", "/", "..", a
//     control character or nothing at all in it, the whole rule is dropped and
//     [ACL.Dropped] says why.
//   - A listing that a rule denies, whichever of "a/b" and "a/b/" the rule or the
//     request spells.
//
// Nothing here reads a clock, a file or the network, and the zero ACL denies.
package acl
