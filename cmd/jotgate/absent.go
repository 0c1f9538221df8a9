package main

import (
	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

// absent are commands of the reference's client that there is no need for
// here, with what to do instead.
var absent = []struct{ name, hint string }{
	{"agent", "the reference's agent works with this server: give it this server's address"},
	{"proxy", "the reference's proxy works with this server: give it this server's address"},
	{"namespace", "there is one namespace, the root; separate tenants by mounts and policies"},
	{"plugin", "auth methods and engines are built in; see \"jotgate auth list\" and \"jotgate secrets list\""},
	{"monitor", "read the server's log; \"jotgate read sys/metrics\" shows its counters"},
	{"debug", "read the server's log; \"jotgate read sys/metrics\" shows its counters"},
	{"events", "every event is a line of the audit log; see \"jotgate audit list\""},
}

// newAbsent returns one hidden command for each of them.
func newAbsent() []*cobra.Command {
	out := make([]*cobra.Command, len(absent))
	for i, c := range absent {
		out[i] = &cobra.Command{
			Use: c.name, Short: "Not offered: " + c.hint, Example: "  jotgate --help", Hidden: true,
			DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return cli.WithHint(cli.Usagef("jotgate has no command %q", c.name), c.hint)
			},
		}
	}
	return out
}
