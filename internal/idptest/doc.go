// Package idptest is a real identity provider inside a test: an HTTP server
// with a discovery document and a key set, keys that rotate, every way of
// failing that a key endpoint has, and a signer for tokens of any shape.
//
// It is for tests only and never part of a server.
package idptest
