// Package votes is the pvault door's policy language: a role's capabilities say
// which operations of the API it may call, and its policies vote on each piece
// of data that an operation touches.
//
// # How a vote goes
//
// Each policy of the role that names the operation, the access reason and the
// resource votes "allow" or "deny"; the others abstain. The answer is yes if at
// least one votes allow and none votes deny. A piece of data is called
// "<collection>/<kind>/<name>", where kind is properties, types or tokens, or
// one of these after "archived/" (also spelled "deleted/"). A property has a name
// and a type, and a policy may speak of either, so the question about one reads
// "<collection>/properties/<property>/<TYPE>".
//
// # What it refuses
//
// An operation, reason, kind or capability that it does not know; a resource
// pattern with more than one "*" in a part; a policy without operations,
// reasons or resources. The zero Role may do nothing. Compiled values are
// immutable; nothing here reads a clock, a file or the network.
package votes
