// Package iam turns the IAM file, one TOML text with the tables users, roles,
// policies and idps, into an immutable Snapshot, and keeps the one that is in
// force together with the users' API keys.
//
// Compile is the only reader of the file: the server, `iam apply` and offline
// validation call it and so cannot disagree. It reports every problem at once,
// each with file, line, what is wrong and what to do. A Store swaps a whole
// Snapshot with one atomic pointer, on every node; a text that does not compile
// never replaces one that did.
//
// # What it refuses
//
//   - Unknown keys, names that break the rules or differ only in case,
//     references to what is not defined, and whatever is called Admin: the
//     built-in user and role are not in the file.
//   - Two enabled identity providers with the same issuer and audience: which
//     one a token belongs to must never be a matter of luck.
//   - An identity provider with no key source or with several.
//   - The administrator's well-known development key outside development mode.
//
// API keys are kept only as HMACs under the seal's keyring. The files of the
// reference work as they are; keys that only jotgate knows are discovery_url,
// ca_pem, algorithms, clock_skew and max_token_age, several audiences, and PEM
// blocks as keys.
package iam
