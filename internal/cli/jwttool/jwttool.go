package jwttool

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

// tool is one run of the commands: the world and the clock.
type tool struct {
	env *cli.Env
	now func() time.Time
}

// New returns the command tree "jwt".
func New(env *cli.Env) *cobra.Command { return newTree(&tool{env: env, now: time.Now}) }

func newTree(t *tool) *cobra.Command {
	root := &cobra.Command{
		Use:   "jwt",
		Short: "Make, read and verify keys and JWTs, offline",
		Long: `Makes, reads and verifies keys and JWTs. Nothing leaves this machine: no key and
no token needs to be pasted into a web site.`,
		Example: `  jotgate jwt keygen -out=pvault_jwt -kid=abc
  jotgate jwt sign -key=pvault_jwt_private_key.pem -kid=abc @claims.json
  jotgate jwt decode @token.jwt
  jotgate jwt verify -key=pvault_jwt_public_key.pem -iss=https://jwt.io/ -aud=vault1 @token.jwt`,
	}
	root.AddCommand(t.newKeygen(), t.newJWK(), t.newSign(), t.newDecode(), t.newVerify())
	root.SetUsageTemplate(cli.LocalUsage)
	return root
}

// readToken returns the token that an argument names: text, @file or -. A
// "Bearer " before it and white space around it are taken off, because people
// copy them along.
func (t *tool) readToken(arg string) (string, error) {
	text, err := t.env.Indirect(arg)
	if err != nil {
		return "", err
	}
	return trimBearer(text), nil
}
