package main

import (
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

func checkHelp(t *testing.T, c *cobra.Command) {
	t.Helper()
	if c.Short == "" || c.Example == "" {
		t.Errorf("%s: a command needs a short text and an example", c.CommandPath())
	}
	for _, sub := range c.Commands() {
		checkHelp(t, sub)
	}
}

// No command may crash on arguments that are missing, empty or too many, and
// none may succeed when what it needs is missing.
func TestNoCommandCrashesOnItsArguments(t *testing.T) {
	t.Setenv("VAULT_ADDR", "http://127.0.0.1:1")
	t.Setenv("HOME", t.TempDir())
	t.Chdir(t.TempDir()) // keygen writes files
	for _, path := range leaves(newRoot(cli.System("jotgate")), nil) {
		if path[0] == "server" {
			continue // it would run
		}
		for _, args := range [][]string{nil, {""}, {"/"}, {"a"}, {"a", "b"}, {"a", "b", "c", "d"}, {"-mount="}, {"-mount=x"}, {"-mount=x", ""}} {
			env := &cli.Env{Name: "jotgate", Dash: "-", Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard, Lookup: os.LookupEnv}
			root := newRoot(env)
			cli.Run(env, root, cli.NormalizeFlags(root, slices.Concat(path, args)))
		}
	}
}

// leaves returns the words of every command that does something itself.
func leaves(c *cobra.Command, words []string) [][]string {
	if !c.HasSubCommands() {
		return [][]string{words}
	}
	var out [][]string
	for _, sub := range c.Commands() {
		out = append(out, leaves(sub, append(slices.Clone(words), sub.Name()))...)
	}
	return out
}
