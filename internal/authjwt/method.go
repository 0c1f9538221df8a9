package authjwt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/identity"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/record"
	"github.com/jotgate/jotgate/internal/tokencache"
	"github.com/jotgate/jotgate/internal/trust"
)

const keyPrefix = "authjwt/"

// Identities resolves a login to an entity inside the login's transaction.
// *identity.Store does.
type Identities interface {
	Resolve(tx storage.Tx, l identity.Login) (identity.EntityRef, error)
}

// Options of New.
type Options struct {
	Storage    storage.Store
	Client     *jwks.Client
	Sessions   *session.Store
	Identities Identities
	Now        func() time.Time // nil: time.Now
	Log        *slog.Logger     // nil: slog.Default; gets the checks of refused logins

	noticed func() // tests wait on it: a change was noted
}

// Method serves every mount of the JWT auth method. Build it with New.
type Method struct {
	st       storage.Store
	client   *jwks.Client
	sessions *session.Store
	ids      Identities
	now      func() time.Time
	log      *slog.Logger
	stop     func()
	proved   *tokencache.Cache[proof]

	mu     sync.RWMutex
	mounts map[string]*state // by mount UUID
}

// New returns a Method that follows changes until Close.
func New(o Options) *Method {
	m := &Method{
		st: o.Storage, client: o.Client, sessions: o.Sessions, ids: o.Identities,
		now: o.Now, log: o.Log, mounts: map[string]*state{}, proved: tokencache.New[proof](maxProofs),
	}
	if m.now == nil {
		m.now = time.Now
	}
	if m.log == nil {
		m.log = slog.Default()
	}
	m.stop = o.Storage.Watch([]byte(keyPrefix), func(keys [][]byte) {
		m.changed(keys)
		if o.noticed != nil {
			o.noticed()
		}
	})
	return m
}

// Close stops following changes and closes all key sources.
func (m *Method) Close() {
	m.stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.mounts {
		s.install(nil)
	}
	m.mounts = map[string]*state{}
}

// state is what one mount has compiled. Entries are dropped when their stored
// text changes; epoch keeps a slow reader from putting back an old one.
type state struct {
	mu     sync.RWMutex
	epoch  uint64
	config *compiledConfig
	doubt  bool // the stored configuration may have changed: compare before use
	roles  map[string]*compiledRole
}

// compiledConfig is a configuration with its open key source.
type compiledConfig struct {
	Config
	text   []byte // as stored
	source *source
}

// compiledRole is a role with its trust rule. rule is nil for roles that
// cannot log in with a JWT.
type compiledRole struct {
	Role
	name string
	rule *trust.Rule
	// templates are the role's policies where they are to be filled in with
	// the claims, else nil.
	templates []*template.Template
	// compat is what the mount kept of the reference when this was compiled.
	compat Compat
}

// maxCachedRoles bounds the compiled roles of one mount.
const maxCachedRoles = 8192

func (m *Method) state(uuid string) *state {
	m.mu.RLock()
	s := m.mounts[uuid]
	m.mu.RUnlock()
	if s != nil {
		return s
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s = m.mounts[uuid]; s == nil {
		s = &state{roles: map[string]*compiledRole{}}
		m.mounts[uuid] = s
	}
	return s
}

// install makes c the mount's configuration; nil forgets the old one. The key
// source of the old one closes when the last login that uses it is done.
func (s *state) install(c *compiledConfig) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replace(c)
}

// replace is install with the lock held.
func (s *state) replace(c *compiledConfig) {
	old := s.config
	s.epoch++
	s.config, s.doubt, s.roles = c, false, map[string]*compiledRole{}
	if old != nil {
		old.source.release()
	}
}

func (s *state) dropRole(name string) {
	s.mu.Lock()
	s.epoch++
	delete(s.roles, name)
	s.mu.Unlock()
}

// suspect says that anything of the mount may have changed.
func (s *state) suspect() {
	s.mu.Lock()
	s.epoch++
	s.doubt, s.roles = true, map[string]*compiledRole{}
	s.mu.Unlock()
}

// changed is told which keys a transaction of this or another node wrote. It
// must not block, so it only notes what to look at again.
func (m *Method) changed(keys [][]byte) {
	if len(keys) == 0 {
		m.mu.RLock()
		defer m.mu.RUnlock()
		for _, s := range m.mounts {
			s.suspect()
		}
		return
	}
	for _, k := range keys {
		uuid, rest, _ := strings.Cut(strings.TrimPrefix(string(k), keyPrefix), "/")
		m.mu.RLock()
		s := m.mounts[uuid]
		m.mu.RUnlock()
		if s == nil {
			continue
		}
		if name, ok := strings.CutPrefix(rest, "role/"); ok {
			s.dropRole(name)
		} else {
			s.suspect()
		}
	}
}

func configKey(uuid string) []byte     { return []byte(keyPrefix + uuid + "/config") }
func rolePrefix(uuid string) []byte    { return []byte(keyPrefix + uuid + "/role/") }
func roleKey(uuid, name string) []byte { return append(rolePrefix(uuid), name...) }

// get reads one stored value, nil when it is not there. Each call makes a fresh
// one, since a transaction's function may run more than once.
func get[T any](tx storage.ReadTx, key []byte) (*T, error) {
	b, err := tx.Get(key)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("authjwt: %w", err)
	}
	v := new(T)
	if err := json.Unmarshal(b, v, record.JSON); err != nil {
		return nil, fmt.Errorf("authjwt: %s cannot be read: %w", key, err)
	}
	return v, nil
}

func put(tx storage.Tx, key []byte, v any) error {
	b, err := json.Marshal(v, record.JSON)
	if err != nil {
		return fmt.Errorf("authjwt: %w", err)
	}
	return tx.Put(key, b, time.Time{})
}

// current returns the configuration in memory, held for the caller, unless
// there is none or it is in doubt.
func (s *state) current() (c *compiledConfig, epoch uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.config == nil || s.doubt {
		return nil, s.epoch
	}
	s.config.source.hold()
	return s.config, s.epoch
}

// compiled returns the mount's configuration, nil when there is none. The
// caller must release its source.
func (m *Method) compiled(ctx context.Context, uuid string) (*compiledConfig, error) {
	s := m.state(uuid)
	c, epoch := s.current()
	if c != nil {
		return c, nil
	}
	var text []byte
	err := m.st.View(ctx, func(tx storage.ReadTx) (err error) {
		text, err = tx.Get(configKey(uuid))
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		s.settle(epoch, nil)
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("authjwt: %w", err)
	}
	if c = s.confirm(epoch, text); c != nil {
		return c, nil
	}
	if c, err = compileConfig(text, m.client); err != nil {
		return nil, err
	}
	return s.settle(epoch, c), nil
}

func compileConfig(text []byte, client *jwks.Client) (*compiledConfig, error) {
	c := &compiledConfig{text: text}
	if err := json.Unmarshal(text, &c.Config, record.JSON); err != nil {
		return nil, fmt.Errorf("authjwt: stored configuration cannot be read: %w", err)
	}
	src, err := c.open(client)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, err, "error configuring token validator: "+fault.PublicText(err))
	}
	c.source = src
	return c, nil
}

// confirm ends the doubt if the stored text is the one in memory, and returns
// that, held for the caller.
func (s *state) confirm(epoch uint64, text []byte) *compiledConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != epoch || s.config == nil || !bytes.Equal(s.config.text, text) {
		return nil
	}
	s.doubt = false
	s.config.source.hold()
	return s.config
}

// settle installs what was read and returns what to work on, held for the
// caller. If something changed meanwhile, c serves this caller alone; if
// another caller was faster with the same text, that one's is used.
func (s *state) settle(epoch uint64, c *compiledConfig) *compiledConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.config != nil && !s.doubt && c != nil && bytes.Equal(s.config.text, c.text):
		c.source.release()
		c = s.config
	case s.epoch == epoch:
		s.replace(c)
	default:
		return c
	}
	if c != nil {
		c.source.hold()
	}
	return c
}

// role returns a compiled role, nil when there is none.
func (m *Method) role(ctx context.Context, mt Mount, name string, c *compiledConfig) (*compiledRole, error) {
	s := m.state(mt.UUID)
	s.mu.RLock()
	r, epoch := s.roles[name], s.epoch
	s.mu.RUnlock()
	if r != nil && r.compat == mt.Compat {
		return r, nil
	}
	var stored *Role
	err := m.st.View(ctx, func(tx storage.ReadTx) (err error) {
		stored, err = get[Role](tx, roleKey(mt.UUID, name))
		return err
	})
	if err != nil || stored == nil {
		return nil, err
	}
	r = &compiledRole{Role: *stored, name: name, compat: mt.Compat}
	if r.RoleType == roleJWT {
		spec, err := r.spec(name, &c.Config, mt.Compat)
		if err != nil {
			return nil, err
		}
		if r.rule, err = trust.Compile(spec); err != nil {
			return nil, fault.Wrap(fault.Invalid, err, "role "+clip(name)+" is not usable: "+fault.PublicText(err))
		}
		if r.TemplatePolicies {
			if r.templates, err = policyTemplates(r.Policies); err != nil {
				return nil, err
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch == epoch && s.config == c {
		if len(s.roles) >= maxCachedRoles {
			clear(s.roles)
		}
		s.roles[name] = r
	}
	return r, nil
}
