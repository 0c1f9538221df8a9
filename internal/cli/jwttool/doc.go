// Package jwttool is the command tree "jotgate jwt": what guides make people
// do with their keys and tokens on web sites, done offline.
//
// It talks to no server. Private keys are written to new files that only their
// owner can read, and are never printed. "decode" shows what a token says and
// that nothing was checked; only "verify" says whether it holds.
package jwttool
