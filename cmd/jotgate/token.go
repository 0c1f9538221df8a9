package main

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

func (a *app) newToken() *cobra.Command {
	return group("token", "Work with tokens", "  jotgate token lookup\n  jotgate token create -policy=webapps -ttl=1h",
		a.newTokenLookup(), a.newTokenRenew(), a.newTokenRevoke(), a.newTokenCreate(), a.newTokenCapabilities())
}

func (a *app) newTokenLookup() *cobra.Command {
	var accessor bool
	cmd := &cobra.Command{
		Use:     "lookup [flags] [TOKEN | ACCESSOR]",
		Short:   "Show a token's properties",
		Example: "  jotgate token lookup\n  jotgate token lookup -accessor 4W70IUveBcgKlg6vov5CVxwM",
		Args:    cli.NArgs(0, 1, "at most one token"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.tokenRequest(args, accessor, "lookup", http.MethodPost)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				r = request{method: http.MethodGet, path: "auth/token/lookup-self"}
			}
			return a.tokenCall(cmd, r, "Error looking up token")
		},
	}
	cmd.Flags().BoolVar(&accessor, "accessor", false, "the argument is an accessor")
	return cmd
}

// tokenRequest builds the request on a token or accessor that was named.
func (a *app) tokenRequest(args []string, accessor bool, verb, method string) (request, error) {
	if accessor && len(args) == 0 {
		return request{}, cli.Usagef("-accessor needs an accessor as argument")
	}
	if len(args) == 0 {
		return request{}, nil
	}
	value, err := a.env.Indirect(args[0])
	if err != nil {
		return request{}, err
	}
	value = strings.TrimSpace(value)
	if accessor {
		return request{method: http.MethodPost, path: "auth/token/" + verb + "-accessor", body: map[string]any{"accessor": value}}, nil
	}
	return request{method: method, path: "auth/token/" + verb, body: map[string]any{"token": value}}, nil
}

func (a *app) tokenCall(cmd *cobra.Command, r request, what string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	s, err := c.call(cmd.Context(), r)
	if err != nil {
		return failed(err, "%s", what)
	}
	if s.empty() {
		return cli.Serverf("%s: the server's answer is empty", what)
	}
	return a.print(s)
}

func (a *app) newTokenRenew() *cobra.Command {
	var accessor bool
	var increment, jwt string
	cmd := &cobra.Command{
		Use:     "renew [flags] [TOKEN | ACCESSOR]",
		Short:   "Extend a token's life",
		Long:    "A token that ends with the JWT of its login is carried on with a new JWT of the\nsame user, by -jwt.",
		Example: "  jotgate token renew\n  jotgate token renew -increment=30m\n  jotgate token renew -jwt=@token.jwt",
		Args:    cli.NArgs(0, 1, "at most one token"),
		RunE: func(cmd *cobra.Command, args []string) error {
			inc, err := flagSeconds("increment", increment)
			if err != nil {
				return err
			}
			r, err := a.tokenRequest(args, accessor, "renew", http.MethodPut)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				r = request{method: http.MethodPut, path: "auth/token/renew-self", body: map[string]any{}}
			}
			body := r.body.(map[string]any)
			body["increment"] = inc
			if jwt != "" {
				if accessor {
					return cli.Usagef("-jwt needs the token itself, not its accessor")
				}
				if jwt, err = a.env.Indirect(jwt); err != nil {
					return err
				}
				body["jwt"] = strings.TrimSpace(jwt)
			}
			return a.tokenCall(cmd, r, "Error renewing token")
		},
	}
	cmd.Flags().BoolVar(&accessor, "accessor", false, "the argument is an accessor")
	cmd.Flags().StringVarP(&increment, "increment", "i", "", "wished life from now on (default: the server decides)")
	cmd.Flags().StringVar(&jwt, "jwt", "", "a new JWT of the token's user: @file, - for standard input, or its text")
	cmd.Flags().StringVar(&increment, "i", "", "same as -increment")
	_ = cmd.Flags().MarkHidden("i")
	return cmd
}

// flagSeconds reads a time span flag as whole seconds.
func flagSeconds(flag, value string) (int64, error) {
	if value == "" {
		return 0, nil
	}
	d, err := cli.ParseDuration(value)
	if err != nil {
		return 0, cli.Usagef("-%s: %v", flag, err)
	}
	return int64(d / time.Second), nil
}

// flagSpan reads a time span flag as the text that the server reads ("10m0s").
func flagSpan(flag, value string) (string, error) {
	if value == "" {
		return "0s", nil
	}
	d, err := cli.ParseDuration(value)
	if err != nil {
		return "", cli.Usagef("-%s: %v", flag, err)
	}
	return d.String(), nil
}

func (a *app) newTokenRevoke() *cobra.Command {
	var self, accessor bool
	var mode string
	cmd := &cobra.Command{
		Use:   "revoke [flags] [TOKEN | ACCESSOR | PATH]",
		Short: "End a token and what it created",
		Example: `  jotgate token revoke -self
  jotgate token revoke -accessor 4W70IUveBcgKlg6vov5CVxwM
  jotgate token revoke -mode=path auth/jwt`,
		Args: cli.NArgs(0, 1, "at most one token"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.revokeRequest(args, self, accessor, mode)
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			if _, err := c.call(cmd.Context(), r); err != nil {
				return failed(err, "Error revoking token")
			}
			return a.done("Success! Revoked token (if it existed)")
		},
	}
	cmd.Flags().BoolVar(&self, "self", false, "revoke the caller's own token")
	cmd.Flags().BoolVar(&accessor, "accessor", false, "the argument is an accessor")
	cmd.Flags().StringVar(&mode, "mode", "", "orphan: keep its children; path: revoke all tokens made at PATH")
	return cmd
}

func (a *app) revokeRequest(args []string, self, accessor bool, mode string) (request, error) {
	switch {
	case self && (len(args) > 0 || accessor || mode != ""):
		return request{}, cli.Usagef("-self takes no argument, no -accessor and no -mode")
	case self:
		return request{method: http.MethodPut, path: "auth/token/revoke-self"}, nil
	case len(args) == 0:
		return request{}, cli.Usagef("not enough arguments: needs a token, or -self")
	case accessor && mode != "":
		return request{}, cli.Usagef("-accessor and -mode cannot be used together")
	case mode == "path":
		return request{method: http.MethodPut, path: "sys/leases/revoke-prefix/" + cleanPath(args[0])}, nil
	case mode == "orphan":
		return a.tokenRequest(args, false, "revoke-orphan", http.MethodPut)
	case mode != "":
		return request{}, cli.Usagef("-mode must be orphan or path, got %q", mode)
	}
	return a.tokenRequest(args, accessor, "revoke", http.MethodPut)
}

// createFlags are those of "token create".
type createFlags struct {
	id, name, ttl, maxTTL, period, typ, role, alias string
	policies, metadata                              []string
	orphan, noDefault, renewable                    bool
	uses                                            int
}

func (a *app) newTokenCreate() *cobra.Command {
	var f createFlags
	cmd := &cobra.Command{
		Use:     "create [flags]",
		Short:   "Make a token",
		Example: "  jotgate token create -policy=webapps -ttl=1h\n  jotgate token create -orphan -period=24h -metadata=team=core",
		Args:    cli.NArgs(0, 0, "flags only"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			body, err := f.body()
			if err != nil {
				return err
			}
			path := "auth/token/create"
			switch {
			case f.role != "":
				path += "/" + f.role
			case f.orphan:
				path += "-orphan"
			}
			return a.tokenCall(cmd, request{method: http.MethodPost, path: path, body: body}, "Error creating token")
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.id, "id", "", "the token's own text (root only)")
	fl.StringVar(&f.name, "display-name", "", "name for the audit log")
	fl.StringVar(&f.ttl, "ttl", "", "first life")
	fl.StringVar(&f.maxTTL, "explicit-max-ttl", "", "end that no renewal passes")
	fl.StringVar(&f.period, "period", "", "life that each renewal gives, without an end")
	fl.StringVar(&f.typ, "type", "service", "service or batch")
	fl.StringVar(&f.role, "role", "", "token role to create it under")
	fl.StringVar(&f.alias, "entity-alias", "", "entity alias that the token acts as (needs -role)")
	fl.StringArrayVar(&f.policies, "policy", nil, "policy; may be repeated")
	fl.StringArrayVar(&f.metadata, "metadata", nil, "key=value for the audit log; may be repeated")
	fl.BoolVar(&f.orphan, "orphan", false, "no parent: it outlives the caller's token")
	fl.BoolVar(&f.noDefault, "no-default-policy", false, "without the policy \"default\"")
	fl.BoolVar(&f.renewable, "renewable", true, "may be renewed")
	fl.IntVar(&f.uses, "use-limit", 0, "number of uses; 0 for no limit")
	return cmd
}

func (f createFlags) body() (map[string]any, error) {
	body := map[string]any{
		"display_name": f.name, "entity_alias": f.alias, "num_uses": f.uses,
		"renewable": f.renewable, "type": f.typ,
	}
	for name, value := range map[string]string{"ttl": f.ttl, "explicit-max-ttl": f.maxTTL, "period": f.period} {
		span, err := flagSpan(name, value)
		if err != nil {
			return nil, err
		}
		body[strings.ReplaceAll(name, "-", "_")] = span
	}
	meta, err := cli.Pairs("-metadata", f.metadata)
	if err != nil {
		return nil, err
	}
	if len(meta) > 0 {
		body["meta"] = meta
	}
	if len(f.policies) > 0 {
		body["policies"] = f.policies
	}
	if f.id != "" {
		body["id"] = f.id
	}
	if f.noDefault {
		body["no_default_policy"] = true
	}
	return body, nil
}

func (a *app) newTokenCapabilities() *cobra.Command {
	var accessor bool
	cmd := &cobra.Command{
		Use:     "capabilities [flags] [TOKEN | ACCESSOR] PATH",
		Short:   "Show what a token may do at a path",
		Example: "  jotgate token capabilities secret/data/app\n  jotgate token capabilities -accessor 4W70IUveBcgKlg6vov5CVxwM secret/data/app",
		Args:    cli.NArgs(1, 2, "a path, or a token and a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.capabilities(cmd, args, accessor)
		},
	}
	cmd.Flags().BoolVar(&accessor, "accessor", false, "the first argument is an accessor")
	return cmd
}

func (a *app) capabilities(cmd *cobra.Command, args []string, accessor bool) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	path := args[len(args)-1]
	r := request{method: http.MethodPost, path: "sys/capabilities-self", body: map[string]any{"path": path}}
	switch {
	case accessor && len(args) == 2:
		r.path, r.body = "sys/capabilities-accessor", map[string]any{"path": path, "accessor": args[0]}
	case accessor:
		return cli.Usagef("-accessor needs an accessor and a path")
	case len(args) == 2:
		r.path, r.body = "sys/capabilities", map[string]any{"path": path, "token": args[0]}
	}
	s, err := c.call(cmd.Context(), r)
	if err != nil {
		return failed(err, "Error listing capabilities")
	}
	list := texts(s.data()["capabilities"])
	if list == nil {
		list = texts(s.data()[path])
	}
	slices.Sort(list)
	if done, err := a.printData(list); done {
		return err
	}
	a.env.Println(strings.Join(list, ", "))
	return nil
}
