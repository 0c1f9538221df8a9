package main

import (
	"net/url"
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

// newVersionHistory lists which versions the server has been.
func (a *app) newVersionHistory() *cobra.Command {
	return &cobra.Command{
		Use:     "version-history",
		Short:   "List the versions of the server",
		Example: "  jotgate version-history",
		Args:    cli.NArgs(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			const path = "sys/version-history"
			s, err := a.fetch(cmd, path, url.Values{"list": {"true"}})
			if err != nil {
				return failed(err, "Error listing %s", path)
			}
			if s == nil {
				return a.nothingListed(path)
			}
			if done, err := a.printData(s.data()); done {
				return err
			}
			keys, _ := keysOf(s)
			info, _ := s.data()["key_info"].(map[string]any)
			rows := make([][]string, len(keys))
			for i, k := range keys {
				about, _ := info[k].(map[string]any)
				rows[i] = []string{a.cell(k), a.cell(textOr(about["timestamp_installed"])), a.cell(textOr(about["build_date"]))}
			}
			a.env.PrintColumns([]string{"Version", "Installation Time", "Build Date"}, rows)
			return nil
		},
	}
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
