// Package server puts the parts together: it opens the store, seals or unseals
// it, builds both doors on one gate and listens. It is the only package that
// knows all the others.
//
// It refuses to start on anything half right: a store that another process
// holds, a key of another store, an IAM file with a mistake, an address in use
// and an audit device that cannot be written each end the start with one line
// that says what to do. Once it runs, a bad reload keeps what was there.
package server
