package main

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/jotgate/jotgate/internal/cli"
)

// mountKind is what differs between auth methods and secrets engines.
type mountKind struct {
	api    string // where they are enabled
	tune   string // prefix of the tune path below sys/mounts
	prefix string // prefix of their paths in sys/remount
	noun   string
	list   string // what failed when a listing fails
}

var (
	authKind    = mountKind{api: "sys/auth/", tune: "sys/mounts/auth/", prefix: "auth/", noun: "auth method", list: "Error listing enabled authentications"}
	secretsKind = mountKind{api: "sys/mounts/", tune: "sys/mounts/", prefix: "", noun: "secrets engine", list: "Error listing secrets engines"}
)

// example writes the lines of a help text as commands of this kind.
func (k mountKind) example(lines ...string) string {
	group := "secrets"
	if k == authKind {
		group = "auth"
	}
	return "  jotgate " + group + " " + strings.Join(lines, "\n  jotgate "+group+" ")
}

// mount is one row of sys/auth or sys/mounts, in the order that JSON output
// has had.
type mount struct {
	UUID                  string            `json:"uuid"`
	Type                  string            `json:"type"`
	Description           string            `json:"description"`
	Accessor              string            `json:"accessor"`
	Config                mountConfig       `json:"config"`
	Options               map[string]string `json:"options"`
	Local                 bool              `json:"local"`
	SealWrap              bool              `json:"seal_wrap"`
	ExternalEntropyAccess bool              `json:"external_entropy_access"`
	PluginVersion         string            `json:"plugin_version"`
	RunningPluginVersion  string            `json:"running_plugin_version"`
	RunningSha256         string            `json:"running_sha256"`
	DeprecationStatus     string            `json:"deprecation_status"`
}

// mountConfig are a mount's own settings.
type mountConfig struct {
	DefaultLeaseTTL     any      `json:"default_lease_ttl"`
	MaxLeaseTTL         any      `json:"max_lease_ttl"`
	ForceNoCache        bool     `json:"force_no_cache"`
	AuditRequestKeys    []string `json:"audit_non_hmac_request_keys,omitempty"`
	AuditResponseKeys   []string `json:"audit_non_hmac_response_keys,omitempty"`
	ListingVisibility   string   `json:"listing_visibility,omitzero"`
	PassthroughHeaders  []string `json:"passthrough_request_headers,omitempty"`
	AllowedHeaders      []string `json:"allowed_response_headers,omitempty"`
	TokenType           string   `json:"token_type,omitzero"`
	AllowedManagedKeys  []string `json:"allowed_managed_keys,omitempty"`
	DelegatedAccessors  []string `json:"delegated_auth_accessors,omitempty"`
	IdentityTokenKey    string   `json:"identity_token_key,omitzero"`
	TrimSlashes         bool     `json:"trim_request_trailing_slashes,omitzero"`
	UserLockoutSettings any      `json:"user_lockout_config,omitzero"`
}

// tuneFlags are the settings that enable and tune share.
type tuneFlags struct {
	defaultTTL, maxTTL, visibility, tokenType, description, version string
	pluginVersion, tokenKey                                         string
	trimSlashes                                                     *bool // nil: not given
	auditRequest, auditResponse, passHeaders, allowedHeaders        []string
	managedKeys, delegated                                          []string
	options                                                         []string
	lockout                                                         map[string]*string // by field of user_lockout_config
}

// enableFlags are the settings that only enable has.
type enableFlags struct {
	path, pluginName                       string
	local, sealWrap, forceNoCache, entropy bool
}

func (e *enableFlags) add(f *pflag.FlagSet) {
	f.StringVar(&e.path, "path", "", "where to mount it (default: its type)")
	f.StringVar(&e.pluginName, "plugin-name", "", "other way to name the type")
	f.BoolVar(&e.local, "local", false, "do not replicate the mount")
	f.BoolVar(&e.sealWrap, "seal-wrap", false, "wrap its values with the seal too")
	f.BoolVar(&e.forceNoCache, "force-no-cache", false, "kept by the server; nothing is cached")
	f.BoolVar(&e.entropy, "external-entropy-access", false, "kept by the server")
}

func (t *tuneFlags) add(f *pflag.FlagSet, k mountKind) {
	f.StringVar(&t.description, "description", "", "what it is for")
	f.StringVar(&t.defaultTTL, "default-lease-ttl", "", "life of leases that ask for none")
	f.StringVar(&t.maxTTL, "max-lease-ttl", "", "longest life of a lease")
	f.StringVar(&t.visibility, "listing-visibility", "", "unauth shows the mount to callers without a token; hidden does not")
	f.StringArrayVar(&t.auditRequest, "audit-non-hmac-request-keys", nil, "request key that audit shows in clear; may be repeated")
	f.StringArrayVar(&t.auditResponse, "audit-non-hmac-response-keys", nil, "response key that audit shows in clear; may be repeated")
	f.StringArrayVar(&t.passHeaders, "passthrough-request-headers", nil, "kept by the server; may be repeated")
	f.StringArrayVar(&t.allowedHeaders, "allowed-response-headers", nil, "kept by the server; may be repeated")
	f.StringArrayVar(&t.managedKeys, "allowed-managed-keys", nil, "kept by the server; may be repeated")
	f.StringArrayVar(&t.delegated, "delegated-auth-accessors", nil, "kept by the server; may be repeated")
	f.StringVar(&t.tokenKey, "identity-token-key", "", "kept by the server; only \"default\"")
	f.BoolFunc("trim-request-trailing-slashes", "let a write to PATH/ go to PATH", func(s string) error {
		v, err := strconv.ParseBool(s)
		t.trimSlashes = &v
		return err
	})
	f.StringArrayVar(&t.options, "options", nil, "key=value for the mount; may be repeated")
	if k == authKind {
		f.StringVar(&t.tokenType, "token-type", "", "default-service, default-batch, service or batch")
		t.lockout = map[string]*string{}
		for _, name := range []string{"threshold", "duration", "counter-reset-duration", "disable"} {
			t.lockout["lockout_"+strings.ReplaceAll(name, "-", "_")] = f.String("user-lockout-"+name, "", "for methods with passwords, which this server does not have")
		}
	}
	f.StringVar(&t.version, "version", "", "version of the type (kv: 1 or 2)")
	f.StringVar(&t.pluginVersion, "plugin-version", "", "must be empty: types are built in")
}

// config returns what was given beyond the time spans.
func (t *tuneFlags) config() map[string]any {
	out := map[string]any{}
	for name, v := range map[string]string{"listing_visibility": t.visibility, "token_type": t.tokenType, "plugin_version": t.pluginVersion,
		"identity_token_key": t.tokenKey} {
		if v != "" {
			out[name] = v
		}
	}
	for name, v := range map[string][]string{
		"audit_non_hmac_request_keys": t.auditRequest, "audit_non_hmac_response_keys": t.auditResponse,
		"passthrough_request_headers": t.passHeaders, "allowed_response_headers": t.allowedHeaders,
		"allowed_managed_keys": t.managedKeys, "delegated_auth_accessors": t.delegated,
	} {
		if len(v) > 0 {
			out[name] = v
		}
	}
	if t.trimSlashes != nil {
		out["trim_request_trailing_slashes"] = *t.trimSlashes
	}
	lockout := map[string]any{}
	for name, v := range t.lockout {
		if *v != "" {
			lockout[name] = *v
		}
	}
	if len(lockout) > 0 {
		out["user_lockout_config"] = lockout
	}
	return out
}

func (t *tuneFlags) optionMap() (map[string]string, error) {
	options, err := cli.Pairs("-options", t.options)
	if err != nil {
		return nil, err
	}
	if t.version != "" {
		if _, err := strconv.Atoi(t.version); err != nil {
			return nil, cli.Usagef("-version must be a number, got %q", t.version)
		}
		options["version"] = t.version
	}
	if len(options) == 0 {
		return nil, nil
	}
	return options, nil
}

func (a *app) newAuth() *cobra.Command {
	return group("auth", "Enable and tune auth methods", "  jotgate auth enable jwt\n  jotgate auth enable -path=github jwt\n  jotgate auth list",
		a.newEnable(authKind), a.newDisable(authKind), a.newMountList(authKind), a.newTune(authKind), a.newMove(authKind), a.newAuthHelp())
}

func (a *app) newSecrets() *cobra.Command {
	return group("secrets", "Enable and tune secrets engines", "  jotgate secrets enable -path=secret -version=2 kv\n  jotgate secrets list",
		a.newEnable(secretsKind), a.newDisable(secretsKind), a.newMountList(secretsKind), a.newTune(secretsKind), a.newMove(secretsKind))
}

func (a *app) newEnable(k mountKind) *cobra.Command {
	var t tuneFlags
	var e enableFlags
	example := "  jotgate auth enable jwt\n  jotgate auth enable -path=my-path -description=\"CI jobs\" jwt"
	if k == secretsKind {
		example = "  jotgate secrets enable kv-v2\n  jotgate secrets enable -path=secret -version=2 kv"
	}
	cmd := &cobra.Command{
		Use: "enable [flags] TYPE", Short: "Enable a" + an(k.noun), Example: example,
		Args: cli.NArgs(1, 1, "a type"),
		RunE: func(cmd *cobra.Command, args []string) error {
			typ := strings.TrimSpace(args[0])
			if k == secretsKind && (typ == "kv-v2" || typ == "kv-v1") {
				typ, t.version = "kv", typ[len("kv-v"):]
				if e.path == "" {
					e.path = args[0]
				}
			}
			if e.path == "" {
				e.path = typ
			}
			body, err := t.enableBody(typ, &e)
			if err != nil {
				return err
			}
			at := cleanPath(e.path)
			if err := a.do(cmd, http.MethodPost, k.api+at, body); err != nil {
				if k == secretsKind {
					return failed(err, "Error enabling")
				}
				return failed(err, "Error enabling %s auth", typ)
			}
			if k == secretsKind {
				return a.done("Success! Enabled the %s secrets engine at: %s/", strings.TrimSpace(args[0]), at)
			}
			return a.done("Success! Enabled %s auth method at: %s/", typ, at)
		},
	}
	e.add(cmd.Flags())
	t.add(cmd.Flags(), k)
	return cmd
}

func an(noun string) string {
	if strings.HasPrefix(noun, "a") {
		return "n " + noun
	}
	return " " + noun
}

func (t *tuneFlags) enableBody(typ string, e *enableFlags) (map[string]any, error) {
	config := t.config()
	config["force_no_cache"] = e.forceNoCache
	config["options"] = nil
	for name, v := range map[string]string{"default-lease-ttl": t.defaultTTL, "max-lease-ttl": t.maxTTL} {
		span, err := flagSpan(name, v)
		if err != nil {
			return nil, err
		}
		config[strings.ReplaceAll(name, "-", "_")] = span
	}
	options, err := t.optionMap()
	if err != nil {
		return nil, err
	}
	body := map[string]any{"type": typ, "description": t.description, "config": config, "options": options,
		"local": e.local, "seal_wrap": e.sealWrap, "external_entropy_access": e.entropy}
	if e.pluginName != "" {
		body["plugin_name"] = e.pluginName
	}
	return body, nil
}

// do sends a request whose answer is not looked at.
func (a *app) do(cmd *cobra.Command, method, path string, body any) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	s, err := c.call(cmd.Context(), request{method: method, path: path, body: body})
	if err == nil && s != nil {
		a.warn(s.Warnings)
	}
	return err
}

func (a *app) newDisable(k mountKind) *cobra.Command {
	return &cobra.Command{
		Use: "disable [flags] PATH", Short: "Disable a" + an(k.noun) + " and revoke what it issued",
		Example: k.example("disable my-path"),
		Args:    cli.NArgs(1, 1, "a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := cleanPath(args[0])
			if err := a.do(cmd, http.MethodDelete, k.api+path, nil); err != nil {
				return failed(err, "Error disabling %s at %s/", k.noun, path)
			}
			return a.done("Success! Disabled the %s (if it existed) at: %s/", k.noun, path)
		},
	}
}

func (a *app) newMountList(k mountKind) *cobra.Command {
	var detailed bool
	cmd := &cobra.Command{
		Use: "list [flags]", Short: "List what is enabled",
		Example: k.example("list", "list -detailed -format=json"),
		Args:    cli.NArgs(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.fetch(cmd, strings.TrimSuffix(k.api, "/"), nil)
			if err != nil {
				return failed(err, "%s", k.list)
			}
			mounts, err := decodeMounts(s)
			if err != nil {
				return err
			}
			if done, err := a.printData(mounts); done {
				return err
			}
			if detailed {
				a.printMountsDetailed(mounts, k)
				return nil
			}
			a.printMounts(mounts, k)
			return nil
		},
	}
	cmd.Flags().BoolVar(&detailed, "detailed", false, "show every setting")
	return cmd
}

func decodeMounts(s *secret) (map[string]mount, error) {
	raw, err := cli.EncodeJSON(s.data())
	if err != nil {
		return nil, cli.Fail(err, "the server's answer is not a list of mounts")
	}
	mounts := map[string]mount{}
	if err := cli.Decode(raw, &mounts); err != nil {
		return nil, cli.Fail(err, "the server's answer is not a list of mounts")
	}
	return mounts, nil
}

func (a *app) printMounts(mounts map[string]mount, k mountKind) {
	header := []string{"Path", "Type", "Accessor", "Description"}
	if k == authKind {
		header = append(header, "Version")
	}
	rows := make([][]string, 0, len(mounts))
	for _, path := range sortedKeys(mounts) {
		m := mounts[path]
		row := []string{path, m.Type, m.Accessor, m.Description}
		if k == authKind {
			row = append(row, m.PluginVersion)
		}
		rows = append(rows, row)
	}
	a.env.PrintColumns(header, rows)
}

// printMountsDetailed shows the columns of the reference, in its order.
func (a *app) printMountsDetailed(mounts map[string]mount, k mountKind) {
	kind := "Force No Cache"
	if k == authKind {
		kind = "Token Type"
	}
	header := []string{"Path", "Plugin", "Accessor", "Default TTL", "Max TTL", kind, "Replication", "Seal Wrap", "External Entropy Access",
		"Options", "Description", "UUID", "Version", "Running Version", "Running SHA256", "Deprecation Status"}
	rows := make([][]string, 0, len(mounts))
	for _, path := range sortedKeys(mounts) {
		m := mounts[path]
		special := strconv.FormatBool(m.Config.ForceNoCache)
		if k == authKind {
			special = m.Config.TokenType
		}
		first, most := ttlText(m.Config.DefaultLeaseTTL), ttlText(m.Config.MaxLeaseTTL)
		if m.Type == "system" || m.Type == "cubbyhole" {
			first, most = "n/a", "n/a" // nothing in them has a lease
		}
		rows = append(rows, []string{path, m.Type, m.Accessor, first, most, special, replication(m.Local), strconv.FormatBool(m.SealWrap),
			strconv.FormatBool(m.ExternalEntropyAccess), valueText(m.Options), m.Description, m.UUID, m.PluginVersion, m.RunningPluginVersion, m.RunningSha256, m.DeprecationStatus})
	}
	a.env.PrintColumns(header, rows)
}

func replication(local bool) string {
	if local {
		return "local"
	}
	return "replicated"
}

func textOr(v any) string {
	s, _ := v.(string)
	return s
}

// ttlText shows a mount's time span; zero is the system's default.
func ttlText(v any) string {
	if n, ok := v.(cli.Number); ok && n == "0" {
		return "system"
	}
	return valueText(humanSpan(v))
}

func (a *app) newTune(k mountKind) *cobra.Command {
	var t tuneFlags
	cmd := &cobra.Command{
		Use: "tune [flags] PATH", Short: "Change a mount's settings",
		Example: k.example("tune -default-lease-ttl=30m my-path/", "tune -max-lease-ttl=24h my-path/"),
		Args:    cli.NArgs(1, 1, "a path"),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := t.config()
			body["force_no_cache"] = false
			for name, v := range map[string]string{"default-lease-ttl": t.defaultTTL, "max-lease-ttl": t.maxTTL} {
				span := ""
				if v != "" {
					var err error
					if span, err = flagSpan(name, v); err != nil {
						return err
					}
				}
				body[strings.ReplaceAll(name, "-", "_")] = span
			}
			options, err := t.optionMap()
			if err != nil {
				return err
			}
			body["options"] = options
			if cmd.Flags().Changed("description") {
				body["description"] = t.description
			}
			path := cleanPath(args[0])
			if err := a.do(cmd, http.MethodPost, k.tune+path+"/tune", body); err != nil {
				return failed(err, "Error tuning %s %s", k.noun, path+"/")
			}
			return a.done("Success! Tuned the %s at: %s/", k.noun, path)
		},
	}
	t.add(cmd.Flags(), k)
	return cmd
}

func (a *app) newMove(k mountKind) *cobra.Command {
	return &cobra.Command{
		Use: "move [flags] FROM TO", Short: "Move a mount to another path",
		Example: k.example("move my-path/ other-path/"),
		Args:    cli.NArgs(2, 2, "two paths"),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, to := k.prefix+cleanPath(args[0])+"/", k.prefix+cleanPath(args[1])+"/"
			c, err := a.client()
			if err != nil {
				return err
			}
			s, err := c.call(cmd.Context(), request{method: http.MethodPost, path: "sys/remount", body: map[string]any{"from": from, "to": to}})
			if err != nil {
				return failed(err, "Error moving %s %s to %s", k.noun, from, to)
			}
			return a.awaitMove(cmd.Context(), c, s.text("migration_id"), k.noun+" "+from+" to "+to)
		},
	}
}

// awaitMove asks for the move's state until it has ended.
func (a *app) awaitMove(ctx context.Context, c *client, id, what string) error {
	if id == "" {
		return a.done("Success! Finished moving %s", what)
	}
	what += ", with migration ID " + id
	a.env.Printf("Started moving %s\nWaiting for terminal status in migration of %s\n", what, what)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		s, err := c.call(ctx, request{method: http.MethodGet, path: "sys/remount/status/" + id})
		if err != nil {
			return failed(err, "Error checking the move of %s", what)
		}
		info, _ := s.data()["migration_info"].(map[string]any)
		switch info["status"] {
		case "success":
			a.env.Printf("Success! Finished moving %s\n", what)
			return nil
		case "failure":
			return cli.Serverf("Failure! Error encountered moving %s", what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (a *app) newAuthHelp() *cobra.Command {
	return &cobra.Command{
		Use: "help [flags] PATH", Short: "Show the server's help for an auth method",
		Example: "  jotgate auth help jwt",
		Args:    cli.NArgs(1, 1, "a path or a type"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.pathHelp(cmd, "auth/"+strings.TrimPrefix(cleanPath(args[0]), "auth/"))
		},
	}
}
