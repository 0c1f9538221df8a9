package vaultapi

import (
	"context"
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/authjwt"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/mount"
)

var mountFields = []Field{
	{Name: "path", Help: "Where to mount."},
	{Name: "type", Help: "Type of the method or engine, such as \"jwt\" or \"kv\"."},
	{Name: "description", Help: "A sentence for people."},
	{Name: "config", Type: Object, Help: "Settings as in tune."},
	{Name: "options", Type: KVPairs, Help: "Options of the type, such as version for kv."},
	{Name: "local", Type: Bool, Help: "Kept for compatibility."},
	{Name: "seal_wrap", Type: Bool, Help: "Kept for compatibility: every value is sealed."},
	{Name: "external_entropy_access", Type: Bool, Help: "Kept for compatibility."},
	{Name: "plugin_name", Help: "Other name for type."},
	{Name: "plugin_version", Help: "Must be empty: types are built in."},
}

// sysMountRows are the endpoints about auth methods and secrets engines.
var sysMountRows = []Row{
	{Verbs: []string{Read}, Pattern: "auth", Auth: route.Authenticated, Action: "auth-list-enabled-methods", Help: "List the auth methods.",
		Handler: Action{Do: listMounts(true)}},
	{Verbs: []string{Read}, Pattern: "mounts", Auth: route.Authenticated, Action: "mounts-list-secrets-engines", Help: "List the secrets engines.",
		Handler: Action{Do: listMounts(false)}},

	{Verbs: []string{Read}, Pattern: "auth/{path...}", Auth: route.Authenticated, Sudo: true, Action: "auth-read-configuration", Help: "Read an auth method, or with /tune its settings.",
		Handler: Action{Do: tuneOr(true, readMount, readTune)}},
	{Verbs: []string{Update}, Pattern: "auth/{path...}", Auth: route.Authenticated, Sudo: true, Action: "auth-enable-method", Body: 1 << 20, Help: "Enable an auth method, or with /tune change its settings.",
		Handler: Action{Do: tuneOr(true, enableMount, writeTune), Fields: union(mountFields, tuneFields)}},
	{Verbs: []string{Delete}, Pattern: "auth/{path...}", Auth: route.Authenticated, Sudo: true, Action: "auth-disable-method", Help: "Disable an auth method and revoke its tokens.",
		Handler: Action{Do: tuneOr(true, disableMount, nil)}},

	{Verbs: []string{Read}, Pattern: "mounts/{path...}", Auth: route.Authenticated, Action: "mounts-read-configuration", Help: "Read a mount, or with /tune its settings.",
		Handler: Action{Do: tuneOr(false, readMount, readTune)}},
	{Verbs: []string{Update}, Pattern: "mounts/{path...}", Auth: route.Authenticated, Action: "mounts-enable-secrets-engine", Body: 1 << 20, Help: "Enable a secrets engine, or with /tune change its settings.",
		Handler: Action{Do: tuneOr(false, enableMount, writeTune), Fields: union(mountFields, tuneFields)}},
	{Verbs: []string{Delete}, Pattern: "mounts/{path...}", Auth: route.Authenticated, Action: "mounts-disable-secrets-engine", Help: "Disable a secrets engine and delete its data.",
		Handler: Action{Do: tuneOr(false, disableMount, nil)}},

	{Verbs: []string{Update}, Pattern: "remount", Auth: route.Authenticated, Sudo: true, Action: "remount", Body: SmallBody, Help: "Move a mount.",
		Handler: Action{Do: remount, Fields: []Field{{Name: "from", Help: "Where it is."}, {Name: "to", Help: "Where it shall be."}}}},
	{Verbs: []string{Read}, Pattern: "remount/status/{migration_id}", Auth: route.Authenticated, Action: "remount-status", Help: "Ask how a move went.",
		Handler: Action{Do: remountStatus}},
}

func union(a, b []Field) []Field {
	out := slices.Clone(a)
	for _, f := range b {
		if !slices.ContainsFunc(out, func(g Field) bool { return g.Name == f.Name }) {
			out = append(out, f)
		}
	}
	return out
}

// mountView is a mount as it is read back.
func mountView(e *mount.Entry) map[string]any {
	cfg := map[string]any{
		"default_lease_ttl": Secs(e.Config.DefaultLeaseTTL), "max_lease_ttl": Secs(e.Config.MaxLeaseTTL),
		"force_no_cache": e.Config.ForceNoCache,
	}
	if e.Auth {
		cfg["token_type"] = tokenTypeOf(e)
	}
	showSettings(cfg, e)
	v := map[string]any{
		"type": e.Type, "description": e.Description, "accessor": e.Accessor, "uuid": e.UUID,
		"local": e.Local, "seal_wrap": e.SealWrap, "external_entropy_access": e.ExternalEntropyAccess,
		"options": e.Options, "config": cfg,
		"plugin_version": "", "running_plugin_version": "", "running_sha256": "",
	}
	if !e.Builtin() {
		v["deprecation_status"] = "supported"
	}
	return v
}

func tokenTypeOf(e *mount.Entry) string {
	if e.Config.TokenType == "" {
		return mount.TokenDefaultService
	}
	return e.Config.TokenType
}

func listMounts(auth bool) Handler {
	return func(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
		list := c.Runtime.Mounts.Table().Secrets()
		if auth {
			list = c.Runtime.Mounts.Table().Auth()
		}
		data := make(map[string]any, len(list))
		for _, e := range list {
			data[e.Path] = mountView(e)
		}
		return &Reply{Data: data, Doubled: true}, nil
	}
}

// mountHandler works on the mount at a path as sys spells it: below sys/auth
// without "auth/", below sys/mounts with it.
type mountHandler func(ctx context.Context, c *Call, logical string) (*Reply, error)

// tuneOr sends ".../tune" to tune and the rest to plain. nil: no such verb.
func tuneOr(auth bool, plain, tune mountHandler) Handler {
	return func(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
		path := strings.Trim(c.Param("path"), "/")
		h := plain
		if p, ok := strings.CutSuffix(path, "/tune"); ok {
			if h, path = tune, p; h == nil {
				return nil, errUnsupported
			}
		}
		if auth {
			path = mount.AuthPrefix + path
		}
		return h(ctx, c, path)
	}
}

func noMount(logical string) error {
	if p, ok := strings.CutPrefix(logical, mount.AuthPrefix); ok {
		return fault.Newf(fault.Invalid, "No auth engine at %s", clip(p))
	}
	return fault.Newf(fault.Invalid, "No secret engine mount at %s/", clip(logical))
}

func readMount(_ context.Context, c *Call, logical string) (*Reply, error) {
	e, ok := c.Runtime.Mounts.Table().Get(logical)
	if !ok {
		return nil, noMount(logical)
	}
	return &Reply{Data: mountView(e), Doubled: true}, nil
}

func enableMount(ctx context.Context, c *Call, logical string) (*Reply, error) {
	e := mount.Entry{
		Path: logical, Type: c.String("type"), Description: c.String("description"),
		Local: c.Bool("local"), SealWrap: c.Bool("seal_wrap"), ExternalEntropyAccess: c.Bool("external_entropy_access"),
	}
	if p, ok := strings.CutPrefix(logical+"/", mount.AuthPrefix); ok && strings.HasPrefix(c.Rel, "auth/") {
		e.Auth, e.Path = true, p
	}
	cfg := c.Object("config")
	if e.Type == "" || e.Type == "plugin" {
		e.Type = c.String("plugin_name")
		if name, ok := cfg["plugin_name"].(string); ok && e.Type == "" { // where old clients put it
			e.Type = name
		}
	}
	if c.String("plugin_version") != "" {
		return nil, errPluginVersion
	}
	if kv := c.KV("options"); len(kv) > 0 {
		e.Options = kv
	}
	if err := tuneFrom(&e, configParams{cfg}); err != nil {
		return nil, err
	}
	if len(e.Options) == 0 {
		// Old clients put the options into config.
		if o, err := toKV(cfg["options"]); err == nil && len(o) > 0 {
			e.Options = o
		}
	}
	if err := checkCompat(&e); err != nil {
		return nil, err
	}
	if _, err := c.Runtime.Mounts.Enable(ctx, e); err != nil {
		return nil, err
	}
	return withoutEffect(&e, configParams{cfg}), nil
}

// checkCompat refuses names of compatibility settings that do not exist.
func checkCompat(e *mount.Entry) error {
	if !e.Auth {
		return nil
	}
	_, err := authjwt.ParseCompat(e.Options[authjwt.CompatOption])
	return err
}

// disableMount also ends what lives below the mount: tokens first, so that
// none outlives its method, then the stored data.
func disableMount(ctx context.Context, c *Call, logical string) (*Reply, error) {
	e, ok := c.Runtime.Mounts.Table().Get(logical)
	if !ok {
		return nil, nil
	}
	if e.Auth != strings.HasPrefix(c.Rel, "auth/") {
		// Only sys/auth asks for sudo.
		return nil, fault.Newf(fault.Invalid, "cannot unmount %q here: use sys/auth", clip(e.Logical()))
	}
	if _, err := c.Runtime.Mounts.Disable(ctx, logical); err != nil {
		return nil, err
	}
	return nil, c.Runtime.emptied(ctx, c.pass, e)
}

// emptied ends the tokens of an auth mount that is gone and deletes what a mount
// stored. No token works and no secret is within reach from the moment the mount
// left the table; this only cleans up behind it.
func (rt *Runtime) emptied(ctx context.Context, pass gate.Pass, e *mount.Entry) error {
	if !e.Auth {
		return rt.KV.Purge(ctx, pass, e.Logical(), e.UUID)
	}
	if err := rt.Sessions.RevokePrefix(ctx, e.Logical()); err != nil {
		return err
	}
	return rt.JWT.Purge(ctx, e.UUID)
}

// remount moves a mount at once; the reference does it in the background and
// has clients ask how far it got.
func remount(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	from, to := strings.Trim(c.String("from"), "/"), strings.Trim(c.String("to"), "/")
	if from == "" || to == "" {
		return nil, fault.New(fault.Invalid, "both 'from' and 'to' path must be specified as a string")
	}
	old, ok := c.Runtime.Mounts.Table().Get(from)
	if !ok {
		return nil, fault.Newf(fault.Invalid, "no matching mount at %q", clip(from+"/"))
	}
	moved, err := c.Runtime.Mounts.Move(ctx, from, to)
	if err != nil {
		return nil, err
	}
	if old.Auth {
		// As in the reference, the tokens that were issued under the old path
		// end with it.
		if err := c.Runtime.Sessions.RevokePrefix(ctx, old.Logical()); err != nil {
			return nil, err
		}
	}
	id := gate.NewID()
	c.Door.moves.add(id, old.Logical(), moved.Logical())
	r := &Reply{Data: map[string]any{"migration_id": id}, Doubled: true}
	r.Warn("Mount move has been queued. Progress will be reported in the server log, tagged with the returned migration_id")
	return r, nil
}

func remountStatus(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	m, ok := c.Door.moves.get(c.Param("migration_id"))
	if !ok {
		return nil, errNotFound
	}
	return &Reply{Data: map[string]any{
		"migration_id": c.Param("migration_id"),
		"migration_info": map[string]any{
			"source_mount": m.from, "target_mount": m.to, "status": "success",
		},
	}}, nil
}
