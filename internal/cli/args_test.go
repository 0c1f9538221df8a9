package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// tree is a small command tree: root -namespace, kv get -version -f, kv put -cas.
func tree() *cobra.Command {
	root := &cobra.Command{Use: "prog"}
	root.PersistentFlags().String("namespace", "", "")
	root.PersistentFlags().Bool("curl", false, "")
	kv := &cobra.Command{Use: "kv"}
	get := &cobra.Command{Use: "get", RunE: func(*cobra.Command, []string) error { return nil }}
	get.Flags().Int("version", 0, "")
	get.Flags().BoolP("force", "f", false, "")
	put := &cobra.Command{Use: "put", RunE: func(*cobra.Command, []string) error { return nil }}
	put.Flags().Int("cas", -1, "")
	kv.AddCommand(get, put)
	root.AddCommand(kv)
	return root
}

func TestSingleDashFlagsAreNormalised(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"with equals", "kv get -version=1 p", "kv get --version=1 p"},
		{"value apart", "kv get -version 1 p", "kv get --version=1 p"},
		{"two dashes", "kv get --version 1 p", "kv get --version=1 p"},
		{"a negative value", "kv put -cas -1 p", "kv put --cas=-1 p"},
		{"a switch takes no value", "-curl kv get p", "--curl kv get p"},
		{"before the command", "-namespace ns1/ kv get p", "--namespace=ns1/ kv get p"},
		{"inherited, after the command", "kv get -namespace=a p", "kv get --namespace=a p"},
		{"single letters stay", "kv get -f p", "kv get -f p"},
		{"a dash is an argument", "kv put p -", "kv put p -"},
		{"nothing after two dashes", "kv put -- -version=1", "kv put -- -version=1"},
		{"a value is no command", "-namespace kv kv get", "--namespace=kv kv get"},
		{"unknown flags pass", "kv get -nothing=1", "kv get --nothing=1"},
		{"key=value is no flag", "kv put p a=-b", "kv put p a=-b"},
		{"a flag at the end", "kv get -version", "kv get --version"},
		{"completion words after -- stay", "__complete auth enable -path -- -x", "__complete auth enable --path -- -x"},
		{"completion words are not joined", "__complete kv get -version 1", "__complete kv get --version 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := NormalizeFlags(tree(), strings.Fields(c.in)); !slices.Equal(got, strings.Fields(c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := NormalizeFlags(tree(), []string{"kv", "put", "-", "--", ""}); len(got) != 5 {
		t.Errorf("got %q", got)
	}
}

func FuzzNormalizeFlags(f *testing.F) {
	f.Add("kv get -version 1 p")
	f.Add("- -- --=x -= ---")
	f.Add("__complete -- -- -= --- -")
	f.Fuzz(func(t *testing.T, s string) {
		in := strings.Split(s, " ")
		if got := NormalizeFlags(tree(), in); len(got) > len(in) {
			t.Errorf("%q became %q", in, got)
		}
	})
}

func TestMistypedNamesSuggestTheNearest(t *testing.T) {
	names := []string{"read", "write", "delete", "list", "login", "lease", "kv", "unwrap"}
	for in, want := range map[string]string{
		"raed": "read", "wirte": "write", "lst": "list", "logn": "login", "delet": "delete",
		"unwr": "unwrap", "xyzzy": "", "": "", "k": "kv",
	} {
		if got := Nearest(in, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
}
