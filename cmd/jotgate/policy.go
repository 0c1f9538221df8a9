package main

import (
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/hashicorp/hcl/hcl/printer"
	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

func (a *app) newPolicy() *cobra.Command {
	return group("policy", "Write and read policies", "  jotgate policy write webapps webapps.hcl\n  jotgate policy read webapps",
		a.newPolicyWrite(), a.newPolicyRead(), a.newPolicyList(), a.newPolicyDelete(), a.newPolicyFmt())
}

// policyPath is the API path of a policy; names are lower case on the server.
func policyPath(name string) string {
	return "sys/policies/acl/" + strings.ToLower(strings.TrimSpace(name))
}

func (a *app) newPolicyWrite() *cobra.Command {
	return &cobra.Command{
		Use: "write [flags] NAME FILE", Short: "Store a policy from a file",
		Long:    "Stores a policy. FILE is a file name, or - for standard input.",
		Example: "  jotgate policy write webapps webapps.hcl\n  jotgate policy write webapps - < webapps.hcl",
		Args:    cli.NArgs(2, 2, "a name and a file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var text []byte
			var err error
			if args[1] == "-" {
				text, err = a.env.ReadStdin()
			} else {
				text, err = a.env.ReadFile(strings.TrimPrefix(args[1], "@"))
			}
			if err != nil {
				return err
			}
			name := strings.ToLower(strings.TrimSpace(args[0]))
			if err := a.do(cmd, http.MethodPut, policyPath(name), map[string]any{"policy": string(text)}); err != nil {
				return failed(err, "Error uploading policy")
			}
			return a.done("Success! Uploaded policy: %s", name)
		},
	}
}

func (a *app) newPolicyRead() *cobra.Command {
	return &cobra.Command{
		Use: "read [flags] NAME", Short: "Print a policy",
		Example: "  jotgate policy read webapps",
		Args:    cli.NArgs(1, 1, "a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.fetch(cmd, policyPath(args[0]), nil)
			if err != nil {
				return failed(err, "Error reading policy named %s", args[0])
			}
			text := s.text("policy")
			if text == "" {
				return cli.Serverf("No policy named: %s", args[0])
			}
			if a.set.field != "" {
				return a.printField(s, a.set.field)
			}
			if done, err := a.printData(map[string]any{"policy": text}); done {
				return err
			}
			a.env.Println(strings.TrimSpace(text))
			return nil
		},
	}
}

func (a *app) newPolicyList() *cobra.Command {
	return &cobra.Command{
		Use: "list [flags]", Short: "List policies",
		Example: "  jotgate policy list",
		Args:    cli.NArgs(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.fetch(cmd, "sys/policies/acl", url.Values{"list": {"true"}})
			if err != nil {
				return failed(err, "Error listing policies")
			}
			keys, _ := keysOf(s)
			if done, err := a.printData(keys); done {
				return err
			}
			for _, k := range keys {
				a.env.Println(a.cell(k))
			}
			return nil
		},
	}
}

func (a *app) newPolicyDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete [flags] NAME", Short: "Delete a policy",
		Example: "  jotgate policy delete webapps",
		Args:    cli.NArgs(1, 1, "a name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.do(cmd, http.MethodDelete, policyPath(args[0]), nil); err != nil {
				return failed(err, "Error deleting %s", args[0])
			}
			return a.done("Success! Deleted policy: %s", strings.ToLower(strings.TrimSpace(args[0])))
		},
	}
}

func (a *app) newPolicyFmt() *cobra.Command {
	cmd := &cobra.Command{
		Use: "fmt [flags] FILE", Short: "Format a policy file in place",
		Long:    "Formats a policy file in place. The server is not asked.",
		Example: "  jotgate policy fmt webapps.hcl",
		Args:    cli.NArgs(1, 1, "a file"),
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := a.env.ExpandHome(strings.TrimSpace(args[0]))
			if err != nil {
				return err
			}
			text, err := a.env.ReadFile(path)
			if err != nil {
				return err
			}
			formatted, err := printer.Format(text)
			if err != nil {
				return cli.Usagef("Error formatting policy %s: %v", path, err)
			}
			info, err := os.Stat(path)
			if err != nil {
				return cli.FileError("read", path, err)
			}
			if err := cli.Replace(path, formatted, info.Mode().Perm()); err != nil {
				return err
			}
			a.env.Printf("Success! Formatted policy: %s\n", path)
			return nil
		},
	}
	cmd.SetUsageTemplate(cli.LocalUsage)
	return cmd
}
