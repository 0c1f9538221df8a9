package main

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
)

// loginFlags are those of "login".
type loginFlags struct {
	method, path, jwt, role, audience string
	noStore, noPrint, tokenOnly       bool
}

// loginMethods are the ways to log in that the client knows.
var loginMethods = []string{"token", "jwt"}

func (a *app) newLogin() *cobra.Command {
	var f loginFlags
	cmd := &cobra.Command{
		Use:   "login [flags] [TOKEN | KEY=VALUE...]",
		Short: "Log in and keep the token",
		Long: `Logs in and keeps the token in ~/.vault-token, readable by its owner only.

With -method=jwt the JWT is taken from the first of: jwt=… or -jwt (text, @file
or -), the variable JOTGATE_JWT, GitHub Actions, a GitLab id_token (VAULT_ID_TOKEN or
GITLAB_OIDC_TOKEN), the service account of a Kubernetes pod. It is never shown.`,
		Example: `  jotgate login
  jotgate login s.1a2b3c
  jotgate login -method=jwt role=demo jwt=@token.jwt
  jotgate login -method=jwt -path=github -audience=vault role=deploy
  export VAULT_TOKEN=$(jotgate login -method=jwt -token-only role=demo)`,
		RunE: func(cmd *cobra.Command, args []string) error { return a.login(cmd, f, args) },
	}
	cmd.Flags().StringVar(&f.method, "method", "token", "token or jwt")
	_ = cmd.RegisterFlagCompletionFunc("method", cobra.FixedCompletions(loginMethods, cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().StringVar(&f.path, "path", "", "where the auth method is mounted (default: the method's name)")
	cmd.Flags().StringVar(&f.jwt, "jwt", "", "the JWT: @file, - for standard input, or its text [JOTGATE_JWT]")
	cmd.Flags().StringVar(&f.role, "role", "", "role to log in as (default: the mount's default role)")
	cmd.Flags().StringVar(&f.audience, "audience", "", "audience to ask GitHub Actions for")
	cmd.Flags().BoolVar(&f.noStore, "no-store", false, "do not keep the token")
	cmd.Flags().BoolVar(&f.noPrint, "no-print", false, "do not show the token")
	cmd.Flags().BoolVar(&f.tokenOnly, "token-only", false, "print the token and nothing else, and do not keep it")
	return cmd
}

func (a *app) login(cmd *cobra.Command, f loginFlags, args []string) error {
	if f.tokenOnly {
		f.noStore, f.noPrint, a.set.field = true, false, "token"
	}
	if !slices.Contains(loginMethods, f.method) {
		return cli.Usagef("Unknown auth method: %s. Use \"%s auth list\" to see the complete list of auth\n"+
			"methods. Additionally, some auth methods are only available via the HTTP API.", f.method, a.env.Name)
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	var s *secret
	if f.method == "jwt" {
		s, err = a.loginJWT(cmd.Context(), c, f, args)
	} else {
		s, err = a.loginToken(cmd.Context(), c, f, args)
	}
	if err != nil {
		return failed(err, "Error authenticating")
	}
	if s == nil || (s.Auth == nil && s.WrapInfo == nil) {
		return cli.Serverf("Error authenticating: the server's answer holds no token")
	}
	return a.loggedIn(s, f)
}

// loginToken checks a token that the caller has already.
func (a *app) loginToken(ctx context.Context, c *client, f loginFlags, args []string) (*secret, error) {
	if len(args) > 1 {
		return nil, cli.Usagef("too many arguments: a token login takes one token")
	}
	token := "-"
	if len(args) == 1 {
		token = strings.TrimPrefix(args[0], "token=")
	}
	var err error
	switch {
	case len(args) == 0:
		token, err = a.env.ReadSecret("Token (will be hidden): ")
	case token == "-" || strings.HasPrefix(token, "@"):
		token, err = a.env.Indirect(token)
	}
	if err != nil {
		return nil, err
	}
	if token, err = checkToken(token, "the arguments"); err != nil {
		return nil, err
	}
	if token == "" {
		return nil, cli.WithHint(cli.Usagef("no token was given"),
			"give it as an argument or on standard input with -, or log in with a JWT: jotgate login -method=jwt")
	}
	c.token, c.wrap = token, 0
	s, err := c.call(ctx, request{method: http.MethodGet, path: "auth/token/lookup-self"})
	if err != nil || s == nil {
		return nil, err
	}
	return fromLookup(token, s), nil
}

// fromLookup shows a looked-up token in the shape that a login has.
func fromLookup(token string, s *secret) *secret {
	d := s.data()
	ttl, _ := d["ttl"].(cli.Number)
	n, _ := strconv.ParseInt(string(ttl), 10, 64)
	renewable, _ := d["renewable"].(bool)
	out := &auth{
		ClientToken: token, Accessor: s.text("accessor"), EntityID: s.text("entity_id"),
		LeaseDuration: n, Renewable: renewable,
		TokenPolicies: texts(d["policies"]), IdentityPolicies: texts(d["identity_policies"]),
	}
	out.Policies = append(slices.Clone(out.TokenPolicies), out.IdentityPolicies...)
	slices.Sort(out.Policies)
	out.Policies = slices.Compact(out.Policies)
	if meta, ok := d["meta"].(map[string]any); ok {
		out.Metadata = make(map[string]string, len(meta))
		for k, v := range meta {
			out.Metadata[k] = valueText(v)
		}
	}
	return &secret{RequestID: s.RequestID, Warnings: s.Warnings, Auth: out}
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, item := range list {
		if s, ok := item.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// loginJWT exchanges a JWT for a token.
func (a *app) loginJWT(ctx context.Context, c *client, f loginFlags, args []string) (*secret, error) {
	data, err := a.env.Data(args)
	if err != nil {
		return nil, err
	}
	if f.role != "" {
		data["role"] = f.role
	}
	mount := cleanPath(f.path)
	if mount == "" {
		mount = "jwt"
	}
	if _, given := data["jwt"]; !given {
		data["jwt"], err = a.findJWT(ctx, f)
		if err != nil {
			return nil, err
		}
	}
	if s, ok := data["jwt"].(string); ok {
		if data["jwt"], err = checkJWT(s); err != nil {
			return nil, err
		}
	}
	c.token = "" // a stored token may be of another server or expired
	return c.call(ctx, request{method: http.MethodPut, path: "auth/" + strings.TrimPrefix(mount, "auth/") + "/login", body: data})
}

// checkJWT returns the JWT without the white space around it. It refuses what
// cannot be one before it is sent.
func checkJWT(text string) (string, error) {
	jwt := strings.TrimSpace(text)
	switch {
	case jwt == "":
		return "", cli.WithHint(cli.Usagef("the JWT is empty"), "look at the file or variable that it comes from")
	case strings.HasPrefix(jwt, "\ufeff"):
		return "", cli.WithHint(cli.Usagef("the JWT begins with a byte order mark"), "save the file as UTF-8 without one")
	case strings.ContainsAny(jwt, " \t\r\n"):
		return "", cli.WithHint(cli.Usagef("there is white space in the JWT"), "give the JWT alone, on one line and without \"Bearer\"")
	}
	return jwt, nil
}

func (a *app) loggedIn(s *secret, f loginFlags) error {
	if s.Auth != nil && !f.noStore {
		if err := a.storeToken(s.Auth.ClientToken); err != nil {
			return err
		}
		if _, source := variable(a.env, "TOKEN"); source != "" {
			a.env.Warnf("WARNING! The %s environment variable is set and wins over the stored token.\nUnset it, or set it to the token below, for this login to take effect.\n", source)
		}
	}
	if f.noPrint {
		return nil
	}
	format, err := a.formatName()
	if err != nil {
		return err
	}
	if format == "table" && a.set.field == "" && s.Auth != nil {
		a.env.Println(a.loginText(f))
	}
	return a.print(s)
}

func (a *app) loginText(f loginFlags) string {
	if f.noStore {
		return "Success! You are now authenticated. The token information displayed below is\n" +
			"not stored in the token helper. Set VAULT_TOKEN to the token below to use it in\n" +
			"later requests.\n"
	}
	return "Success! You are now authenticated. The token information displayed below is\n" +
		"already stored in the token helper. You do NOT need to run \"" + a.env.Name + " login\" again.\n" +
		"Future " + a.env.Name + " requests will automatically use this token.\n"
}
