package vaultapi

import (
	"context"
	"net/netip"
	"time"

	"github.com/jotgate/jotgate/internal/authjwt"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/mount"
	"github.com/jotgate/jotgate/internal/policy/acl"
	"github.com/jotgate/jotgate/internal/policystore"
	"github.com/jotgate/jotgate/internal/principal"
)

// Runtime is what the door needs once the server is unsealed. It is built by
// internal/server, and swapped in and out as a whole with [Door.Unlock] and
// [Door.Lock]. A request works on the one Runtime it started with.
type Runtime struct {
	Gate        *gate.Gate
	Mounts      *mount.Store
	Tokens      Authenticator
	Policies    Policies
	PolicyStore *policystore.Store // texts of policies
	JWT         *authjwt.Method
	Wrapper     Wrapper          // nil: response wrapping answers an error
	Now         func() time.Time // nil means time.Now

	// Disabled removes what lived below a mount that is gone: tokens and data.
	Disabled func(ctx context.Context, e *mount.Entry) error
	// Moved lets tokens and engines follow a mount to its new path; may be nil.
	Moved func(ctx context.Context, from, to *mount.Entry) error

	ClusterName string
	ClusterID   string
}

func (rt *Runtime) now() time.Time {
	if rt.Now == nil {
		return time.Now()
	}
	return rt.Now()
}

// Authenticator turns a client token into its holder. Every refusal is a
// *fault.Error; a token that is missing, unknown, expired, used up or used
// from a wrong address is Denied with the text "permission denied".
type Authenticator interface {
	Authenticate(ctx context.Context, token string, remote netip.Addr) (*principal.Principal, error)
}

// Policies gives the merged, compiled rules of a caller.
type Policies interface {
	// For returns the rules that can decide about path; with path "" all rules
	// of the caller.
	For(ctx context.Context, p *principal.Principal, path string) (*acl.ACL, error)
}

// Wrapping is a wrapping token that stands for an answer.
type Wrapping struct {
	Token           string
	Accessor        string
	WrappedAccessor string // accessor of the token inside, if the answer holds one
	TTL             time.Duration
	CreationTime    time.Time
	CreationPath    string
}

// Wrapper keeps an answer under a new single-use token.
type Wrapper interface {
	// Wrap stores body, which is a whole JSON answer, for ttl.
	Wrap(ctx context.Context, body []byte, ttl time.Duration, creationPath, wrappedAccessor string) (Wrapping, error)
}

// errSealed is what every request meets before the server is unsealed. Clients
// match the text.
var errSealed = fault.New(fault.Unavailable, "Vault is sealed").WithReason("sealed")
