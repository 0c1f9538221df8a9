// Package config reads the server's own settings: where it listens, where it
// keeps its data, how it gets its root key, where it records requests.
//
// It refuses a file with anything wrong in it, and says everything that is
// wrong at once, each with its line and what to do. Settings that it does not
// know are errors. What is not written down is secure: TLS is needed beyond
// the loopback interface, and an audit device is needed, unless the file says
// otherwise in so many words.
package config
