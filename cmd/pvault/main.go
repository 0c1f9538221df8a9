// Command pvault is the client of the pvault door.
//
// It speaks the REST API below /api/pvlt/1.0 and works against any server with
// that API. "iam validate" compiles an IAM file with the server's own compiler
// and asks no server.
//
// It refuses to show the access token, and to send one by plain HTTP to another
// machine without saying so.
package main

import (
	"os"

	"github.com/jotgate/jotgate/internal/cli"
)

func main() {
	env := cli.System("pvault")
	os.Exit(cli.Run(env, newRoot(env), os.Args[1:]))
}
