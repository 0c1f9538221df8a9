// Package quota keeps callers of the Vault door within the rates that the
// operator sets: so many requests per interval and client address on a path, a
// mount or everywhere.
//
// It is asked before anything of a request is parsed, so that a flood costs
// little (CVE-2025-12044). Rules are persisted and followed by every node;
// each node counts for itself. Memory is bounded: when too many addresses are
// counted, the ones that were quiet the longest are forgotten, and if there are
// none, newcomers share one count.
//
// It refuses rules whose numbers cannot mean anything, and it knows no roles:
// telling those apart would mean reading the body first.
package quota
