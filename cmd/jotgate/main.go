// Command jotgate is the server and its Vault-style client.
//
// The client half speaks HTTP only and works against any server with the same
// API. Flags may be written with one dash or two; settings come from flags,
// then JOTGATE_*, then VAULT_*, then BAO_* variables.
//
// It refuses to show a JWT or a token that it was not asked to print, and never
// writes a private key over an existing file.
package main

import (
	"os"

	"github.com/jotgate/jotgate/internal/cli"
)

func main() {
	env := cli.System("jotgate")
	env.Dash = "-"
	root := newRoot(env)
	os.Exit(cli.Run(env, root, cli.NormalizeFlags(root, os.Args[1:])))
}
