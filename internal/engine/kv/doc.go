// Package kv keeps secrets under paths: version 1 keeps the last value only,
// version 2 keeps a history with soft delete, check-and-set and metadata.
//
// Values are JSON objects that the package stores as the text it was given: it
// never decodes a value to read it, so numbers keep every digit and a read
// costs one look-up. It refuses to do anything without a Pass of the gate for
// exactly this operation on exactly this path. Exists alone takes none: the
// gate itself asks it, to tell create from update, and it answers one bit.
//
// Both versions use one form on disk, so that a version 1 mount becomes a
// version 2 mount by saying so: each of its secrets is then version 1 of
// itself.
package kv
