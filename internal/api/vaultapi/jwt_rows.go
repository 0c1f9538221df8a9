package vaultapi

import (
	"context"
	"errors"
	"slices"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/authjwt"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/mount"
	"github.com/jotgate/jotgate/internal/session"
)

var jwtConfigFields = []Field{
	{Name: "oidc_discovery_url", Help: "Issuer URL, without the well-known path. Not together with another key source."},
	{Name: "oidc_discovery_ca_pem", Help: "CA certificates that the discovery endpoint's must chain to."},
	{Name: "oidc_client_id", Help: "OAuth client id."},
	{Name: "oidc_client_secret", Help: "OAuth client secret. Never read back."},
	{Name: "oidc_response_mode", Help: "\"query\" or \"form_post\"."},
	{Name: "oidc_response_types", Type: CommaList, Help: "\"code\" or \"id_token\"."},
	{Name: "jwks_url", Help: "URL of a JSON Web Key Set (RFC 7517)."},
	{Name: "jwks_ca_pem", Help: "CA certificates that the key set's endpoint must chain to."},
	{Name: "jwks_pairs", Type: Any, Help: "List of objects with jwks_url, oidc_discovery_url or jwt_validation_pubkeys, jwks_ca_pem, the issuer whose keys they are, and bounds on its tokens: bound_audiences, jwt_supported_algs, max_token_age."},
	{Name: "jwt_validation_pubkeys", Type: CommaList, Help: "Public keys in PEM."},
	{Name: "jwt_supported_algs", Type: CommaList, Help: "Signature algorithms that are allowed; empty: every asymmetric one."},
	{Name: "bound_issuer", Help: "What the iss claim must be."},
	{Name: "default_role", Type: LowerString, Help: "Role of a login that names none."},
	{Name: "role_selection", Help: "\"claims\": a login that names no role gets the one role that admits its token; \"first\": the first of role_order that does."},
	{Name: "role_order", Type: CommaList, Help: "Names of roles in the order in which role_selection=first tries them."},
	{Name: "provider_config", Type: Object, Help: "Settings of a special provider."},
	{Name: "namespace_in_state", Type: Bool, Clears: true, Help: "Pass the namespace in the OIDC state parameter."},
	{Name: "unsupported_critical_cert_extensions", Type: CommaList, Help: "Object ids of critical extensions to tolerate in the certificates of the key endpoints."},
	{Name: "override_allowed_server_names", Type: CommaList, Help: "Names of which the certificates of the key endpoints must carry one, in place of the endpoint's host."},
	{Name: "skip_jwks_validation", Type: Bool, Help: "Write the configuration even if the key source does not answer now."},
}

// keptKinds are the settings of a role that say of what kind it is: it always
// has one, and null is the same as leaving them out.
var keptKinds = []string{"name", "role_type", "bound_claims_type", "callback_mode"}

// jwtRoleFields of a write: null empties a setting, as in the reference, but
// for durations, where it is the same as leaving them out.
var jwtRoleFields = clearing([]Field{
	{Name: "name", Type: LowerString, Help: "Name of the role."},
	{Name: "role_type", Help: "\"jwt\" or \"oidc\"; a new role without it is \"oidc\" if it has redirect URIs, else \"jwt\"."},
	{Name: "bound_audiences", Type: CommaList, Help: "The aud claim must contain one of these."},
	{Name: "bound_subject", Help: "What the sub claim must be."},
	{Name: "bound_claims", Type: Object, Help: "Claims and the values of which they must have one."},
	{Name: "bound_claims_type", Default: "string", Help: "\"string\" or \"glob\"."},
	{Name: "user_claim", Help: "Claim that names the user."},
	{Name: "user_claim_json_pointer", Type: Bool, Help: "Whether user_claim is a JSON pointer (RFC 6901)."},
	{Name: "groups_claim", Help: "Claim that lists the user's groups."},
	{Name: "claim_mappings", Type: KVPairs, Help: "Claims to copy into metadata, and under which key."},
	{Name: "oidc_scopes", Type: CommaList, Help: "Scopes of a login in the browser."},
	{Name: "allowed_redirect_uris", Type: CommaList, Help: "Redirect URIs of a login in the browser."},
	{Name: "verbose_oidc_logging", Type: Bool, Help: "Kept, not used: no token or claim is ever logged."},
	{Name: "max_age", Type: Seconds, Help: "Greatest time since the user authenticated, for a login in the browser."},
	{Name: "expiration_leeway", Type: SignedSecs, Default: 150, Help: "Life of a token without exp; negative for none."},
	{Name: "not_before_leeway", Type: SignedSecs, Default: 150, Help: "How long before exp a token without nbf and iat is valid, on mounts that keep derived_not_before; negative for none."},
	{Name: "clock_skew_leeway", Type: SignedSecs, Default: 60, Help: "How far clocks may disagree; negative for not at all."},
	{Name: "alias_metadata", Type: KVPairs, Help: "Metadata for the alias of the entity."},
	{Name: "callback_mode", Help: "Kept for compatibility."},
	{Name: "poll_interval", Type: Int, Help: "Kept for compatibility."},
	{Name: "oauth2_metadata", Type: CommaList, Help: "Kept for compatibility."},
	{Name: "oidc_disable_confirmation", Type: Bool, Help: "Kept for compatibility."},
	{Name: "token_policies", Type: CommaList, Help: "Policies of the client tokens."},
	{Name: "token_ttl", Type: Seconds, Help: "First life of the client tokens."},
	{Name: "token_max_ttl", Type: Seconds, Help: "Greatest life of the client tokens."},
	{Name: "token_explicit_max_ttl", Type: Seconds, Help: "Greatest life, which no renewal can pass."},
	{Name: "token_period", Type: Seconds, Help: "Period of tokens that can be renewed without end."},
	{Name: "token_no_default_policy", Type: Bool, Help: "Leave out the policy \"default\"."},
	{Name: "token_num_uses", Type: Int, Help: "How many times a client token can be used; 0 = no bound."},
	{Name: "token_bound_cidrs", Type: CommaList, Help: "Networks from which login and tokens work."},
	{Name: "token_type", Default: "default", Help: "\"service\", \"batch\" or \"default\"."},
	{Name: "token_policies_template_claims", Type: Bool, Help: "Each of token_policies is a Go text template over the JWT's claims; those that come to nothing are left out."},
	{Name: "token_strictly_bind_ip", Type: Bool, Help: "Tokens work from the address of the login only."},
	{Name: "token_ttl_from_exp", Type: Bool, Help: "Client tokens end when the JWT does, whatever renews them."},
	{Name: "max_token_age", Type: Seconds, Help: "Greatest age of the JWT, counted from iat; 0 = no bound."},
	{Name: "max_token_lifetime", Type: Seconds, Help: "Greatest span of the JWT from iat to exp; 0 = no bound."},
	{Name: "groups_filter", Type: CommaList, Help: "Groups of the JWT that count, the others are left out; empty: all count."},
	{Name: "groups_filter_type", Help: "\"string\" or \"glob\"."},
	{Name: "groups_map", Type: KVPairs, Help: "Groups of the JWT and what they are called here; those that are not in it are left out."},
	{Name: "max_groups", Type: Int, Help: "Refuse JWTs with more groups than this, after filter and map; 0 = 1024."},
	{Name: "groups_claim_optional", Type: Bool, Help: "Admit JWTs without the groups claim, as members of no group."},
	{Name: "audit_claims", Type: CommaList, Help: "Claims, or JSON pointers, of logins that the audit log shows in clear."},
	{Name: "audit_claims_hmac", Type: CommaList, Help: "Claims, or JSON pointers, of logins that the audit log shows as HMACs."},
	{Name: "policies", Type: CommaList, Deprecated: true, Help: "Use token_policies."},
	{Name: "ttl", Type: Seconds, Deprecated: true, Help: "Use token_ttl."},
	{Name: "max_ttl", Type: Seconds, Deprecated: true, Help: "Use token_max_ttl."},
	{Name: "period", Type: Seconds, Deprecated: true, Help: "Use token_period."},
	{Name: "num_uses", Type: Int, Deprecated: true, Help: "Use token_num_uses."},
	{Name: "bound_cidrs", Type: CommaList, Deprecated: true, Help: "Use token_bound_cidrs."},
}, []FieldType{Seconds, SignedSecs}, keptKinds...)

// jwtPatchFields of a merge patch, where null always takes a setting away (RFC 7396).
var jwtPatchFields = clearing(jwtRoleFields, nil, keptKinds...)

var jwtLoginFields = []Field{
	{Name: "role", Type: LowerString, Help: "The role to log in against."},
	{Name: "jwt", Help: "The signed JWT to validate."},
	{Name: "distributed_claim_access_token", Help: "Accepted and not used."},
}

var jwtBrowserFields = []Field{
	{Name: "role", Type: LowerString, Help: "The role to log in against."},
	{Name: "redirect_uri", Help: "Where the provider would send the browser."},
	{Name: "client_nonce", Help: "Accepted and not used."},
}

var jwtExplainFields = []Field{
	{Name: "role", Type: LowerString, Help: "The role to explain; left out: all roles."},
	{Name: "jwt", Help: "The signed JWT to judge."},
	{Name: "remote_address", Help: "Judge as if the login came from this address."},
}

var jwtListFields = []Field{
	{Name: "after", Help: "List names after this one."},
	{Name: "limit", Type: Int, Help: "How many names to list; 0 = all."},
}

// jwtRows are the endpoints of a JWT auth mount.
var jwtRows = []Row{
	{Verbs: []string{Read}, Pattern: "config", Auth: route.Authenticated, Action: "jwt-read-configuration", Help: "Read whose keys count.",
		Handler: Action{Do: jwtReadConfig}},
	{Verbs: []string{Update}, Pattern: "config", Auth: route.Authenticated, Action: "jwt-configure", Body: 1 << 20, Help: "Say whose keys count.",
		Handler: Action{Do: jwtWriteConfig, Fields: jwtConfigFields}},
	{Verbs: []string{Read}, Pattern: "keys", Auth: route.Authenticated, Action: "jwt-read-keys", Help: "Tell which keys count now, and how their sources are doing.",
		Handler: Action{Do: jwtKeys}},
	{Verbs: []string{List}, Pattern: "role", Auth: route.Authenticated, Action: "jwt-list-roles", Help: "List the roles.",
		Handler: Action{Do: jwtListRoles, Fields: jwtListFields}},
	{Verbs: []string{Read}, Pattern: "role/{name}", Auth: route.Authenticated, Action: "jwt-read-role", Help: "Read a role.",
		Handler: Action{Do: jwtReadRole}},
	{Verbs: []string{Update}, Pattern: "role/{name}", Auth: route.Authenticated, Action: "jwt-write-role", Body: 1 << 20, Help: "Say who may become what.",
		Handler: Action{Do: jwtWriteRole, Fields: jwtRoleFields, Exists: jwtRoleExists}},
	{Verbs: []string{Patch}, Pattern: "role/{name}", Auth: route.Authenticated, Action: "jwt-patch-role", Body: 1 << 20, Help: "Change some settings of a role that exists.",
		Handler: Action{Do: jwtPatchRole, Fields: jwtPatchFields}},
	{Verbs: []string{Delete}, Pattern: "role/{name}", Auth: route.Authenticated, Action: "jwt-delete-role", Help: "Delete a role.",
		Handler: Action{Do: jwtDeleteRole}},
	{Verbs: []string{Update}, Pattern: "explain", Auth: route.Authenticated, Action: "jwt-explain", Body: SmallBody, Help: "Tell what a login would come to, with every check, and do nothing.",
		Handler: Action{Do: jwtExplain, Fields: jwtExplainFields}},
	{Verbs: []string{Update}, Pattern: "login", Auth: route.Public, Action: "jwt-login", Body: SmallBody, Help: "Exchange a JWT for a client token.",
		Handler: Action{Do: jwtLogin, Fields: jwtLoginFields}},
	{Verbs: []string{Update}, Pattern: "oidc/auth_url", Auth: route.Public, Action: "jwt-oidc-request-authorization-url", Body: SmallBody, Help: "Refuse a login in a browser.",
		Handler: Action{Do: jwtNoBrowser, Fields: jwtBrowserFields}},
}

// jwtMount is what the method must know of the mount.
func jwtMount(e *mount.Entry) authjwt.Mount {
	compat, err := authjwt.ParseCompat(e.Options[authjwt.CompatOption])
	if err != nil {
		compat = authjwt.Compat{} // what is not known is not kept: the strict way
	}
	return authjwt.Mount{
		Compat: compat, UUID: e.UUID, Accessor: e.Accessor, Path: e.Logical(),
		DefaultTTL: e.DefaultTTL(), MaxTTL: e.MaxTTL(), TokenType: e.Config.TokenType,
	}
}

func jwtReadConfig(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	view, warnings, err := c.Runtime.JWT.Config(ctx, jwtMount(c.Mount))
	if err != nil {
		return nil, err
	}
	if view == nil {
		return nil, errNotFound
	}
	return &Reply{Data: view, Warnings: warnings}, nil
}

// written is the answer to a write: nothing, unless there is a warning.
func written(warnings []string, err error) (*Reply, error) {
	if err != nil || len(warnings) == 0 {
		return nil, err
	}
	return &Reply{Warnings: warnings}, nil
}

func jwtWriteConfig(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return written(c.Runtime.JWT.WriteConfig(ctx, jwtMount(c.Mount), c))
}

func jwtListRoles(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	names, err := c.Runtime.JWT.Roles(ctx, jwtMount(c.Mount), c.String("after"), int(c.Int("limit")))
	return listed(names, err)
}

// listed is the answer to a list: not found if it is empty.
func listed(keys []string, err error) (*Reply, error) {
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errNotFound
	}
	return &Reply{Data: map[string]any{"keys": keys}}, nil
}

func jwtReadRole(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	view, err := c.Runtime.JWT.Role(ctx, jwtMount(c.Mount), c.Param("name"))
	if err != nil {
		return nil, err
	}
	if view == nil {
		return nil, errNotFound
	}
	return &Reply{Data: view}, nil
}

func jwtRoleExists(ctx context.Context, c *Call) (bool, error) {
	return c.Runtime.JWT.HasRole(ctx, jwtMount(c.Mount), c.Param("name"))
}

func jwtWriteRole(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	known := func(name string) bool { return c.Runtime.Policies.Has(name) }
	return written(c.Runtime.JWT.WriteRole(ctx, jwtMount(c.Mount), c.Param("name"), c, known))
}

// jwtPatchRole is a write that never makes a role.
func jwtPatchRole(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	known := func(name string) bool { return c.Runtime.Policies.Has(name) }
	reply, err := written(c.Runtime.JWT.PatchRole(ctx, jwtMount(c.Mount), c.Param("name"), c, known))
	if errors.Is(err, authjwt.ErrNoRole) {
		return nil, errNotFound
	}
	return reply, err
}

func jwtDeleteRole(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return nil, c.Runtime.JWT.DeleteRole(ctx, jwtMount(c.Mount), c.Param("name"))
}

func jwtLogin(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	if err := c.withinLeases(ctx); err != nil {
		return nil, err
	}
	res, err := c.Runtime.JWT.Login(ctx, authjwt.Request{
		Mount: jwtMount(c.Mount), Role: c.String("role"), JWT: c.String("jwt"),
		Remote: c.Request.Remote.Addr().Unmap(), ID: c.Request.ID,
	})
	if err != nil {
		return nil, seen(err, res.Seen)
	}
	c.leaseMade()
	return &Reply{Auth: authOf(res.Issued, res.IdentityPolicies), Warnings: res.Issued.Warnings, login: loginOf(res.Seen)}, nil
}

// loginOf is what the audit log shows of a JWT.
func loginOf(s *authjwt.Seen) *audit.Login {
	if s == nil {
		return nil
	}
	return &audit.Login{Role: s.Role, Verified: s.Verified, Claims: s.Clear, Hashed: s.Hashed}
}

// attempt is a refusal together with what the audit log shows of its JWT.
type attempt struct {
	error
	login *audit.Login
}

func (a attempt) Unwrap() error       { return a.error }
func (a attempt) Login() *audit.Login { return a.login }

func seen(err error, s *authjwt.Seen) error {
	if s == nil {
		return err
	}
	return attempt{err, loginOf(s)}
}

// jwtNoBrowser tells clients that begin a login in a browser that there is
// none, in the words by which they know such a mount.
func jwtNoBrowser(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	view, _, err := c.Runtime.JWT.Config(ctx, jwtMount(c.Mount))
	if err != nil {
		return nil, err
	}
	if view == nil {
		return nil, fault.New(fault.Invalid, "could not load configuration")
	}
	return nil, fault.New(fault.Invalid, "OIDC login is not configured for this mount")
}

// authOf is a token that was just issued, as answers show it.
func authOf(is session.Issued, identity []string) *Auth {
	t := &is.Token
	all := session.SanitizePolicies(append(append([]string(nil), t.Policies...), identity...), false)
	return &Auth{
		ClientToken: is.ClientToken, Accessor: t.Accessor, DisplayName: t.DisplayName,
		Policies: all, TokenPolicies: t.Policies, IdentityPolicies: without(identity, t.Policies),
		Metadata: t.Meta, TTL: t.CreationTTL, Renewable: t.Renewable, EntityID: t.EntityID,
		TokenType: t.Type.String(), Orphan: t.Orphan, NumUses: t.NumUses,
	}
}

// without returns the elements of a that b has not.
func without(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}
