package authjwt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/record"
)

// Config returns a mount's configuration as it is read back, with the state of
// its key source; nil when there is none.
func (m *Method) Config(ctx context.Context, mt Mount) (view map[string]any, warnings []string, err error) {
	c, err := m.compiled(ctx, mt.UUID)
	if err != nil || c == nil {
		return nil, nil, err
	}
	defer c.source.release()
	view = c.View()
	view["status"] = "valid"
	if why := c.source.trouble(); why != "" {
		view["status"] = "invalid"
		warnings = append(warnings, "failed to construct JWK validator: "+why)
	}
	return view, warnings, nil
}

// WriteConfig replaces a mount's configuration. Errors are Invalid and carry
// the reference's texts.
func (m *Method) WriteConfig(ctx context.Context, mt Mount, p Params) (warnings []string, err error) {
	old, err := m.stored(ctx, mt.UUID)
	if err != nil {
		return nil, err
	}
	c, err := configFrom(p, old)
	if err != nil {
		return nil, err
	}
	src, warnings, err := c.check(ctx, m.client, p)
	if err != nil {
		return nil, err
	}
	missing, err := m.missingRoles(ctx, mt, c.RoleOrder)
	if err != nil {
		src.release()
		return nil, err
	}
	warnings = append(warnings, missing...)
	text, err := json.Marshal(c, record.JSON)
	if err == nil {
		err = m.st.Update(ctx, func(tx storage.Tx) error { return tx.Put(configKey(mt.UUID), text, time.Time{}) })
	}
	if err != nil {
		m.state(mt.UUID).suspect() // it may be written all the same, if only the answer was lost
		src.release()
		return nil, err
	}
	// The keys that the check fetched serve the first logins. In doubt: another
	// writer may have come after this one, and been noticed already.
	s := m.state(mt.UUID)
	s.install(&compiledConfig{Config: *c, text: text, source: src})
	s.suspect()
	return warnings, nil
}

// missingRoles warns of roles that are to be tried and do not exist.
func (m *Method) missingRoles(ctx context.Context, mt Mount, names []string) (warnings []string, err error) {
	for _, n := range names {
		found, err := m.HasRole(ctx, mt, n)
		if err != nil {
			return nil, err
		}
		if !found {
			warnings = append(warnings, fmt.Sprintf("Role %q of role_order does not exist", n))
		}
	}
	return warnings, nil
}

// stored returns the stored configuration, nil when there is none.
func (m *Method) stored(ctx context.Context, uuid string) (c *Config, err error) {
	err = m.st.View(ctx, func(tx storage.ReadTx) (err error) {
		c, err = get[Config](tx, configKey(uuid))
		return err
	})
	return c, err
}

// Role returns a role as it is read back, nil when there is none.
func (m *Method) Role(ctx context.Context, mt Mount, name string) (view map[string]any, err error) {
	var r *Role
	err = m.st.View(ctx, func(tx storage.ReadTx) (err error) {
		r, err = get[Role](tx, roleKey(mt.UUID, strings.ToLower(name)))
		return err
	})
	if err != nil || r == nil {
		return nil, err
	}
	return r.View()
}

// HasRole reports whether a role exists.
func (m *Method) HasRole(ctx context.Context, mt Mount, name string) (bool, error) {
	err := m.st.View(ctx, func(tx storage.ReadTx) error {
		_, err := tx.Get(roleKey(mt.UUID, strings.ToLower(name)))
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// ErrRoleName is returned for a name that no role can have. The reference
// answers as if there were no such path.
var ErrRoleName = fault.New(fault.NotFound, "unsupported path").WithReason("unsupported_path")

// ErrNoRole is returned for a change of a role that does not exist.
var ErrNoRole = fault.New(fault.NotFound, "no such role").WithReason("no_role")

// WriteRole creates a role or changes what is given of it. known tells which
// policies exist, for a warning; nil for no such warning.
func (m *Method) WriteRole(ctx context.Context, mt Mount, name string, p Params, known func(string) bool) (warnings []string, err error) {
	return m.changeRole(ctx, mt, name, known, func(r *Role) (*Role, Params, error) {
		if r == nil {
			r = &Role{}
		}
		mt.Compat.reset(r)
		return r, p, nil
	})
}

// PatchRole merges p into a role that exists, as RFC 7396 has it: of maps, only
// the members that are given change. It fails with ErrNoRole.
func (m *Method) PatchRole(ctx context.Context, mt Mount, name string, p Params, known func(string) bool) (warnings []string, err error) {
	return m.changeRole(ctx, mt, name, known, func(r *Role) (*Role, Params, error) {
		if r == nil {
			return nil, nil, ErrNoRole
		}
		return r, merging{p, *r}, nil
	})
}

// changeRole writes a role. begin gets what is stored, or nil, and returns what
// to change, and how.
func (m *Method) changeRole(ctx context.Context, mt Mount, name string, known func(string) bool, begin func(*Role) (*Role, Params, error)) (warnings []string, err error) {
	name = strings.ToLower(name)
	if !fitsName(name) {
		return nil, ErrRoleName
	}
	err = m.st.Update(ctx, func(tx storage.Tx) error {
		r, err := get[Role](tx, roleKey(mt.UUID, name))
		if err != nil {
			return err
		}
		c, err := get[Config](tx, configKey(mt.UUID))
		if err != nil {
			return err
		}
		r, p, err := begin(r)
		if err != nil {
			return err
		}
		if err := r.apply(p); err != nil {
			return err
		}
		if err := r.check(name, p, mt, c); err != nil {
			return err
		}
		warnings = r.warnings(mt, c, known)
		return put(tx, roleKey(mt.UUID, name), r)
	})
	m.state(mt.UUID).dropRole(name) // after a failure, too: perhaps only the answer was lost
	if err != nil {
		return nil, err
	}
	return warnings, nil
}

// DeleteRole removes a role; an absent one is no error. Tokens that it issued
// live on, but can no longer be renewed.
func (m *Method) DeleteRole(ctx context.Context, mt Mount, name string) error {
	name = strings.ToLower(name)
	err := m.st.Update(ctx, func(tx storage.Tx) error { return tx.Delete(roleKey(mt.UUID, name)) })
	m.state(mt.UUID).dropRole(name)
	return err
}

// maxListed bounds one listing of roles.
const maxListed = 100_000

// Roles returns the names of a mount's roles, sorted, after the given one.
// limit 0 means all.
func (m *Method) Roles(ctx context.Context, mt Mount, after string, limit int) (names []string, err error) {
	if limit <= 0 || limit > maxListed {
		limit = maxListed
	}
	prefix := rolePrefix(mt.UUID)
	err = m.st.View(ctx, func(tx storage.ReadTx) error {
		var from []byte
		if after != "" {
			from = roleKey(mt.UUID, after)
		}
		items, err := tx.Scan(prefix, from, limit)
		names = make([]string, 0, len(items))
		for _, it := range items {
			names = append(names, string(it.Key[len(prefix):]))
		}
		return err
	})
	return names, err
}

// Limits are what the mount and the role of a token say today about its life,
// for a renewal. Invalid: the role no longer exists.
func (m *Method) Limits(tx storage.ReadTx, mt Mount, role string) (session.Limits, error) {
	r, err := get[Role](tx, roleKey(mt.UUID, role))
	if err != nil {
		return session.Limits{}, err
	}
	if r == nil {
		return session.Limits{}, invalid("role %s does not exist during renewal", clip(role))
	}
	return r.limits(mt), nil
}

func (r *Role) limits(mt Mount) session.Limits {
	return session.Limits{
		TTL: r.TTL, MaxTTL: r.MaxTTL, Period: r.Period,
		MountDefault: mt.DefaultTTL, MountMax: mt.MaxTTL,
	}
}

// Purge removes everything that a mount stored, after it was disabled.
func (m *Method) Purge(ctx context.Context, uuid string) error {
	prefix := []byte(keyPrefix + uuid + "/")
	for {
		more := false
		err := m.st.Update(ctx, func(tx storage.Tx) error {
			items, err := tx.Scan(prefix, nil, 500)
			if err != nil {
				return err
			}
			more = len(items) == 500
			for _, it := range items {
				if err := tx.Delete(it.Key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if !more {
			m.state(uuid).install(nil)
			return nil
		}
	}
}

// Sweep removes what is left of mounts that are gone, as when a Purge was
// interrupted. stored says whether the mount with a UUID still exists.
func (m *Method) Sweep(ctx context.Context, stored func(tx storage.ReadTx, uuid string) (bool, error)) error {
	return storage.Sweep(ctx, m.st, []byte(keyPrefix),
		func(rest []byte) int { return strings.IndexByte(string(rest), '/') + 1 },
		func(tx storage.ReadTx, owner []byte) (bool, error) {
			return stored(tx, strings.TrimSuffix(string(owner), "/"))
		})
}
