package main

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

func (a *app) newAudit() *cobra.Command {
	return group("audit", "Enable and list audit devices", "  jotgate audit enable file file_path=/var/log/jotgate/audit.log\n  jotgate audit list",
		a.newAuditEnable(), a.newAuditDisable(), a.newAuditList())
}

func (a *app) newAuditEnable() *cobra.Command {
	var path, description string
	var local bool
	cmd := &cobra.Command{
		Use: "enable [flags] TYPE [KEY=VALUE...]", Short: "Enable an audit device",
		Example: "  jotgate audit enable file file_path=/var/log/jotgate/audit.log\n  jotgate audit enable -path=second file file_path=stdout",
		Args:    cli.NArgs(1, -1, "a type"),
		RunE: func(cmd *cobra.Command, args []string) error {
			options, err := a.env.Data(args[1:])
			if err != nil {
				return err
			}
			at := cleanPath(path)
			if at == "" {
				at = args[0]
			}
			body := map[string]any{"type": args[0], "description": description, "options": options, "local": local}
			if err := a.do(cmd, http.MethodPut, "sys/audit/"+at, body); err != nil {
				return failed(err, "Error enabling audit device")
			}
			return a.done("Success! Enabled the %s audit device at: %s/", args[0], at)
		},
	}
	cmd.Flags().StringVar(&path, "path", "", "name of the device (default: its type)")
	cmd.Flags().StringVar(&description, "description", "", "what it is for")
	cmd.Flags().BoolVar(&local, "local", false, "do not replicate the device")
	return cmd
}

func (a *app) newAuditDisable() *cobra.Command {
	return &cobra.Command{
		Use: "disable [flags] PATH", Short: "Disable an audit device",
		Example: "  jotgate audit disable file",
		Args:    cli.NArgs(1, 1, "a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := cleanPath(args[0])
			if err := a.do(cmd, http.MethodDelete, "sys/audit/"+path, nil); err != nil {
				return failed(err, "Error disabling audit device")
			}
			return a.done("Success! Disabled audit device (if it was enabled) at: %s/", path)
		},
	}
}

func (a *app) newAuditList() *cobra.Command {
	var detailed bool
	cmd := &cobra.Command{
		Use: "list [flags]", Short: "List audit devices",
		Example: "  jotgate audit list -detailed",
		Args:    cli.NArgs(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.fetch(cmd, "sys/audit", nil)
			if err != nil {
				return failed(err, "Error listing audits")
			}
			devices := s.data()
			if done, err := a.printData(devices); done {
				return err
			}
			if len(devices) == 0 {
				return cli.Serverf("No audit devices are enabled.")
			}
			a.printDevices(devices, detailed)
			return nil
		},
	}
	cmd.Flags().BoolVar(&detailed, "detailed", false, "show every setting")
	return cmd
}

func (a *app) printDevices(devices map[string]any, detailed bool) {
	header := []string{"Path", "Type", "Description"}
	if detailed {
		header = append(header, "Replication", "Options")
	}
	var rows [][]string
	for _, path := range sortedKeys(devices) {
		d, _ := devices[path].(map[string]any)
		row := []string{path, textOr(d["type"]), textOr(d["description"])}
		if detailed {
			local, _ := d["local"].(bool)
			row = append(row, replication(local), pairsText(d["options"]))
		}
		rows = append(rows, row)
	}
	a.env.PrintColumns(header, rows)
}

// pairsText is a map as a table of devices shows it: "a=1 b=2".
func pairsText(v any) string {
	m, _ := v.(map[string]any)
	var out []string
	for _, k := range sortedKeys(m) {
		out = append(out, k+"="+valueText(m[k]))
	}
	return strings.Join(out, " ")
}
