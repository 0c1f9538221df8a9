package main

import (
	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/cli/jwttool"
)

// app is one run of the program: its world and the client settings that the
// flags were parsed into.
type app struct {
	env *cli.Env
	set settings
}

// newRoot builds the whole command tree.
func newRoot(env *cli.Env) *cobra.Command {
	a := &app{env: env}
	root := &cobra.Command{
		Use:   "jotgate",
		Short: "A vault that you open with the JWT you already have",
		Long: `jotgate is a vault that you open with the JWT you already have.

"jotgate server" runs the server. Every other command is a client, and works
against any server with the same HTTP API. Flags may be written with one dash
or two: -format=json and --format=json are the same.`,
		Example: `  jotgate login -method=jwt role=demo
  jotgate write auth/jwt/login role=demo jwt=@token.jwt
  jotgate kv get secret/app
  jotgate jwt decode @token.jwt`,
	}
	a.set.addFlags(root.PersistentFlags())
	root.Version = cli.Version()
	root.SetVersionTemplate("jotgate {{.Version}}\n")

	_ = root.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"table", "json", "yaml", "pretty", "raw"}, cobra.ShellCompDirectiveNoFileComp))
	server := newServerCommand(env)
	server.SetUsageTemplate(cli.LocalUsage)
	root.AddCommand(
		server,
		a.newRead(), a.newWrite(), a.newList(), a.newScan(), a.newDelete(), a.newPatch(), a.newUnwrap(), a.newPathHelp(),
		a.newLogin(), a.newToken(), a.newPrint(),
		a.newAuth(), a.newSecrets(), a.newPolicy(), a.newAudit(), a.newLease(),
		a.newKV(), a.newStatus(), a.newOperator(),
		jwttool.New(env), a.newVersion(), a.newVersionHistory(),
	)
	root.AddCommand(newAbsent("jotgate", absent)...)
	return root
}

// group is a command that only holds others.
func group(use, short, example string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Example: example}
	c.AddCommand(subs...)
	return c
}
