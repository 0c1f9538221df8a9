// Package seal keeps everything that jotgate stores unreadable without the
// root key.
//
// Three keys stand one above the other. The unseal key is what operators hold,
// as Shamir shares or as a key file; it opens the root key; the root key opens
// the keyring; and the keyring's newest data key seals each value with
// AES-256-GCM, bound to the key under which it is stored. So shares, root key
// and data keys can be replaced separately, and replacing one rewrites no
// value.
//
// What must not show in a key's name (token ids, searchable personal data) goes
// in as Keyring.HMAC, under a subkey for its purpose.
//
// The package refuses to write a value in clear, ever, and to answer while it
// is sealed. It hides sizes, access patterns and the names of keys from nobody
// who can read the medium, and cannot notice that the whole medium was replaced
// by an older copy of itself.
package seal

import "github.com/jotgate/jotgate/internal/fault"

// Errors that callers may learn of, to be compared with errors.Is.
var (
	// ErrSealed is returned by every transaction while the root key is not in
	// memory.
	ErrSealed error = fault.New(fault.Unavailable, "Vault is sealed").WithReason("sealed")
	// ErrInitialized is returned by Init on a store that has a root key.
	ErrInitialized error = fault.New(fault.Invalid, "Vault is already initialized").WithReason("already_initialized")
	// ErrNotInitialized is returned by Unseal on a store without a root key.
	ErrNotInitialized error = fault.New(fault.Invalid, "Vault is not initialized").WithReason("not_initialized")
	// ErrWrongKey is returned when shares or a key do not open the root key.
	// Nothing is lost: the right ones still do.
	ErrWrongKey error = fault.New(fault.Invalid, "unseal failed, invalid key").WithReason("invalid_key")
	// ErrReserved is returned by Put and Delete for a key that starts with a
	// zero byte: those are the seal's own.
	ErrReserved error = fault.New(fault.Internal, "seal: keys that start with a zero byte are reserved")
	// ErrOpen is returned for bytes that the keyring did not seal for this
	// place. A value that was altered, moved to another key, or sealed by
	// another installation ends here.
	ErrOpen error = fault.New(fault.Internal, "seal: value does not open: altered, moved or sealed by another keyring")
)
