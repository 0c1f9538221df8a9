package main

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

const mergePatch = "application/merge-patch+json"

func (a *app) newKV() *cobra.Command {
	return group("kv", "Read and write secrets", "  jotgate kv put secret/app user=alice password=@pw.txt\n  jotgate kv get -field=password secret/app",
		a.newKVGet(), a.newKVPut(), a.newKVPatch(), a.newKVList(), a.newKVDelete(), a.newKVVersions("undelete"), a.newKVVersions("destroy"),
		a.newKVMetadata(), a.newKVRollback(), a.newKVEnableVersioning())
}

// kvPath is where a key lives: in which mount, of which version.
type kvPath struct {
	c     *client
	v2    bool
	mount string // with its slash
	key   string
}

// at returns the API path of the key below one of the mount's branches. The
// first version of the engine has no branches.
func (p kvPath) at(branch string) string {
	if !p.v2 {
		return strings.TrimSuffix(p.mount+p.key, "/")
	}
	return strings.TrimSuffix(p.mount+branch+"/"+p.key, "/")
}

// nothing says that nothing is there. Paths of the API are a common mistake:
// the commands add the branch themselves.
func (p kvPath) nothing(branch string) error {
	err := cli.Serverf("No value found at %s", p.at(branch))
	for _, b := range []string{"data/", "metadata/"} {
		if rest, ok := strings.CutPrefix(p.key, b); ok && p.v2 {
			return cli.WithHint(err, "kv commands add \""+b+"\" themselves: try "+p.mount+rest)
		}
	}
	return err
}

// kvLocate asks the server which mount a path is in. A server that does not
// know that question holds version 1.
func (a *app) kvLocate(ctx context.Context, mount, arg string) (kvPath, error) {
	c, err := a.client()
	if err != nil {
		return kvPath{}, err
	}
	ask, key := cleanPath(arg), cleanPath(arg)
	if mount != "" {
		ask = cleanPath(mount)
	}
	quiet := *c
	quiet.wrap = 0
	if a.set.curl || a.set.policy {
		dry := *a
		dry.set.curl, dry.set.policy = false, false
		quiet.app = &dry
	}
	s, err := quiet.call(ctx, request{method: http.MethodGet, path: "sys/internal/ui/mounts/" + ask})
	if statusOf(err) == http.StatusNotFound {
		s, err = nil, nil
	}
	if err != nil {
		return kvPath{}, failed(err, "Error finding the mount of %s", ask)
	}
	p := kvPath{c: c, key: key}
	if s != nil {
		p.mount = strings.TrimPrefix(s.text("path"), "/")
		options, _ := s.data()["options"].(map[string]any)
		p.v2 = textOr(options["version"]) == "2"
	}
	switch {
	case mount != "":
		p.mount = cleanPath(mount) + "/"
	default:
		p.key = strings.TrimPrefix(strings.TrimPrefix(key+"/", p.mount), "/")
		p.key = strings.TrimSuffix(p.key, "/")
	}
	return p, nil
}

// kvCommand builds a command on one key; every one of them has -mount.
func (a *app) kvCommand(use, short, example string, minArgs, maxArgs int, run func(cmd *cobra.Command, p kvPath, args []string) error) *cobra.Command {
	var mount string
	cmd := &cobra.Command{
		Use: use, Short: short, Example: example, Args: cli.NArgs(minArgs, maxArgs, "a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 { // the mount itself, for commands that need no path
				if mount == "" {
					return cli.NArgs(1, maxArgs, "a path, or -mount")(cmd, args)
				}
				args = []string{""}
			}
			p, err := a.kvLocate(cmd.Context(), mount, args[0])
			if err != nil {
				return err
			}
			return run(cmd, p, args[1:])
		},
	}
	cmd.Flags().StringVar(&mount, "mount", "", "the mount; the path is then relative to it")
	return cmd
}

func (a *app) newKVGet() *cobra.Command {
	var version int
	cmd := a.kvCommand("get [flags] PATH", "Read a secret",
		"  jotgate kv get secret/app\n  jotgate kv get -mount=secret -version=1 app\n  jotgate kv get -field=password secret/app", 1, 1,
		func(cmd *cobra.Command, p kvPath, _ []string) error {
			query := url.Values{}
			if version > 0 && p.v2 {
				query.Set("version", strconv.Itoa(version))
			}
			s, err := p.c.call(cmd.Context(), request{method: http.MethodGet, path: p.at("data"), query: query})
			if err != nil {
				return failed(err, "Error reading %s", p.at("data"))
			}
			if s.empty() {
				return p.nothing("data")
			}
			if s.WrapInfo != nil {
				return a.print(s)
			}
			return a.printKV(s, p)
		})
	cmd.Flags().IntVar(&version, "version", 0, "which version (default: the newest)")
	return cmd
}

// printKV shows a secret's data, and before that the path and the metadata of a
// versioned one.
func (a *app) printKV(s *secret, p kvPath) error {
	data := s.data()
	if p.v2 {
		data, _ = data["data"].(map[string]any)
	}
	if a.set.field != "" {
		inner := &secret{Data: data}
		if _, ok := inner.field(a.set.field); !ok {
			inner.Data = s.Data
		}
		return a.printField(inner, a.set.field)
	}
	format, err := a.formatName()
	if err != nil {
		return err
	}
	if format != "table" {
		return a.print(s)
	}
	a.warn(s.Warnings)
	if p.v2 {
		a.printPath("Secret Path", p.at("data"))
		if meta, ok := s.data()["metadata"].(map[string]any); ok {
			a.printBlock("Metadata", meta)
			a.env.Println()
		}
	}
	if data != nil {
		a.printBlock("Data", data)
	}
	return nil
}

func (a *app) printPath(title, path string) {
	a.env.Printf("%s\n%s\n\n", cli.Heading(title, len(path)), path)
}

// printBlock writes a titled Key/Value table. The title is as wide as the
// widest key and the word "Value".
func (a *app) printBlock(title string, data map[string]any) {
	width := 0
	for k := range data {
		width = max(width, len(k))
	}
	a.env.Println(cli.Heading(title, width+4+len("Value")))
	rows := dataPairs(data)
	for _, r := range rows {
		r[1] = a.cell(r[1])
	}
	a.printPairs(rows)
}

// printWritten shows the answer to a write: the new version's metadata.
func (a *app) printWritten(s *secret, p kvPath) error {
	if s.empty() {
		return a.done("Success! Data written to: %s", p.at("data"))
	}
	format, err := a.formatName()
	if err != nil {
		return err
	}
	if format != "table" || a.set.field != "" || s.WrapInfo != nil || !p.v2 {
		return a.print(s)
	}
	a.warn(s.Warnings)
	a.printPath("Secret Path", p.at("data"))
	a.printBlock("Metadata", s.data())
	return nil
}

func (a *app) newKVPut() *cobra.Command {
	cas := -1
	cmd := a.kvCommand("put [flags] PATH KEY=VALUE...", "Write a secret",
		"  jotgate kv put secret/app user=alice password=@pw.txt\n  jotgate kv put -cas=0 -mount=secret app user=alice\n  jotgate kv put secret/app @app.json", 1, -1,
		func(cmd *cobra.Command, p kvPath, args []string) error {
			data, err := a.kvData(args)
			if err != nil {
				return err
			}
			return a.kvWrite(cmd.Context(), p, data, cas)
		})
	cmd.Flags().IntVar(&cas, "cas", -1, "write only if this is the current version; 0: only if there is none")
	return cmd
}

func (a *app) kvData(args []string) (map[string]any, error) {
	if len(args) == 0 {
		return nil, cli.Usagef("Must supply data")
	}
	return a.env.Data(args)
}

func (a *app) kvWrite(ctx context.Context, p kvPath, data map[string]any, cas int) error {
	s, err := kvSend(ctx, p, data, cas)
	if err != nil {
		return err
	}
	return a.printWritten(s, p)
}

func kvSend(ctx context.Context, p kvPath, data map[string]any, cas int) (*secret, error) {
	var body any = data
	if p.v2 {
		body = map[string]any{"data": data, "options": casOptions(cas)}
	}
	s, err := p.c.call(ctx, request{method: http.MethodPut, path: p.at("data"), body: body})
	if err != nil {
		return nil, failed(err, "Error writing data to %s", p.at("data"))
	}
	return s, nil
}

func casOptions(cas int) map[string]any {
	if cas < 0 {
		return map[string]any{}
	}
	return map[string]any{"cas": cas}
}

func (a *app) newKVPatch() *cobra.Command {
	cas, method := -1, ""
	var remove []string
	cmd := a.kvCommand("patch [flags] PATH KEY=VALUE...", "Change some fields of a secret",
		"  jotgate kv patch secret/app password=@pw.txt\n  jotgate kv patch -remove-data=old secret/app user=bob", 1, -1,
		func(cmd *cobra.Command, p kvPath, args []string) error {
			if !p.v2 {
				return cli.Usagef("kv patch needs version 2 of the KV engine")
			}
			if len(args) == 0 && len(remove) == 0 {
				return cli.Usagef("Must supply data")
			}
			data, err := a.env.Data(args)
			if err != nil {
				return err
			}
			for _, k := range remove {
				data[k] = nil
			}
			return a.kvPatch(cmd.Context(), p, data, cas, method)
		})
	cmd.Flags().IntVar(&cas, "cas", -1, "change only if this is the current version")
	cmd.Flags().StringVar(&method, "method", "", "patch, or rw (read, then write); default: patch, then rw if that is not allowed")
	cmd.Flags().StringArrayVar(&remove, "remove-data", nil, "field to remove; may be repeated")
	return cmd
}

func (a *app) kvPatch(ctx context.Context, p kvPath, data map[string]any, cas int, method string) error {
	if method != "" && method != "patch" && method != "rw" {
		return cli.Usagef("-method must be patch or rw, got %q", method)
	}
	if method == "rw" {
		s, err := a.kvReadWrite(ctx, p, data)
		if err != nil {
			return err
		}
		return a.printWritten(s, p)
	}
	s, err := p.c.call(ctx, request{method: http.MethodPatch, path: p.at("data"), typ: mergePatch,
		body: map[string]any{"data": data, "options": casOptions(cas)}})
	switch {
	case statusOf(err) == http.StatusForbidden && method == "" && cas < 0:
		if s, err = a.kvReadWrite(ctx, p, data); err != nil {
			return err
		}
		a.env.Warnf("Data was written to %s but we recommend that you add the \"patch\" capability to your ACL policy in order to use HTTP PATCH in the future.", p.at("data"))
	case statusOf(err) == http.StatusNotFound:
		return p.nothing("data")
	case err != nil:
		return failed(err, "Error writing data to %s", p.at("data"))
	}
	return a.printWritten(s, p)
}

// kvReadWrite merges on this side and writes only if nobody wrote meanwhile.
func (a *app) kvReadWrite(ctx context.Context, p kvPath, change map[string]any) (*secret, error) {
	old, version, err := a.kvRead(ctx, p, 0)
	if err != nil {
		return nil, err
	}
	data := maps.Clone(old)
	for k, v := range change {
		if v == nil {
			delete(data, k)
			continue
		}
		data[k] = v
	}
	return kvSend(ctx, p, data, version)
}

// kvRead returns a version's data and the version's number.
func (a *app) kvRead(ctx context.Context, p kvPath, version int) (map[string]any, int, error) {
	query := url.Values{}
	if version > 0 {
		query.Set("version", strconv.Itoa(version))
	}
	s, err := p.c.call(ctx, request{method: http.MethodGet, path: p.at("data"), query: query})
	if err != nil {
		return nil, 0, failed(err, "Error doing pre-read at %s", p.at("data"))
	}
	data, ok := s.data()["data"].(map[string]any)
	if !ok {
		return nil, 0, p.nothing("data")
	}
	meta, _ := s.data()["metadata"].(map[string]any)
	n, err := strconv.Atoi(valueText(meta["version"]))
	if err != nil {
		return nil, 0, cli.Serverf("the server's answer names no version of %s", p.at("data"))
	}
	return data, n, nil
}

func (a *app) newKVList() *cobra.Command {
	return a.kvCommand("list [flags] PATH", "List keys", "  jotgate kv list secret/\n  jotgate kv list -mount=secret team", 0, 1,
		func(cmd *cobra.Command, p kvPath, _ []string) error { return a.kvList(cmd, p) })
}

func (a *app) kvList(cmd *cobra.Command, p kvPath) error {
	path := p.at("metadata")
	s, err := p.c.call(cmd.Context(), request{method: http.MethodGet, path: path, query: url.Values{"list": {"true"}}})
	if err != nil {
		return failed(err, "Error listing %s", path)
	}
	if s == nil {
		return a.nothingListed(path)
	}
	return a.printKeys(s, path)
}

func (a *app) newKVDelete() *cobra.Command {
	var versions []string
	cmd := a.kvCommand("delete [flags] PATH", "Delete a secret's newest or given versions",
		"  jotgate kv delete secret/app\n  jotgate kv delete -versions=1,2 secret/app", 1, 1,
		func(cmd *cobra.Command, p kvPath, _ []string) error {
			path := p.at("data")
			r := request{method: http.MethodDelete, path: path}
			if len(versions) > 0 && p.v2 {
				list, err := versionList(versions)
				if err != nil {
					return err
				}
				r = request{method: http.MethodPut, path: p.at("delete"), body: map[string]any{"versions": list}}
			}
			if _, err := p.c.call(cmd.Context(), r); err != nil {
				return failed(err, "Error deleting %s", path)
			}
			return a.done("Success! Data deleted (if it existed) at: %s", path)
		})
	cmd.Flags().StringSliceVar(&versions, "versions", nil, "the versions to delete")
	return cmd
}

// newKVVersions builds undelete and destroy.
func (a *app) newKVVersions(verb string) *cobra.Command {
	var versions []string
	short := map[string]string{"undelete": "Bring deleted versions back", "destroy": "Remove versions for good"}[verb]
	cmd := a.kvCommand(verb+" [flags] PATH", short, "  jotgate kv "+verb+" -versions=2 secret/app", 1, 1,
		func(cmd *cobra.Command, p kvPath, _ []string) error {
			list, err := versionList(versions)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				return cli.Usagef("No versions provided, use the \"-versions\" flag to specify the version to %s.", verb)
			}
			if !p.v2 {
				return cli.Usagef("kv %s needs version 2 of the KV engine", verb)
			}
			s, err := p.c.call(cmd.Context(), request{method: http.MethodPut, path: p.at(verb), body: map[string]any{"versions": list}})
			if err != nil {
				return failed(err, "Error writing data to %s", p.at(verb))
			}
			return a.printOr(s, "Success! Data written to: %s", p.at(verb))
		})
	cmd.Flags().StringSliceVar(&versions, "versions", nil, "the versions to "+verb)
	return cmd
}

// versionList checks a list of version numbers; they travel as text.
func versionList(list []string) ([]string, error) {
	out := make([]string, 0, len(list))
	for _, v := range list {
		v = strings.TrimSpace(v)
		if n, err := strconv.Atoi(v); err != nil || n < 1 {
			return nil, cli.Usagef("-versions: %q is not a version number", v)
		}
		out = append(out, v)
	}
	return out, nil
}

func (a *app) newKVRollback() *cobra.Command {
	var version int
	cmd := a.kvCommand("rollback [flags] PATH", "Write an old version again as the newest", "  jotgate kv rollback -version=1 secret/app", 1, 1,
		func(cmd *cobra.Command, p kvPath, _ []string) error {
			if version < 1 {
				return cli.Usagef("-version is required and must be greater than zero")
			}
			if !p.v2 {
				return cli.Usagef("kv rollback needs version 2 of the KV engine")
			}
			newest, err := a.newestVersion(cmd.Context(), p)
			if err != nil {
				return err
			}
			data, _, err := a.kvRead(cmd.Context(), p, version)
			if err != nil {
				return err
			}
			s, err := kvSend(cmd.Context(), p, data, newest)
			if err != nil {
				return err
			}
			return a.print(s)
		})
	cmd.Flags().IntVar(&version, "version", 0, "the version to bring back")
	return cmd
}

// newestVersion also answers for a secret whose newest version is deleted.
func (a *app) newestVersion(ctx context.Context, p kvPath) (int, error) {
	s, err := p.c.call(ctx, request{method: http.MethodGet, path: p.at("data")})
	if err != nil {
		return 0, failed(err, "Error doing pre-read at %s", p.at("data"))
	}
	meta, _ := s.data()["metadata"].(map[string]any)
	n, err := strconv.Atoi(valueText(meta["version"]))
	if err != nil {
		return 0, p.nothing("data")
	}
	return n, nil
}

func (a *app) newKVEnableVersioning() *cobra.Command {
	return &cobra.Command{
		Use: "enable-versioning [flags] MOUNT", Short: "Turn version 1 of a KV mount into version 2",
		Example: "  jotgate kv enable-versioning secret", Args: cli.NArgs(1, 1, "a mount"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := cleanPath(args[0])
			body := map[string]any{"options": map[string]string{"version": "2"}}
			if err := a.do(cmd, http.MethodPost, "sys/mounts/"+path+"/tune", body); err != nil {
				return failed(err, "Error tuning secrets engine %s", path)
			}
			return a.done("Success! Tuned the secrets engine at: %s/", path)
		},
	}
}
