package main

import (
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

func (a *app) newKVMetadata() *cobra.Command {
	return group("metadata", "Read and write what is known about a secret", "  jotgate kv metadata get secret/app\n  jotgate kv metadata put -max-versions=5 secret/app",
		a.newMetaGet(), a.newMetaWrite("put", http.MethodPut, ""), a.newMetaWrite("patch", http.MethodPatch, mergePatch), a.newMetaDelete())
}

// metaCommand is kvCommand for version 2 only.
func (a *app) metaCommand(use, short, example string, run func(cmd *cobra.Command, p kvPath) error) *cobra.Command {
	return a.kvCommand(use, short, example, 1, 1, func(cmd *cobra.Command, p kvPath, _ []string) error {
		if !p.v2 {
			return cli.Usagef("Metadata not supported on KV Version 1")
		}
		return run(cmd, p)
	})
}

func (a *app) newMetaGet() *cobra.Command {
	return a.metaCommand("get [flags] PATH", "Show a secret's metadata and versions", "  jotgate kv metadata get secret/app",
		func(cmd *cobra.Command, p kvPath) error {
			path := p.at("metadata")
			s, err := p.c.call(cmd.Context(), request{method: http.MethodGet, path: path})
			if err != nil {
				return failed(err, "Error reading %s", path)
			}
			if s.empty() {
				return p.nothing("metadata")
			}
			format, err := a.formatName()
			if err != nil {
				return err
			}
			if format != "table" || a.set.field != "" {
				return a.print(s)
			}
			a.printMeta(s, path)
			return nil
		})
}

func (a *app) printMeta(s *secret, path string) {
	a.warn(s.Warnings)
	a.printPath("Metadata Path", path)
	data := maps.Clone(s.data())
	versions, _ := data["versions"].(map[string]any)
	delete(data, "versions")
	a.printBlock("Metadata", data)
	for _, n := range numberedKeys(versions) {
		version, _ := versions[n].(map[string]any)
		a.env.Println()
		a.printBlock("Version "+n, version)
	}
}

// numberedKeys sorts names that are numbers by their value.
func numberedKeys(m map[string]any) []string {
	keys := sortedKeys(m)
	slices.SortStableFunc(keys, func(x, y string) int {
		a, _ := strconv.Atoi(x)
		b, _ := strconv.Atoi(y)
		return a - b
	})
	return keys
}

// metaFlags are those of "kv metadata put" and "patch".
type metaFlags struct {
	maxVersions    int
	casRequired    bool
	deleteAfter    string
	custom, remove []string
}

func (a *app) newMetaWrite(verb, method, typ string) *cobra.Command {
	var f metaFlags
	short := map[string]string{"put": "Set a secret's metadata", "patch": "Change part of a secret's metadata"}[verb]
	cmd := a.metaCommand(verb+" [flags] PATH", short,
		"  jotgate kv metadata "+verb+" -max-versions=5 secret/app\n  jotgate kv metadata "+verb+" -custom-metadata=owner=core secret/app",
		func(cmd *cobra.Command, p kvPath) error {
			body, err := f.body(cmd)
			if err != nil {
				return err
			}
			path := p.at("metadata")
			s, err := p.c.call(cmd.Context(), request{method: method, path: path, body: body, typ: typ})
			switch {
			case statusOf(err) == http.StatusNotFound:
				return p.nothing("metadata")
			case err != nil:
				return failed(err, "Error writing data to %s", path)
			}
			return a.printOr(s, "Success! Data written to: %s", path)
		})
	cmd.Flags().IntVar(&f.maxVersions, "max-versions", 0, "number of versions to keep; 0: as the mount says")
	cmd.Flags().BoolVar(&f.casRequired, "cas-required", false, "every write must name the version that it replaces")
	cmd.Flags().StringVar(&f.deleteAfter, "delete-version-after", "", "delete each version after this time")
	cmd.Flags().StringArrayVar(&f.custom, "custom-metadata", nil, "key=value; may be repeated")
	if verb == "patch" {
		cmd.Flags().StringArrayVar(&f.remove, "remove-custom-metadata", nil, "key to remove; may be repeated")
	}
	return cmd
}

func (f *metaFlags) body(cmd *cobra.Command) (map[string]any, error) {
	body := map[string]any{}
	changed := cmd.Flags().Changed
	if changed("max-versions") {
		body["max_versions"] = f.maxVersions
	}
	if changed("cas-required") {
		body["cas_required"] = f.casRequired
	}
	if changed("delete-version-after") {
		span, err := flagSpan("delete-version-after", f.deleteAfter)
		if err != nil {
			return nil, err
		}
		body["delete_version_after"] = span
	}
	custom, err := cli.Pairs("-custom-metadata", f.custom)
	if err != nil {
		return nil, err
	}
	if len(f.custom)+len(f.remove) > 0 {
		all := map[string]any{}
		for k, v := range custom {
			all[k] = v
		}
		for _, k := range f.remove {
			all[k] = nil
		}
		body["custom_metadata"] = all
	}
	return body, nil
}

func (a *app) newMetaDelete() *cobra.Command {
	return a.metaCommand("delete [flags] PATH", "Remove a secret with all its versions", "  jotgate kv metadata delete secret/app",
		func(cmd *cobra.Command, p kvPath) error {
			path := p.at("metadata")
			if _, err := p.c.call(cmd.Context(), request{method: http.MethodDelete, path: path}); err != nil {
				return failed(err, "Error deleting %s", path)
			}
			return a.done("Success! Data deleted (if it existed) at: %s", path)
		})
}
