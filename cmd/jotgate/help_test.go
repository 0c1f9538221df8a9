package main

import (
	"testing"

	"github.com/spf13/cobra"
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
