package pvaultapi

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jotgate/jotgate/internal/engine/objects"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/policy/votes"
	"github.com/jotgate/jotgate/internal/principal"
)

// IAM is the identity and access configuration. All of its methods are safe
// for concurrent use.
type IAM interface {
	// Authenticate returns whom an API key belongs to. A refusal has the kind
	// Unauthenticated.
	Authenticate(apiKey string) (*principal.Principal, error)
	// Role returns a role of the current configuration.
	Role(name string) (*votes.Role, bool)
	// Text returns the configuration exactly as it was applied, with its
	// entity tag.
	Text(ctx context.Context) (text []byte, etag string, err error)
	// Apply replaces the whole configuration. ifMatch, when it is not empty,
	// must be the entity tag of what is replaced, else the failure has the
	// kind Conflict.
	Apply(ctx context.Context, text []byte, ifMatch string) (etag string, err error)
	// Regenerate gives a user a new API key and voids the old one.
	Regenerate(ctx context.Context, user string) (key string, expiry time.Time, err error)
	// Expire sets when a user's API key ends.
	Expire(ctx context.Context, user string, at time.Time) error
	// KeyExpiry returns when a user's API key ends; zero if it has none.
	KeyExpiry(ctx context.Context, user string) (time.Time, error)
	// SetAdminKey sets the administrator's API key.
	SetAdminKey(ctx context.Context, key string) error
	// Generation grows with every applied configuration.
	Generation() (number int64, modified time.Time)
}

// Bearer turns a JWT into its caller.
type Bearer interface {
	// Authenticate refuses with the kind Unauthenticated and a stable reason.
	Authenticate(ctx context.Context, raw string) (*principal.Principal, error)
}

// Version is what get-vault-version answers.
type Version struct {
	VaultID string // decimal digits
	Vault   string // release
	Schema  int64  // newest storage migration, as YYYYMMDDhhmmss
}

// Options are the parts that a Door works with.
type Options struct {
	Gate    *gate.Gate
	IAM     IAM
	Bearer  Bearer
	Objects *objects.Engine
	Logger  *slog.Logger     // nil discards
	Now     func() time.Time // nil means time.Now

	Version Version
	// LogLevel is what the confvar log_level reads and sets; nil keeps one
	// that nothing reads.
	LogLevel *slog.LevelVar
	// Configuration returns the server's settings as TOML, secrets masked;
	// nil answers with an empty document.
	Configuration func() []byte
	// Healthy reports whether storage can serve requests; nil means yes.
	Healthy func(ctx context.Context) error
	// RotateKeys rotates the key that encrypts stored values; nil refuses.
	RotateKeys func(ctx context.Context) error

	// AllowOrigins are the origins of web pages that may call, such as
	// "https://app.example.com", or "*" for all; empty means none.
	AllowOrigins []string

	// ReasonOptional lets data calls come without an access reason.
	ReasonOptional bool
	// AdminMayReadData lets the built-in administrator touch data.
	AdminMayReadData bool
}

// check fills in defaults and names what is missing.
func (o *Options) check() error {
	if o.Gate == nil || o.IAM == nil || o.Bearer == nil || o.Objects == nil {
		return errors.New("pvaultapi: Gate, IAM, Bearer and Objects are required")
	}
	if o.Logger == nil {
		o.Logger = discard
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.LogLevel == nil {
		o.LogLevel = new(slog.LevelVar)
	}
	return nil
}
