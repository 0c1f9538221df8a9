// Package identity keeps who is behind the logins: entities, the aliases by
// which auth mounts know them, and groups with policies.
//
// An entity may be one of millions, so none is kept in memory; groups are few
// and are compiled into an immutable snapshot that is swapped as a whole. The
// policies that an entity has, its own and those of its groups and their
// parents, are worked out at each request and never stored on a token, so a
// change counts at once.
//
// Membership in external groups lives on the alias that brought it, not in the
// group, so a login touches only its own entity.
//
// The package refuses policies that read as root in any case or with blanks
// around them (CVE-2025-5999), cycles of groups, and to treat two alias names
// as one unless they are the same bytes: a subject that differs in case,
// normalisation or by an invisible character is somebody else.
package identity
