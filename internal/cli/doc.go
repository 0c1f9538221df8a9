// Package cli is what the two command-line clients share: the terminal they
// talk to, flags in the field's single-dash spelling, settings from the
// environment, values from arguments and files, tables, JSON and YAML, an HTTP
// client with limits, and the exit status.
//
// It knows no door and no command. It refuses to print a secret that it was
// not asked to print: error texts name the source of a value (a flag, a file,
// a variable), never the value.
package cli
