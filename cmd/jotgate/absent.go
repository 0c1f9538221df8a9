package main

import (
	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

// absentCommand is a command of the reference's client that there is no need
// for here, with what to do instead.
type absentCommand struct{ name, hint string }

var absent = []absentCommand{
	{"agent", "the reference's agent works with this server: give it this server's address"},
	{"proxy", "the reference's proxy works with this server: give it this server's address"},
	{"namespace", "there is one namespace, the root; separate tenants by mounts and policies"},
	{"plugin", "auth methods and engines are built in; see \"jotgate auth list\" and \"jotgate secrets list\""},
	{"monitor", "read the server's log; \"jotgate read sys/metrics\" shows its counters"},
	{"debug", "read the server's log; \"jotgate read sys/metrics\" shows its counters"},
	{"pki", noSuchEngine}, {"ssh", noSuchEngine}, {"transit", noSuchEngine}, {"transform", noSuchEngine},
	{"events", "every event is a line of the audit log; see \"jotgate audit list\""},
}

const noSuchEngine = "the secrets engine here is kv; see \"jotgate secrets list\""

var absentOperator = []absentCommand{
	{"diagnose", "the server names every mistake of its settings when it starts"},
	{"members", "every node is active and knows no other; see \"jotgate status\" of each"},
	{"migrate", "see \"jotgate operator snapshot\" for the store"},
	{"usage", "client activity is not recorded; \"jotgate read sys/internal/counters/entities\" counts entities"},
}

// newAbsent returns one hidden command for each of them. of is the command
// that they would belong to.
func newAbsent(of string, absent []absentCommand) []*cobra.Command {
	out := make([]*cobra.Command, len(absent))
	for i, c := range absent {
		out[i] = &cobra.Command{
			Use: c.name, Short: "Not offered: " + c.hint, Example: "  jotgate --help", Hidden: true,
			DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return cli.WithHint(cli.Usagef("%s has no command %q", of, c.name), c.hint)
			},
		}
	}
	return out
}
