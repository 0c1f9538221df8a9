package main

import (
	"bytes"
	"context"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/iam"
)

func (a *app) newIAM() *cobra.Command {
	c := &cobra.Command{Use: "iam", Short: "Manage users, roles, policies and identity providers",
		Example: "  pvault iam get > iam.toml\n  pvault iam validate --conf=@iam.toml\n  pvault iam apply --conf=@iam.toml"}
	c.AddCommand(a.newIAMGet(), a.newIAMApply(), a.newIAMValidate(), a.newUserView(), a.newResourceView())
	for _, o := range iamOps {
		c.AddCommand(a.newOp(o))
	}
	return c
}

var iamOps = []op{
	{use: "regen-api-key", short: "Give a user a new API key; the old one ends at once", example: "  pvault iam regen-api-key --name=VaultAdmin", method: http.MethodPost, path: "/ctl/iam/user/regen",
		params: []param{{flag: "name", short: "n", api: "name", in: inBody, required: true, usage: "name of the user"}}, columns: []string{"api_key", "api_key_expiry"}, view: viewExpiry},
	{use: "update-api-key-expiration", short: "Change when a user's API key ends", example: "  pvault iam update-api-key-expiration --name=VaultAdmin --expiration-secs=86400", method: http.MethodPost, path: "/ctl/iam/user/update-expiration",
		params:  []param{{flag: "name", short: "n", api: "name", in: inBody, required: true, usage: "name of the user"}, {flag: "expiration-secs", api: "expiration_secs", form: whole, in: inBody, required: true, usage: "seconds from now"}},
		columns: []string{"name", "api_key_expiry"}, view: viewExpiry},
	{use: "get-user", short: "Show a user and when the API key ends", example: "  pvault iam get-user --name=VaultAdmin", method: http.MethodGet, path: "/ctl/iam/user/{user}",
		params: []param{{flag: "name", short: "n", api: "user", in: inPath, required: true, usage: "name of the user"}}, columns: []string{"name", "api_key_expiry"}, view: viewUser},
}

// viewUser lifts the key's expiry into a column.
func viewUser(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	key, _ := m["api_key"].(map[string]any)
	return viewExpiry(map[string]any{"name": m["name"], "api_key_expiry": key["expiry"]})
}

// viewExpiry writes a key's expiry as the reference's tables do.
func viewExpiry(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	text, _ := m["api_key_expiry"].(string)
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		m["api_key_expiry"] = at.UTC().Format("Mon, 02 Jan 2006 15:04:05 MST")
	}
	return m
}

func (a *app) fetchConf(ctx context.Context) ([]byte, error) {
	got, err := a.do(ctx, call{method: http.MethodGet, path: "/ctl/iam/conf", header: http.Header{"Accept": {"application/toml"}}})
	if err != nil {
		return nil, err
	}
	return got.body, nil
}

func (a *app) newIAMGet() *cobra.Command {
	return &cobra.Command{
		Use: "get", Short: "Print the IAM configuration as TOML", Example: "  pvault iam get > iam.toml",
		Args: cli.NArgs(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := a.fetchConf(cmd.Context())
			if err != nil {
				return err
			}
			if a.set.json {
				doc, err := parseConf(conf)
				if err != nil {
					return err
				}
				return a.printJSON(doc)
			}
			_, err = a.env.Stdout.Write(conf)
			return err
		},
	}
}

// confFlag reads --conf: the text, @file, or - for standard input.
func (a *app) confFlag(value string) (text, name string, err error) {
	if value == "" {
		return "", "", cli.WithHint(cli.Usagef("--conf is required"), "give --conf=@iam.toml")
	}
	text, err = a.env.Indirect(value)
	name = "--conf"
	if file, ok := strings.CutPrefix(value, "@"); ok {
		name = path.Base(file)
	}
	return text, name, err
}

func (a *app) newIAMApply() *cobra.Command {
	var conf string
	cmd := &cobra.Command{
		Use: "apply", Short: "Replace the IAM configuration",
		Long:    "Replaces the whole IAM configuration. The server checks it first and keeps the\nold one when anything is wrong.",
		Example: "  pvault iam apply --conf=@iam.toml",
		Args:    cli.NArgs(0, 0, "flags only"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, _, err := a.confFlag(conf)
			if err != nil {
				return err
			}
			if _, err := a.do(cmd.Context(), call{method: http.MethodPost, path: "/ctl/iam/conf", body: []byte(text), typ: "application/toml"}); err != nil {
				return err
			}
			if !a.set.json {
				a.env.Println("The IAM configuration was applied.")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&conf, "conf", "", "the configuration, or @file")
	return cmd
}

func (a *app) newIAMValidate() *cobra.Command {
	var conf string
	cmd := &cobra.Command{
		Use: "validate", Short: "Check an IAM file without a server",
		Long:    "Checks an IAM file with the compiler that the server uses. All problems are\nlisted at once. No server is asked and no key is fetched.",
		Example: "  pvault iam validate --conf=@iam.toml",
		Args:    cli.NArgs(0, 0, "flags only"),
		RunE: func(*cobra.Command, []string) error {
			text, name, err := a.confFlag(conf)
			if err != nil {
				return err
			}
			if _, err := iam.Compile(text, iam.Options{File: name}); err != nil {
				return cli.Usagef("%s", fault.PublicText(err))
			}
			a.env.Printf("%s can be applied.\n", name)
			return nil
		},
	}
	cmd.Flags().StringVar(&conf, "conf", "", "the configuration, or @file")
	return cmd
}

// iamDoc is what the views read of an IAM file. They show what is written and
// decide nothing.
type iamDoc struct {
	Users    map[string]iamUser   `toml:"users" json:"users"`
	Roles    map[string]iamRole   `toml:"roles" json:"roles"`
	Policies map[string]iamPolicy `toml:"policies" json:"policies"`
	IDPs     map[string]any       `toml:"idps" json:"idps"`
}

type iamUser struct {
	Role     string `toml:"role" json:"role"`
	Disabled bool   `toml:"disabled" json:"disabled"`
}

type iamRole struct {
	Capabilities []string `toml:"capabilities" json:"capabilities"`
	Policies     []string `toml:"policies" json:"policies"`
	TrustedRoles []string `toml:"trusted_roles" json:"trusted_roles"`
}

type iamPolicy struct {
	Operations []string `toml:"operations" json:"operations"`
	Type       string   `toml:"policy_type" json:"policy_type"`
	Reasons    []string `toml:"reasons" json:"reasons"`
	Resources  []string `toml:"resources" json:"resources"`
}

func parseConf(conf []byte) (*iamDoc, error) {
	var doc iamDoc
	if err := toml.NewDecoder(bytes.NewReader(conf)).Decode(&doc); err != nil {
		return nil, cli.Fail(err, "the server's IAM configuration is not readable TOML")
	}
	return &doc, nil
}

func (a *app) newUserView() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "user-view", Short: "Show what the IAM configuration gives to a user", Example: "  pvault iam user-view --name=VaultAdmin",
		Args: cli.NArgs(0, 0, "flags only"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := a.fetchConf(cmd.Context())
			if err != nil {
				return err
			}
			doc, err := parseConf(conf)
			if err != nil {
				return err
			}
			return a.userView(doc, name)
		},
	}
	cmd.Flags().StringVarP(&name, "name", "n", "", "name of the user (default: all)")
	return cmd
}

func (a *app) userView(doc *iamDoc, name string) error {
	if name != "" {
		if _, ok := doc.Users[name]; !ok {
			err := cli.Usagef("the IAM configuration has no user %q", name)
			if best := cli.Nearest(name, sortedKeys(doc.Users)); best != "" {
				return cli.WithHint(err, "did you mean "+best+"?")
			}
			return err
		}
	}
	rows := []any{}
	for _, user := range sortedKeys(doc.Users) {
		if name != "" && user != name {
			continue
		}
		u := doc.Users[user]
		role := doc.Roles[u.Role]
		rows = append(rows, map[string]any{
			"user": user, "disabled": u.Disabled, "role": u.Role,
			"capabilities": strings.Join(role.Capabilities, ", "), "policies": strings.Join(role.Policies, ", "),
		})
	}
	return a.print(rows, []string{"user", "disabled", "role", "capabilities", "policies"})
}

func (a *app) newResourceView() *cobra.Command {
	var resource string
	cmd := &cobra.Command{
		Use: "resource-view", Short: "Show which policies and roles speak of a resource", Example: "  pvault iam resource-view --resource=customers/properties/email",
		Args: cli.NArgs(0, 0, "flags only"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if resource == "" {
				return cli.WithHint(cli.Usagef("--resource is required"), "write it as collection/properties/name or collection/types/NAME")
			}
			conf, err := a.fetchConf(cmd.Context())
			if err != nil {
				return err
			}
			doc, err := parseConf(conf)
			if err != nil {
				return err
			}
			return a.print(resourceRows(doc, resource), []string{"policy", "policy_type", "operations", "reasons", "roles"})
		},
	}
	cmd.Flags().StringVar(&resource, "resource", "", "collection/kind/name, such as customers/properties/email")
	return cmd
}

func resourceRows(doc *iamDoc, resource string) []any {
	rows := []any{}
	for _, name := range sortedKeys(doc.Policies) {
		p := doc.Policies[name]
		if !slices.ContainsFunc(p.Resources, func(glob string) bool { return speaksOf(glob, resource) }) {
			continue
		}
		var roles []string
		for _, role := range sortedKeys(doc.Roles) {
			if slices.Contains(doc.Roles[role].Policies, name) {
				roles = append(roles, role)
			}
		}
		rows = append(rows, map[string]any{"policy": name, "policy_type": p.Type, "operations": strings.Join(p.Operations, ", "),
			"reasons": strings.Join(p.Reasons, ", "), "roles": strings.Join(roles, ", ")})
	}
	return rows
}

// speaksOf reports whether a policy's resource covers the one asked for; a lone
// * covers everything.
func speaksOf(glob, resource string) bool {
	if glob == "*" {
		return true
	}
	want, have := strings.Split(resource, "/"), strings.Split(glob, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range have {
		if ok, err := path.Match(have[i], want[i]); err != nil || !ok {
			return false
		}
	}
	return true
}
