package jwtauth

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/jotgate/jotgate/internal/ambient"
)

// DefaultMount is where the method is mounted unless [WithMount] says another.
const DefaultMount = "jwt"

// ErrNoToken says that the source holds no token, or that the program runs on
// no platform that gives it one.
var ErrNoToken = errors.New("no JWT was found")

// Auth logs in with a JWT. It is made by [New] and may be used by several
// goroutines. The zero value refuses to log in.
type Auth struct {
	role, mount string
	source      source
}

// source gives the token of one login. A function, and not the token itself,
// so that no formatting of an Auth shows it.
type source func(ctx context.Context) (string, error)

var _ api.AuthMethod = (*Auth)(nil)

// Option changes how [New] makes an Auth.
type Option func(*Auth) error

// New returns the method for a role; "" is the mount's default role. It errs
// on an option that cannot work, and on more than one source.
func New(role string, options ...Option) (*Auth, error) {
	a := &Auth{role: role, mount: DefaultMount}
	for _, o := range options {
		if err := o(a); err != nil {
			return nil, fmt.Errorf("jwtauth: %w", err)
		}
	}
	if a.source == nil {
		a.source = platform("")
	}
	return a, nil
}

// WithMount says where the method is mounted, with or without "auth/" before
// it: "jwt", "ci/github", "auth/kubernetes".
func WithMount(path string) Option {
	return func(a *Auth) error {
		p := strings.Trim(strings.TrimPrefix(strings.TrimLeft(path, "/"), "auth/"), "/")
		if p == "" || strings.ContainsAny(p, "?#%\\ ") {
			return errors.New("WithMount needs the path of an auth mount, such as \"jwt\"")
		}
		for part := range strings.SplitSeq(p, "/") {
			if part == "" || part == "." || part == ".." {
				return errors.New("WithMount needs a path without empty or relative parts")
			}
		}
		a.mount = p
		return nil
	}
}

// FromToken logs in with this JWT, until it has expired. A program that lives
// longer is better served by a source that is read at each login.
func FromToken(jwt string) Option {
	jwt = strings.TrimSpace(jwt)
	return from(func(context.Context) (string, error) {
		if jwt == "" {
			return "", fmt.Errorf("%w: FromToken was given an empty text", ErrNoToken)
		}
		return jwt, nil
	})
}

// FromFile logs in with the JWT that the file holds at that time.
func FromFile(path string) Option {
	return from(func(context.Context) (string, error) { return ambient.ReadFile(path) })
}

// FromEnv logs in with the JWT that the environment variable holds.
func FromEnv(name string) Option {
	return from(func(context.Context) (string, error) {
		jwt := strings.TrimSpace(os.Getenv(name))
		if jwt == "" {
			return "", fmt.Errorf("%w: the variable %s is not set", ErrNoToken, name)
		}
		return jwt, nil
	})
}

// FromPlatform logs in with the JWT of the platform that the program runs on,
// and is what happens if no source is named. Looked for are, in this order:
//
//   - GitHub Actions: an ID token for the audience ("" = GitHub's default); the
//     job needs "permissions: id-token: write";
//   - GitLab: the variable VAULT_ID_TOKEN or GITLAB_OIDC_TOKEN of the job's
//     id_tokens, which name the audience;
//   - Kubernetes: the pod's service account token, at its usual place. For a
//     projected token with its own audience use [FromFile].
func FromPlatform(audience string) Option { return from(platform(audience)) }

func platform(audience string) source {
	return func(ctx context.Context) (string, error) {
		jwt, err := ambient.Finder{Audience: audience}.Find(ctx)
		if errors.Is(err, ambient.ErrNone) {
			return "", fmt.Errorf("%w: %w", ErrNoToken, err)
		}
		return jwt, err
	}
}

func from(s source) Option {
	return func(a *Auth) error {
		if a.source != nil {
			return errors.New("name one source of the JWT, not several")
		}
		a.source = s
		return nil
	}
}

// Login exchanges the JWT for a client token. Called through
// client.Auth().Login, the client uses that token from then on. The errors are
// [ErrNoToken], those of the source, and [api.ResponseError] of a refusal.
func (a *Auth) Login(ctx context.Context, client *api.Client) (*api.Secret, error) {
	switch {
	case a == nil || a.source == nil:
		return nil, errors.New("jwtauth: use New to make a method")
	case client == nil:
		return nil, errors.New("jwtauth: Login needs a client")
	}
	jwt, err := a.source(ctx)
	if err != nil {
		return nil, fmt.Errorf("jwtauth: %w", err)
	}
	body := map[string]any{"jwt": jwt}
	if a.role != "" {
		body["role"] = a.role
	}
	path := "auth/" + a.mount + "/login"
	secret, err := client.Logical().WriteWithContext(ctx, path, body)
	if err != nil {
		return nil, fmt.Errorf("jwtauth: cannot log in at %s: %w", path, err)
	}
	if secret == nil || (secret.Auth == nil && secret.WrapInfo == nil) {
		return nil, fmt.Errorf("jwtauth: the answer of %s holds no token", path)
	}
	return secret, nil
}
