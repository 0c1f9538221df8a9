package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// NormalizeFlags rewrites the field's single-dash long flags (-format=json,
// -path my-path) to the form that the flag library reads, and joins a flag's
// separate value to it. It changes nothing after "--" and leaves single
// letters, "-" and negative numbers alone.
//
// It walks the command tree along with the arguments, because only the flag's
// definition says whether the next argument is its value.
func NormalizeFlags(root *cobra.Command, args []string) []string {
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		return completing(args)
	}
	out := make([]string, 0, len(args))
	cmd := root
	descending := true
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(out, args[i:]...)
		}
		name, isFlag := longFlag(arg)
		if !isFlag {
			if descending {
				cmd, descending = descend(cmd, arg)
			}
			out = append(out, arg)
			continue
		}
		flag := findFlag(cmd, root, strings.SplitN(name, "=", 2)[0])
		if flag != nil && flag.NoOptDefVal == "" && !strings.Contains(name, "=") && i+1 < len(args) {
			i++
			name += "=" + args[i]
		}
		out = append(out, "--"+name)
	}
	return out
}

// completing rewrites the words of a shell that asks for completions. They are
// unfinished, so a flag is not joined with what follows.
func completing(args []string) []string {
	out := slices.Clone(args)
	for i, arg := range args[1:] {
		if arg == "--" {
			break
		}
		if name, ok := longFlag(arg); ok {
			out[i+1] = "--" + name
		}
	}
	return out
}

// longFlag returns the name part of -name, --name, -name=v or --name=v.
func longFlag(arg string) (string, bool) {
	name, ok := strings.CutPrefix(arg, "--")
	if !ok {
		if name, ok = strings.CutPrefix(arg, "-"); !ok || len(name) < 2 || name[1] == '=' {
			return "", false
		}
	}
	if name == "" {
		return "", false
	}
	c := name[0] | 0x20
	return name, c >= 'a' && c <= 'z'
}

func descend(cmd *cobra.Command, arg string) (*cobra.Command, bool) {
	for _, sub := range cmd.Commands() {
		if sub.Name() == arg || sub.HasAlias(arg) {
			return sub, true
		}
	}
	return cmd, false
}

// findFlag looks a flag up in the command, in its parents, and, for a flag
// that stands before its command, everywhere below.
func findFlag(cmd, root *cobra.Command, name string) *pflag.Flag {
	for c := cmd; c != nil; c = c.Parent() {
		if f := c.Flags().Lookup(name); f != nil {
			return f
		}
		if f := c.PersistentFlags().Lookup(name); f != nil {
			return f
		}
	}
	if cmd != root {
		return nil
	}
	for _, c := range root.Commands() {
		if f := c.Flags().Lookup(name); f != nil {
			return f
		}
	}
	return nil
}
