// Package mount is the table of what answers where: auth methods below auth/
// and secrets engines beside them.
//
// The table is persisted, validated and compiled into an immutable Table that
// is swapped whole, so that a request routes on the one table it started with,
// and every node follows changes that another node makes.
//
// It refuses paths that overlap an existing mount in either direction, paths
// that the server keeps for itself, unknown types, and settings that a type
// cannot have. It knows nothing of what the engines do.
package mount
