package vaultapi

import (
	"context"
	"io"
	"time"

	"github.com/jotgate/jotgate/internal/auditstore"
	"github.com/jotgate/jotgate/internal/authjwt"
	"github.com/jotgate/jotgate/internal/cors"
	"github.com/jotgate/jotgate/internal/engine/cubbyhole"
	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/identity"
	"github.com/jotgate/jotgate/internal/metrics"
	"github.com/jotgate/jotgate/internal/mount"
	"github.com/jotgate/jotgate/internal/passpolicy"
	"github.com/jotgate/jotgate/internal/policystore"
	"github.com/jotgate/jotgate/internal/quota"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/uiheaders"
)

// Runtime is what the door needs once the server is unsealed. It is built by
// internal/server, and swapped in and out as a whole with [Door.Unlock] and
// [Door.Lock]. A request works on the one Runtime it started with.
type Runtime struct {
	Gate      *gate.Gate
	Mounts    *mount.Store
	Sessions  *session.Store
	Identity  *identity.Store
	Policies  *policystore.Store
	JWT       *authjwt.Method
	KV        *kv.Engine
	Cubbyhole *cubbyhole.Engine
	Audit     *auditstore.Store
	Now       func() time.Time // nil means time.Now

	Quotas *quota.Store // nil: no rate is bounded
	CORS   *cors.Store  // nil: browsers are told nothing

	Passwords *passpolicy.Store // nil: not offered
	UIHeaders *uiheaders.Store  // nil: not offered

	// Rotate adds a data key; KeyInfo tells which is in use. nil: not offered.
	Rotate  func(ctx context.Context) (seal.KeyInfo, error)
	KeyInfo func() seal.KeyInfo

	Rekey Rekeyer   // nil: not offered
	Roots RootMaker // nil: not offered
	// Snapshot writes a sealed copy of the store; nil: the storage has its own
	// tools for that.
	Snapshot func(ctx context.Context, w io.Writer) error

	Metrics *metrics.Metrics // nil: nobody counts

	ClusterName string
	ClusterID   string
}

func (rt *Runtime) now() time.Time {
	if rt.Now == nil {
		return time.Now()
	}
	return rt.Now()
}

// errSealed is what every request meets before the server is unsealed. Clients
// match the text.
var errSealed = fault.New(fault.Unavailable, "Vault is sealed").WithReason("sealed")
