package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Run executes the program with args (without the program's name) and returns
// the exit status. An interrupt ends the running request cleanly.
func Run(env *Env, root *cobra.Command, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	Prepare(env, root)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		err = Failf("interrupted")
	}
	return env.Report(err)
}

// Prepare gives every command of the tree the manners that both clients share:
// errors are ours to print, an unknown command or flag suggests the nearest
// one, and a group without a command prints its help.
func Prepare(env *Env, root *cobra.Command) {
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SilenceErrors = true
	root.SilenceUsage = true
	root.SuggestionsMinimumDistance = 2
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetFlagErrorFunc(env.flagError)
	prepareGroup(root)
}

func prepareGroup(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		prepareGroup(sub)
	}
	if cmd.Runnable() || !cmd.HasSubCommands() {
		return
	}
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return unknownCommand(cmd, args[0])
	}
}

func unknownCommand(cmd *cobra.Command, name string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	err := Usagef("unknown command %q for %q", name, cmd.CommandPath())
	if best := Nearest(name, names); best != "" {
		return WithHint(err, "did you mean \""+cmd.CommandPath()+" "+best+"\"?")
	}
	return WithHint(err, "run \""+cmd.CommandPath()+" --help\" for the commands")
}

// flagKinds says what a flag of each type takes.
var flagKinds = map[string]string{"int": "a whole number", "bool": "true or false", "duration": "a duration such as 30s"}

func (e *Env) flagError(cmd *cobra.Command, err error) error {
	dash := e.Dash
	if dash == "" {
		dash = "--"
	}
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) {
		kind, ok := flagKinds[bad.GetFlag().Value.Type()]
		if !ok {
			kind = "a value of this flag"
		}
		return WithHint(Usagef("%s: %s%s: %q is not %s", cmd.CommandPath(), dash, bad.GetFlag().Name, bad.GetValue(), kind),
			"run \""+cmd.CommandPath()+" --help\" for its flags")
	}
	// A word before the flag that no command of the group has is the mistake:
	// the flag may well be one of the command that was meant.
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	text := err.Error()
	name, ok := strings.CutPrefix(text, "unknown flag: --")
	if !ok {
		return WithHint(Usagef("%s: %s", cmd.CommandPath(), text), "run \""+cmd.CommandPath()+" --help\" for its flags")
	}
	wrapped := Usagef("unknown flag %s%s for %q", dash, name, cmd.CommandPath())
	if best := Nearest(name, flagNames(cmd)); best != "" {
		return WithHint(wrapped, "did you mean "+dash+best+"?")
	}
	return WithHint(wrapped, "run \""+cmd.CommandPath()+" --help\" for its flags")
}

// NArgs returns a check on the number of arguments that answers with one clear
// line. A negative max means any number.
func NArgs(min, max int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < min:
			return WithHint(Usagef("%s: not enough arguments: needs %s", cmd.CommandPath(), what),
				"usage: "+cmd.UseLine())
		case max >= 0 && len(args) > max:
			return WithHint(Usagef("%s: too many arguments: %q is not expected", cmd.CommandPath(), args[max]),
				"usage: "+cmd.UseLine())
		}
		return nil
	}
}

// Nearest returns the candidate that a typing mistake most likely meant, or "".
func Nearest(name string, candidates []string) string {
	best, bestDistance := "", 3
	if len(name) <= 3 {
		bestDistance = 2
	}
	slices.Sort(candidates)
	for _, c := range candidates {
		if d := distance(strings.ToLower(name), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	if best != "" {
		return best
	}
	for _, c := range candidates {
		if len(name) >= 3 && strings.HasPrefix(c, name) {
			return c
		}
	}
	return ""
}

// distance is the edit distance with transposition of neighbours.
func distance(a, b string) int {
	prev2, prev := make([]int, len(b)+1), make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
