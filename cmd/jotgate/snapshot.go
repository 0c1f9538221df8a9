package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/snapshot"
	"github.com/jotgate/jotgate/internal/storage/embedded"
)

func (a *app) newSnapshot() *cobra.Command {
	return group("snapshot", "Back the server's store up, and put a backup back",
		"  jotgate operator snapshot save backup.snap\n  jotgate operator snapshot restore backup.snap /var/lib/jotgate",
		a.newSnapshotSave(), a.newSnapshotRestore())
}

// newRaft has snapshots under the name that scripts for the reference use.
func (a *app) newRaft() *cobra.Command {
	cmd := group("raft", "Snapshots, as scripts for other servers name them", "  jotgate operator raft snapshot save backup.snap", a.newSnapshot())
	cmd.Hidden = true
	return cmd
}

func (a *app) newSnapshotSave() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "save [flags] FILE", Short: "Save a sealed copy of the whole store",
		Long: "Saves a copy of the store as it is now, while the server runs, as a gzipped tar archive\n" +
			"with checksums. Everything in it is sealed: it is worth nothing without the shares, or\n" +
			"the key, that unseal this server. \"restore\" puts it back.",
		Example: "  jotgate operator snapshot save backup.snap", Args: cli.NArgs(1, 1, "one file to write"),
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
	if got := resp.Header.Get("Content-Type"); got != "application/gzip" {
		return cli.Failf("the server's answer is no snapshot but %s: nothing was written", cli.Visible(got))
	}
	size, err := saveWhole(path, resp.Body, force)
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

// saveWhole saves an archive and reads it while it comes in. One that is not
// whole leaves no file.
func saveWhole(path string, r io.Reader, force bool) (size int64, err error) {
	content, in := io.Pipe()
	go func() {
		_, err := snapshot.Read(io.TeeReader(r, in), io.Discard)
		_ = in.CloseWithError(err) // nil is the end of the file
	}()
	defer func() { _ = content.Close() }()
	return cli.Save(path, content, 0o600, force)
}

func (a *app) newSnapshotRestore() *cobra.Command {
	return &cobra.Command{
		Use: "restore FILE DIRECTORY", Short: "Put a saved copy in place of the store, on the server's machine",
		Long: "Checks a file of \"save\" and writes the store that is in it to DIRECTORY, the\n" +
			"storage.directory of the settings. Stop the server and move its store away first: none is\n" +
			"replaced. Run it as the user that the server runs as, start the server, and unseal it with\n" +
			"the shares, or the key, that were in force when the copy was taken.\n" +
			"A bare data file, as older versions saved it, is put in place as it is.",
		Example: "  jotgate operator snapshot restore backup.snap /var/lib/jotgate",
		Args:    cli.NArgs(2, 2, "a saved file and the directory of the store"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.restoreSnapshot(args[0], args[1]) },
	}
}

func (a *app) restoreSnapshot(file, dir string) error {
	target := filepath.Join(dir, embedded.FileName)
	if _, err := os.Lstat(target); err == nil {
		return cli.WithHint(cli.Usagef("%s is there already", target), "stop the server that uses it, and move it away")
	}
	f, err := os.Open(file) //nolint:gosec // the operator's own path
	if err != nil {
		return cli.FileError("read", file, err)
	}
	defer func() { _ = f.Close() }()
	in := bufio.NewReader(f)
	start, err := in.Peek(storeMagicAt + len(storeMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return cli.FileError("read", file, err)
	}
	var size int64
	switch {
	case snapshot.IsArchive(start):
		size, err = unpack(target, in)
	case len(start) > storeMagicAt && bytes.Equal(start[storeMagicAt:], storeMagic):
		size, err = cli.Save(target, in, 0o600, false)
	default:
		return cli.Usagef("%s is no snapshot: it is neither an archive nor a data file", file)
	}
	if err != nil {
		return err
	}
	return a.done("Success! Restored %d bytes to %s. Start the server, and unseal it with the shares of that time.", size, target)
}

// A data file has these bytes, which say that it is one, at this place.
const storeMagicAt = 16

var storeMagic = []byte{0xed, 0xda, 0x0c, 0xed}

// unpack writes the data of an archive to a file that is not there yet. One
// that is damaged leaves none.
func unpack(target string, archive io.Reader) (size int64, err error) {
	content, in := io.Pipe()
	go func() {
		_, err := snapshot.Read(archive, in)
		_ = in.CloseWithError(err)
	}()
	defer func() { _ = content.Close() }()
	return cli.Save(target, content, 0o600, false)
}
