package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

// cleanPath drops the slashes and spaces around a path, and a leading v1/.
func cleanPath(p string) string {
	return strings.TrimPrefix(strings.Trim(strings.TrimSpace(p), "/"), "v1/")
}

func (a *app) newRead() *cobra.Command {
	return &cobra.Command{
		Use:   "read [flags] PATH [KEY=VALUE...]",
		Short: "Read data",
		Long:  "Reads the data at a path. KEY=VALUE arguments become query parameters.",
		Example: `  jotgate read auth/jwt/config
  jotgate read -format=json auth/jwt/role/demo
  jotgate read -format=raw sys/metrics
  jotgate read -field=policies auth/jwt/role/demo`,
		Args: cli.NArgs(1, -1, "a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := cleanPath(args[0])
			query, err := a.query(args[1:])
			if err != nil {
				return err
			}
			format, err := a.formatName()
			if err != nil {
				return err
			}
			if format == "raw" && a.set.field == "" {
				return a.readRaw(cmd, path, query)
			}
			s, err := a.fetch(cmd, path, query)
			if err != nil {
				return failed(err, "Error reading %s", path)
			}
			if s.empty() {
				if s != nil {
					a.warn(s.Warnings)
				}
				return cli.Serverf("No value found at %s", path)
			}
			return a.print(s)
		},
	}
}

// readRaw prints an answer as it came, whatever it is: the metrics are no JSON.
func (a *app) readRaw(cmd *cobra.Command, path string, query url.Values) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	body, err := c.send(cmd.Context(), request{method: http.MethodGet, path: path, query: query})
	var refused *apiError
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound && refused.Raw == "" && len(refused.Errors) == 0:
		return cli.Serverf("No value found at %s", path)
	case err != nil:
		return failed(err, "Error reading %s", path)
	}
	a.env.Printf("%s\n", strings.TrimRight(string(body), "\n"))
	return nil
}

func (a *app) newList() *cobra.Command {
	return a.names("list", "listing", "List keys", `  jotgate list auth/jwt/role
  jotgate list -format=json auth/token/accessors`)
}

func (a *app) newScan() *cobra.Command {
	return a.names("scan", "scanning", "List keys in a folder and below", `  jotgate scan secret/metadata
  jotgate scan -format=json secret/metadata/team`)
}

// names is a command that asks for keys: of one folder, or of all below it.
func (a *app) names(verb, doing, short, example string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " [flags] PATH",
		Short:   short,
		Example: example,
		Args:    cli.NArgs(1, -1, "a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := cleanPath(args[0])
			query, err := a.query(args[1:])
			if err != nil {
				return err
			}
			query.Set(verb, "true")
			s, err := a.fetch(cmd, path, query)
			if err != nil {
				return failed(err, "Error %s %s", doing, path)
			}
			if s == nil {
				return a.nothingListed(path)
			}
			if s.WrapInfo != nil {
				return a.print(s)
			}
			return a.printKeys(s, path)
		},
	}
}

// fetch is GET with the current client.
func (a *app) fetch(cmd *cobra.Command, path string, query url.Values) (*secret, error) {
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	return c.call(cmd.Context(), request{method: http.MethodGet, path: path, query: query})
}

// query turns KEY=VALUE arguments into query parameters.
func (a *app) query(args []string) (url.Values, error) {
	data, err := a.env.Data(args)
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	for k, v := range data {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, item := range list {
			query.Add(k, valueText(item))
		}
	}
	return query, nil
}

func (a *app) newWrite() *cobra.Command { return a.newWriter("write", http.MethodPut, "") }

func (a *app) newPatch() *cobra.Command {
	return a.newWriter("patch", http.MethodPatch, "application/merge-patch+json")
}

// newWriter builds write and patch, which differ in verb and content type only.
func (a *app) newWriter(name, method, typ string) *cobra.Command {
	var force bool
	example := "  jotgate write auth/jwt/config jwt_validation_pubkeys=@key.pub.pem\n"
	if name == "patch" { // a config is written as a whole
		example = ""
	}
	cmd := &cobra.Command{
		Use:   name + " [flags] PATH [KEY=VALUE...]",
		Short: map[string]string{"write": "Write data", "patch": "Change part of the data"}[name],
		Long: `Sends data to a path. Data is KEY=VALUE; KEY=@FILE takes the value from a
file and KEY=- from standard input. @FILE alone, or - alone, is a whole JSON
object. A key given more than once is sent as a list.`,
		Example: example + `  jotgate ` + name + ` auth/jwt/role/demo user_claim=sub bound_audiences=vault policies=webapps
  jotgate ` + name + ` auth/jwt/role/demo @role.json
  echo '{"user_claim":"sub"}' | jotgate ` + name + ` auth/jwt/role/demo -`,
		Args: cli.NArgs(1, -1, "a path and data"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := cleanPath(args[0])
			data, err := a.env.Data(args[1:])
			if err != nil {
				return err
			}
			if len(args) == 1 && !force {
				return cli.Usagef("Must supply data or use -force")
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			s, err := c.call(cmd.Context(), request{method: method, path: path, body: data, typ: typ})
			if err != nil {
				return failed(err, "Error writing data to %s", path)
			}
			return a.printOr(s, "Success! Data written to: %s", path)
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "allow a write without data")
	return cmd
}

// printOr prints the answer, or the line when there is none.
func (a *app) printOr(s *secret, line string, args ...any) error {
	if s.empty() {
		if s != nil {
			a.warn(s.Warnings)
		}
		return a.done(line, args...)
	}
	return a.print(s)
}

func (a *app) newDelete() *cobra.Command {
	return &cobra.Command{
		Use:   "delete [flags] PATH [KEY=VALUE...]",
		Short: "Delete data",
		Example: `  jotgate delete auth/jwt/role/demo
  jotgate delete secret/data/app`,
		Args: cli.NArgs(1, -1, "a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := cleanPath(args[0])
			query, err := a.query(args[1:])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			s, err := c.call(cmd.Context(), request{method: http.MethodDelete, path: path, query: query})
			if err != nil {
				return failed(err, "Error deleting %s", path)
			}
			return a.printOr(s, "Success! Data deleted (if it existed) at: %s", path)
		},
	}
}

func (a *app) newUnwrap() *cobra.Command {
	return &cobra.Command{
		Use:   "unwrap [flags] [TOKEN]",
		Short: "Open a wrapped answer",
		Long:  "Opens a wrapped answer once. Without TOKEN, the caller's own token is the wrapping token; - reads it from standard input.",
		Example: `  jotgate unwrap s.1a2b3c
  jotgate unwrap -field=token s.1a2b3c`,
		Args: cli.NArgs(0, 1, "at most one token"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			r := request{method: http.MethodPut, path: "sys/wrapping/unwrap"}
			if len(args) == 1 {
				token, err := a.env.Indirect(args[0])
				if err != nil {
					return err
				}
				token = strings.TrimSpace(token)
				r.body = map[string]any{"token": token}
				if c.token == "" {
					c.token, r.body = token, nil
				}
			}
			c.wrap = 0
			s, err := c.call(cmd.Context(), r)
			if err != nil {
				return failed(err, "Error unwrapping")
			}
			if s.empty() {
				return cli.Serverf("Could not find wrapped response")
			}
			return a.print(s)
		},
	}
}

func (a *app) newPathHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "path-help [flags] PATH",
		Short:   "Show the server's help for a path",
		Example: "  jotgate path-help auth/jwt\n  jotgate path-help auth/jwt/role/demo",
		Args:    cli.NArgs(1, 1, "a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.pathHelp(cmd, cleanPath(args[0]))
		},
	}
}

func (a *app) pathHelp(cmd *cobra.Command, path string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	var out map[string]any
	if err := c.plain(cmd.Context(), request{method: http.MethodGet, path: path, query: url.Values{"help": {"1"}}}, &out); err != nil {
		return failed(err, "Error retrieving help")
	}
	if done, err := a.printData(out); done {
		return err
	}
	a.env.Println(strings.TrimRight(valueText(out["help"]), "\n"))
	return nil
}

// failed puts what was tried before the server's refusal or silence; status and
// hint stay. A local mistake needs no such words, and a request that was only
// printed passes through.
func failed(err error, format string, args ...any) error {
	if cli.StatusOf(err) != cli.StatusServer {
		return err
	}
	return &cli.Error{Status: cli.StatusServer, Text: fmt.Sprintf(format, args...), Hint: cli.HintOf(err), Cause: err}
}
