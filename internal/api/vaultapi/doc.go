// Package vaultapi is the Vault door: everything below /v1/.
//
// An endpoint is one [Row]: verbs, pattern, who may come, limits, parameters
// and handler. Rows belong to a backend, and a backend to a mount type, so that
// the same rows serve every mount of that type. A request is parsed here, goes
// through the gate once, and comes back as one envelope or one error list.
//
// The door refuses what could be read in two ways: relative, empty or
// undecodable path segments, JSON with duplicate names, deep or huge bodies,
// writes to a path that ends in a slash. A caller without a token never makes
// it read a body beyond a login's size, and no request text reaches a log or
// an error.
package vaultapi
