package main

import (
	"net/http"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

func (a *app) newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the server's and the client's version",
		Example: "  pvault version\n  pvault --authtoken @token.jwt version",
		Args:    cli.NArgs(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			got, err := a.do(cmd.Context(), call{method: http.MethodGet, path: "/system/info/version"})
			if err != nil {
				return err
			}
			info, err := cli.DecodeObject(got.body)
			if err != nil {
				return cli.Fail(err, "the server's answer is not the expected JSON")
			}
			info["cli_version"] = cli.Version()
			return a.print(info, []string{"vault_id", "vault_version", "cli_version", "db_schema_version"})
		},
	}
}

// newStatus asks both health endpoints, which need no credential.
func (a *app) newStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show whether the server serves",
		Long:    "Asks the server's data and control parts for their health. The exit status is 1\nwhen one of them does not pass.",
		Example: "  pvault status",
		Args:    cli.NArgs(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := map[string]any{}
			failed := false
			for name, path := range map[string]string{"data": "/data/info/health", "control": "/ctl/info/health"} {
				got, err := a.do(cmd.Context(), call{method: http.MethodGet, path: path, anonymous: true})
				if _, refused := errorOf(err); err != nil && !refused {
					return err
				}
				out[name] = "fail"
				if err == nil {
					if health, derr := cli.DecodeObject(got.body); derr == nil {
						out[name] = health["status"]
					}
				}
				failed = failed || out[name] != "pass"
			}
			if err := a.print(out, []string{"data", "control"}); err != nil {
				return err
			}
			if failed {
				return cli.Quiet(cli.StatusLocal)
			}
			return nil
		},
	}
}
