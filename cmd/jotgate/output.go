package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/cli"
)

// print shows an answer in the chosen format, or one field of it.
func (a *app) print(s *secret) error {
	if a.set.field != "" {
		return a.printField(s, a.set.field)
	}
	format, err := a.formatName()
	if err != nil {
		return err
	}
	switch format {
	case "json", "pretty":
		return a.env.PrintJSON(s)
	case "yaml":
		return a.env.PrintYAML(s)
	case "raw":
		a.env.Printf("%s\n", strings.TrimRight(string(s.raw), "\n"))
		return nil
	}
	a.warn(s.Warnings)
	a.printPairs(secretPairs(s))
	return nil
}

// printData shows a value that has no envelope: as JSON or YAML if so chosen
// (true), else not at all (false).
func (a *app) printData(v any) (bool, error) {
	format, err := a.formatName()
	if err != nil {
		return true, err
	}
	switch format {
	case "json", "pretty", "raw":
		return true, a.env.PrintJSON(v)
	case "yaml":
		return true, a.env.PrintYAML(v)
	}
	return false, nil
}

// done prints a success line; nothing when another format was chosen, because
// there is no data to show.
func (a *app) done(format string, args ...any) error {
	f, err := a.formatName()
	if err != nil {
		return err
	}
	if f == "table" {
		a.env.Printf(format+"\n", args...)
	}
	return nil
}

func (a *app) warn(warnings []string) {
	if len(warnings) == 0 {
		return
	}
	a.env.Warnf("WARNING! The following warnings were returned from %s:\n", a.env.Name)
	for _, w := range warnings {
		a.env.Warnf("  * %s", cli.Visible(w))
	}
	a.env.Warnf("")
}

func (a *app) printField(s *secret, name string) error {
	v, ok := s.field(name)
	if !ok {
		return cli.Usagef("Field %q not present in secret", name)
	}
	if done, err := a.printData(v); done {
		return err
	}
	a.env.Value(a.cell(v))
	return nil
}

// printPairs writes the Key/Value table.
func (a *app) printPairs(pairs [][]string) {
	if len(pairs) == 0 {
		return
	}
	a.env.PrintColumns([]string{"Key", "Value"}, pairs)
}

// cell is a value as a table shows it. On a terminal, control characters that
// a stored value may hold are made visible.
func (a *app) cell(v any) string {
	text := valueText(v)
	if cli.IsTerminal(a.env.Stdout) {
		return cli.Visible(text)
	}
	return text
}

func valueText(v any) string { return fmt.Sprintf("%v", v) }

// secretPairs lists what the table of an answer shows, in the field's order.
func secretPairs(s *secret) [][]string {
	var out [][]string
	add := func(k string, v any) { out = append(out, []string{k, valueText(v)}) }
	switch {
	case s.WrapInfo != nil:
		return wrapPairs(s.WrapInfo)
	case s.Auth != nil:
		return authPairs(s.Auth)
	case s.LeaseID != "":
		add("lease_id", s.LeaseID)
		add("lease_duration", humanSeconds(s.LeaseDuration))
		add("lease_renewable", s.Renewable)
	case s.LeaseDuration > 0:
		add("refresh_interval", humanSeconds(s.LeaseDuration))
	}
	return append(out, dataPairs(s.data())...)
}

// dataPairs lists a map sorted by name, with time spans written as such.
func dataPairs(data map[string]any) [][]string {
	var out [][]string
	for _, k := range sortedKeys(data) {
		v := data[k]
		if looksLikeSpan(k) {
			v = humanSpan(v)
		}
		out = append(out, []string{k, valueText(v)})
	}
	return out
}

func authPairs(a *auth) [][]string {
	duration := humanSeconds(a.LeaseDuration)
	if a.LeaseDuration == 0 {
		duration = "∞"
	}
	out := [][]string{
		{"token", a.ClientToken},
		{"token_accessor", a.Accessor},
		{"token_duration", duration},
		{"token_renewable", strconv.FormatBool(a.Renewable)},
		{"token_policies", fmt.Sprintf("%q", a.TokenPolicies)},
		{"identity_policies", fmt.Sprintf("%q", a.IdentityPolicies)},
		{"policies", fmt.Sprintf("%q", a.Policies)},
	}
	for _, k := range sortedKeys(a.Metadata) {
		out = append(out, []string{metaPrefix + k, a.Metadata[k]})
	}
	return out
}

func wrapPairs(w *wrapInfo) [][]string {
	created := w.CreationTime
	if t, err := time.Parse(time.RFC3339Nano, created); err == nil {
		created = t.String()
	}
	out := [][]string{
		{"wrapping_token:", w.Token},
		{"wrapping_accessor:", w.Accessor},
		{"wrapping_token_ttl:", humanSeconds(w.TTL)},
		{"wrapping_token_creation_time:", created},
		{"wrapping_token_creation_path:", w.CreationPath},
	}
	if w.WrappedAccessor != "" {
		out = append(out, []string{"wrapped_accessor:", w.WrappedAccessor})
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// looksLikeSpan reports names whose whole numbers are seconds.
func looksLikeSpan(name string) bool {
	for _, n := range []string{"period", "ttl", "duration"} {
		if name == n || strings.HasSuffix(name, "_"+n) {
			return true
		}
	}
	return name == "lease_max" || name == "ttl_max"
}

func humanSpan(v any) any {
	n, ok := v.(cli.Number)
	if !ok {
		return v
	}
	secs, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil {
		return v
	}
	return humanSeconds(secs)
}

// humanSeconds writes 2764800 as 768h and 1800 as 30m.
func humanSeconds(secs int64) string {
	if secs > int64(1<<63-1)/int64(time.Second) || secs < 0 {
		return strconv.FormatInt(secs, 10)
	}
	s := (time.Duration(secs) * time.Second).String()
	if rest, ok := strings.CutSuffix(s, "m0s"); ok {
		s = rest + "m"
	}
	if rest, ok := strings.CutSuffix(s, "h0m"); ok {
		s = rest + "h"
	}
	return s
}

// keysOf returns the "keys" of a LIST answer, sorted.
func keysOf(s *secret) ([]string, bool) {
	list, ok := s.data()["keys"].([]any)
	if !ok {
		return nil, false
	}
	keys := make([]string, 0, len(list))
	for _, k := range list {
		keys = append(keys, valueText(k))
	}
	slices.Sort(keys)
	return keys, true
}

// printKeys shows a LIST answer: one key a line under "Keys", or a bare array.
func (a *app) printKeys(s *secret, path string) error {
	keys, ok := keysOf(s)
	a.warn(s.Warnings)
	if !ok || len(keys) == 0 {
		return a.nothingListed(path)
	}
	if a.set.field != "" {
		return a.printField(s, a.set.field)
	}
	if done, err := a.printData(keys); done {
		return err
	}
	rows := make([][]string, len(keys))
	for i, k := range keys {
		rows[i] = []string{a.cell(k)}
	}
	a.env.PrintColumns([]string{"Keys"}, rows)
	return nil
}

// nothingListed is the answer to a LIST of nothing: status 2, and an empty
// object for those who parse the output.
func (a *app) nothingListed(path string) error {
	if done, err := a.printData(map[string]any{}); done {
		return errors.Join(err, cli.Quiet(cli.StatusServer))
	}
	return cli.Serverf("No value found at %s", path)
}
