package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// newServerCommand returns the command that runs the server.
func newServerCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "server",
		Short: "Run the server",
		RunE:  func(*cobra.Command, []string) error { return errors.New("server is wired by the lead") },
	}
}
