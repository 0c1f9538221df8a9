package main

import (
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

func (a *app) newSnapshot() *cobra.Command {
	return group("snapshot", "Back the server's store up", "  jotgate operator snapshot save backup.db", a.newSnapshotSave())
}

func (a *app) newSnapshotSave() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "save [flags] FILE", Short: "Save a sealed copy of the whole store",
		Long: "Saves a copy of the store as it is now, while the server runs. Everything in it is\n" +
			"sealed: it is worth nothing without the shares, or the key, that unseal this server.\n" +
			"To restore it, stop the server, put the file in the place of the store, and start.",
		Example: "  jotgate operator snapshot save backup.db", Args: cli.NArgs(1, 1, "one file to write"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.saveSnapshot(cmd, args[0], force) },
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace the file if it is there")
	return cmd
}

func (a *app) saveSnapshot(cmd *cobra.Command, path string, force bool) error {
	if _, err := os.Lstat(path); err == nil && !force {
		return cli.WithHint(cli.Usagef("%s is there already", path), "choose another name, or say -force to replace it")
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	c.http = patient(c.http)
	resp, req, err := c.open(cmd.Context(), request{method: http.MethodGet, path: "sys/storage/raft/snapshot"})
	if err != nil {
		return failed(err, "Error taking the snapshot")
	}
	defer func() { _ = resp.Body.Close() }()
	if !succeeded(resp) {
		answer, err := cli.ReadAnswer(resp.Body)
		if err != nil {
			return err
		}
		return failed(c.refusal(resp, req, answer), "Error taking the snapshot")
	}
	if got := resp.Header.Get("Content-Type"); got != "application/octet-stream" {
		return cli.Failf("the server's answer is no snapshot but %s: nothing was written", cli.Visible(got))
	}
	size, err := cli.Save(path, resp.Body, 0o600, force)
	if err != nil {
		return err
	}
	return a.done("Success! Saved %d bytes to %s. Keep it apart from the shares that open it.", size, path)
}

// patient returns the client without its limits of time: a large store takes
// longer to copy than an answer may take. A connection that breaks off still
// ends the command.
func patient(c *http.Client) *http.Client {
	out := *c
	out.Timeout = 0
	if t, ok := c.Transport.(*http.Transport); ok {
		t = t.Clone()
		t.ResponseHeaderTimeout = 0
		out.Transport = t
	}
	return &out
}
