package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jotgate/jotgate/internal/cli"
)

// app is one run of the program.
type app struct {
	env *cli.Env
	set settings
}

// settings are the global flags.
type settings struct {
	addr, token, reason, adhocReason, customAudit, tenants, caCert, logLevel string
	json, compact, insecure, verbose, noColor, explain                       bool
}

func newRoot(env *cli.Env) *cobra.Command {
	a := &app{env: env}
	root := &cobra.Command{
		Use:   "pvault",
		Short: "Client of the pvault API",
		Long: `pvault works with the pvault API of a jotgate server: identity and access
management, collections, objects, tokens and encryption.

--authtoken takes an API key or a JWT of an identity provider that the IAM
configuration names; @file reads it from a file.`,
		Example: `  pvault --authtoken @token.jwt version
  pvault iam get > iam.toml
  pvault iam apply --conf=@iam.toml
  pvault object add -c customers --fields=@customer.json`,
	}
	a.set.add(root.PersistentFlags())
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		env.NoColor = a.set.noColor
		return a.set.check(env)
	}
	root.AddCommand(a.newStatus(), a.newVersion(), a.newIAM())
	for _, g := range groups {
		root.AddCommand(a.newGroup(g))
	}
	return root
}

func (s *settings) add(f *pflag.FlagSet) {
	f.StringVar(&s.addr, "addr", "", "server address [PVAULT_ADDR] (default \""+defaultAddr+"\")")
	f.StringVar(&s.token, "authtoken", "", "API key or JWT, or @file [PVAULT_AUTH_TOKEN] (default \"pvaultauth\", the development key)")
	f.StringVar(&s.reason, "reason", "", "reason for access to data [PVAULT_ACCESS_REASON] (default \"Maintenance\")")
	f.StringVar(&s.adhocReason, "adhoc-reason", "", "the reason in words, with --reason=Other")
	f.StringVar(&s.customAudit, "custom-audit", "", "text for the audit log")
	f.StringVar(&s.tenants, "tenant-id", "", "refuse the call if it touches an object of another tenant; comma-separated")
	f.StringVar(&s.caCert, "ca-cert", "", "PEM file of the certificate authority [PVAULT_CACERT]")
	f.BoolVarP(&s.json, "json", "j", false, "print JSON instead of a table")
	f.BoolVar(&s.compact, "compact", false, "with --json: on one line")
	f.BoolVar(&s.compact, "co", false, "same as --compact")
	f.BoolVarP(&s.insecure, "insecure", "k", false, "accept any server certificate; for tests only")
	f.BoolVarP(&s.verbose, "verbose", "v", false, "print each request's method, path and status to standard error")
	f.BoolVar(&s.explain, "explain", false, "when a call is refused, print which check failed and what to look at")
	f.BoolVar(&s.noColor, "no-color", false, "no colour [NO_COLOR]")
	f.StringVar(&s.logLevel, "log-level", "", "debug, info, warn or error; debug is --verbose [PVAULT_LOG_LEVEL]")
	_ = f.MarkHidden("co")
}

// check refuses a log level that is none.
func (s *settings) check(env *cli.Env) error {
	switch level := either(s.logLevel, env, "PVAULT_LOG_LEVEL"); level {
	case "", "debug", "info", "warn", "error":
		return nil
	default:
		return cli.Usagef("--log-level must be debug, info, warn or error, got %q", level)
	}
}

func either(flag string, env *cli.Env, names ...string) string {
	if flag != "" {
		return flag
	}
	v, _ := env.Get(names...)
	return v
}
