package acl

// DefaultText is the policy that a new server gives to every token. It may be
// rewritten by an operator.
const DefaultText = `# What every token may do with itself.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
path "sys/capabilities-self" {
  capabilities = ["update"]
}

# Its own entity, and the rules that bind it.
path "identity/entity/id/{{identity.entity.id}}" {
  capabilities = ["read"]
}
path "identity/entity/name/{{identity.entity.name}}" {
  capabilities = ["read"]
}
path "sys/internal/ui/resultant-acl" {
  capabilities = ["read"]
}

# Leases whose id it knows.
path "sys/renew" {
  capabilities = ["update"]
}
path "sys/leases/renew" {
  capabilities = ["update"]
}
path "sys/leases/lookup" {
  capabilities = ["update"]
}

# Its private drawer.
path "cubbyhole/*" {
  capabilities = ["create", "read", "update", "delete", "list"]
}

# Wrapping, and tools that reveal nothing.
path "sys/wrapping/wrap" {
  capabilities = ["update"]
}
path "sys/wrapping/lookup" {
  capabilities = ["update"]
}
path "sys/wrapping/unwrap" {
  capabilities = ["update"]
}
path "sys/tools/hash" {
  capabilities = ["update"]
}
path "sys/tools/hash/*" {
  capabilities = ["update"]
}
path "identity/oidc/provider/+/authorize" {
  capabilities = ["read", "update"]
}
`

// ResponseWrappingText is what a wrapping token may do: open its own parcel.
const ResponseWrappingText = `path "cubbyhole/response" {
  capabilities = ["create", "read"]
}
path "sys/wrapping/unwrap" {
  capabilities = ["update"]
}
`

// Root returns the policy that allows everything. Only this function makes it:
// no stored text can.
func Root() *Policy { return &Policy{name: RootName, root: true} }

// Default returns the policy of DefaultText.
func Default() *Policy { return must(DefaultName, DefaultText) }

// ResponseWrapping returns the policy of ResponseWrappingText.
func ResponseWrapping() *Policy { return must(ResponseWrappingName, ResponseWrappingText) }

// must parses a text that is part of the program.
func must(name, text string) *Policy {
	p, err := Parse(name, text)
	if err != nil {
		panic("acl: built-in policy " + name + ": " + err.Error())
	}
	return p
}
