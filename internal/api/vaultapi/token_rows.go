package vaultapi

import "github.com/jotgate/jotgate/internal/api/route"

var (
	tokenField     = Field{Name: "token", Help: "The client token that is meant."}
	accessorField  = Field{Name: "accessor", Help: "Accessor of the client token that is meant."}
	newJWTField    = Field{Name: "jwt", Help: "A new JWT of the user to whom the token was issued, which the role judges as at a login; a token that ends with its JWT then lives as long as this one."}
	incrementField = Field{Name: "increment", Type: Seconds, Default: 0, Help: "Life that is wished for, in seconds from now."}
)

var tokenCreateFields = []Field{
	{Name: "id", Help: "Text of the token; needs sudo."},
	{Name: "role_name", Help: "Name of a token role; in the path only."},
	{Name: "policies", Type: CommaList, Help: "Policies of the token; the caller's own when left out."},
	{Name: "meta", Type: KVPairs, Help: "Metadata for the audit log."},
	{Name: "no_parent", Type: Bool, Help: "Make an orphan; needs sudo."},
	{Name: "no_default_policy", Type: Bool, Help: "Leave out the policy \"default\"."},
	{Name: "renewable", Type: Bool, Default: true, Help: "Whether the token can be renewed."},
	{Name: "ttl", Type: SignedSecs, Help: "First life of the token."},
	{Name: "lease", Type: SignedSecs, Deprecated: true, Help: "Use ttl."},
	{Name: "explicit_max_ttl", Type: SignedSecs, Help: "Greatest life, which no renewal can pass."},
	{Name: "period", Type: SignedSecs, Help: "Period of a token that can be renewed without end; needs sudo."},
	{Name: "display_name", Default: "token", Help: "Name for people."},
	{Name: "num_uses", Type: Int, Help: "How many times the token can be used; 0 = no bound."},
	{Name: "type", Help: "\"service\" or \"batch\"."},
	{Name: "entity_alias", Help: "Alias of the entity to act as; a role must allow it."},
}

var tokenRoleFields = []Field{
	{Name: "allowed_policies", Type: CommaList, Help: "Policies that tokens may have; empty: those of the caller."},
	{Name: "disallowed_policies", Type: CommaList, Help: "Policies that tokens may not have."},
	{Name: "allowed_policies_glob", Type: CommaList, Help: "Patterns of policies that tokens may have."},
	{Name: "disallowed_policies_glob", Type: CommaList, Help: "Patterns of policies that tokens may not have."},
	{Name: "orphan", Type: Bool, Help: "Whether tokens have no parent."},
	{Name: "renewable", Type: Bool, Default: true, Help: "Whether tokens can be renewed."},
	{Name: "path_suffix", Help: "Put behind the path of the tokens' leases."},
	{Name: "allowed_entity_aliases", Type: CommaList, Help: "Patterns of aliases that a caller may act as."},
	{Name: "token_type", Default: "default-service", Help: "\"service\", \"batch\", \"default-service\" or \"default-batch\"."},
	{Name: "token_bound_cidrs", Type: CommaList, Help: "Networks from which the tokens work."},
	{Name: "token_explicit_max_ttl", Type: Seconds, Help: "Greatest life, which no renewal can pass."},
	{Name: "token_period", Type: Seconds, Help: "Period of tokens that can be renewed without end."},
	{Name: "token_num_uses", Type: Int, Help: "How many times a token can be used; 0 = no bound."},
	{Name: "token_no_default_policy", Type: Bool, Help: "Leave out the policy \"default\"."},
	{Name: "token_strictly_bind_ip", Type: Bool, Help: "Tokens work from the address of their creation only."},
	{Name: "bound_cidrs", Type: CommaList, Deprecated: true, Help: "Use token_bound_cidrs."},
	{Name: "explicit_max_ttl", Type: Seconds, Deprecated: true, Help: "Use token_explicit_max_ttl."},
	{Name: "period", Type: Seconds, Deprecated: true, Help: "Use token_period."},
}

// tokenRows are the endpoints of the token auth mount.
var tokenRows = []Row{
	{Verbs: []string{Update}, Pattern: "create", Auth: route.Authenticated, Action: "token-create", Body: SmallBody, Help: "Make a token.",
		Handler: Action{Do: tokenCreate(false), Fields: tokenCreateFields}},
	{Verbs: []string{Update}, Pattern: "create-orphan", Auth: route.Authenticated, Action: "token-create-orphan", Body: SmallBody, Help: "Make a token without a parent.",
		Handler: Action{Do: tokenCreate(true), Fields: tokenCreateFields}},
	{Verbs: []string{Update}, Pattern: "create/{role_name}", Auth: route.Authenticated, Action: "token-create-against-role", Body: SmallBody, Help: "Make a token by the rules of a role.",
		Handler: Action{Do: tokenCreate(false), Fields: tokenCreateFields}},
	{Verbs: []string{Read, Update}, Pattern: "lookup", Auth: route.Authenticated, Action: "token-look-up", Body: SmallBody, Help: "Tell what is known of a token; without one, of the caller's.",
		Handler: Action{Do: tokenLookup, Fields: []Field{tokenField}}},
	{Verbs: []string{Read, Update}, Pattern: "lookup-self", Auth: route.Authenticated, Action: "token-look-up-self", Body: SmallBody, Help: "Tell what is known of the caller's token.",
		Handler: Action{Do: tokenLookupSelf, Fields: []Field{tokenField}}},
	{Verbs: []string{Update}, Pattern: "lookup-accessor", Auth: route.Authenticated, Action: "token-look-up-accessor", Body: SmallBody, Help: "Tell what is known of a token by its accessor.",
		Handler: Action{Do: tokenLookupAccessor, Fields: []Field{accessorField}}},
	{Verbs: []string{Update}, Pattern: "renew", Auth: route.Authenticated, Action: "token-renew", Body: SmallBody, Help: "Renew a token.",
		Handler: Action{Do: tokenRenew, Fields: []Field{tokenField, incrementField, newJWTField}}},
	{Verbs: []string{Update}, Pattern: "renew-self", Auth: route.Authenticated, Action: "token-renew-self", Body: SmallBody, Help: "Renew the caller's token.",
		Handler: Action{Do: tokenRenewSelf, Fields: []Field{tokenField, incrementField, newJWTField}}},
	{Verbs: []string{Update}, Pattern: "renew-accessor", Auth: route.Authenticated, Action: "token-renew-accessor", Body: SmallBody, Help: "Renew a token by its accessor.",
		Handler: Action{Do: tokenRenewAccessor, Fields: []Field{accessorField, incrementField}}},
	{Verbs: []string{Update}, Pattern: "revoke", Auth: route.Authenticated, Action: "token-revoke", Body: SmallBody, Help: "Revoke a token and its children.",
		Handler: Action{Do: tokenRevoke, Fields: []Field{tokenField}}},
	{Verbs: []string{Update}, Pattern: "revoke-self", Auth: route.Authenticated, Action: "token-revoke-self", Body: SmallBody, Help: "Revoke the caller's token and its children.",
		Handler: Action{Do: tokenRevokeSelf, Fields: []Field{tokenField}}},
	{Verbs: []string{Update}, Pattern: "revoke-accessor", Auth: route.Authenticated, Action: "token-revoke-accessor", Body: SmallBody, Help: "Revoke a token and its children by its accessor.",
		Handler: Action{Do: tokenRevokeAccessor, Fields: []Field{accessorField}}},
	{Verbs: []string{Update}, Pattern: "revoke-orphan", Auth: route.Authenticated, Sudo: true, Action: "token-revoke-orphan", Body: SmallBody, Help: "Revoke a token and let its children live.",
		Handler: Action{Do: tokenRevokeOrphan, Fields: []Field{tokenField}}},
	{Verbs: []string{List}, Pattern: "accessors", Auth: route.Authenticated, Sudo: true, Action: "token-list-accessors", Help: "List the accessors of all tokens.",
		Handler: Action{Do: tokenAccessors}},
	{Verbs: []string{List}, Pattern: "roles", Auth: route.Authenticated, Action: "token-list-roles", Help: "List the token roles.",
		Handler: Action{Do: tokenListRoles}},
	{Verbs: []string{Read}, Pattern: "roles/{role_name}", Auth: route.Authenticated, Action: "token-read-role", Help: "Read a token role.",
		Handler: Action{Do: tokenReadRole}},
	{Verbs: []string{Update}, Pattern: "roles/{role_name}", Auth: route.Authenticated, Action: "token-write-role", Body: SmallBody, Help: "Make or change a token role.",
		Handler: Action{Do: tokenWriteRole, Fields: tokenRoleFields, Exists: tokenRoleExists}},
	{Verbs: []string{Delete}, Pattern: "roles/{role_name}", Auth: route.Authenticated, Action: "token-delete-role", Help: "Delete a token role.",
		Handler: Action{Do: tokenDeleteRole}},
	{Verbs: []string{Update}, Pattern: "tidy", Auth: route.Authenticated, Action: "token-tidy", Body: SmallBody, Help: "Remove what is left of tokens that can never be used again.",
		Handler: Action{Do: tokenTidy}},
}
