package main

import (
	"runtime"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

func (a *app) newVersion() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the client's version",
		Example: "  jotgate version",
		Args:    cli.NArgs(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			a.env.Printf("jotgate %s (%s, %s/%s)\n", cli.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
	cmd.SetUsageTemplate(cli.LocalUsage)
	return cmd
}

// newPrint prints the caller's own token, for scripts.
func (a *app) newPrint() *cobra.Command {
	token := &cobra.Command{
		Use:     "token",
		Short:   "Print the token that requests would carry",
		Example: `  curl -H "X-Vault-Token: $(jotgate print token)" http://127.0.0.1:8200/v1/secret/data/app`,
		Args:    cli.NArgs(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			t, err := a.token()
			if err != nil {
				return err
			}
			a.env.Println(t)
			return nil
		},
	}
	return group("print", "Print what the client would use", "  jotgate print token", token)
}
