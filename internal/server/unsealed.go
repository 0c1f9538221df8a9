package server

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/api/pvaultapi"
	"github.com/jotgate/jotgate/internal/api/vaultapi"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/auditstore"
	"github.com/jotgate/jotgate/internal/authjwt"
	"github.com/jotgate/jotgate/internal/bearer"
	"github.com/jotgate/jotgate/internal/config"
	"github.com/jotgate/jotgate/internal/cors"
	"github.com/jotgate/jotgate/internal/engine/cubbyhole"
	"github.com/jotgate/jotgate/internal/engine/kv"
	"github.com/jotgate/jotgate/internal/engine/objects"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/iam"
	"github.com/jotgate/jotgate/internal/identity"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwks/kept"
	"github.com/jotgate/jotgate/internal/mount"
	"github.com/jotgate/jotgate/internal/passpolicy"
	"github.com/jotgate/jotgate/internal/policystore"
	"github.com/jotgate/jotgate/internal/quota"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/uiheaders"
)

// unsealed is everything that lives between an unseal and the next seal.
type unsealed struct {
	runtime *vaultapi.Runtime
	pvault  *pvaultapi.Door
	audit   *audit.Broker
	iam     *iam.Store
	closers []func()
}

// close ends what was opened, last first.
func (u *unsealed) close() {
	for i := len(u.closers) - 1; i >= 0; i-- {
		u.closers[i]()
	}
	u.closers = nil
}

// reload reads the IAM file and opens the audit files anew.
func (u *unsealed) reload(ctx context.Context) error {
	return errors.Join(u.iam.Reload(ctx), u.audit.Reopen())
}

// build opens every part on the unsealed store. If one does not open, none
// stays open.
func (s *Server) build(ctx context.Context) (_ *unsealed, err error) {
	u := &unsealed{}
	defer func() {
		if err != nil {
			u.close()
		}
	}()
	if err := s.buildAudit(u); err != nil {
		return nil, err
	}
	g := gate.New(u.audit, s.now)
	g.Observe(s.metrics.Observe)
	keys := jwks.NewClient(jwks.Options{
		Now: s.now, AllowLoopbackHTTP: s.cfg.Keys.AllowLoopbackHTTP, Logger: s.log, Fetched: s.metrics.KeysFetched,
		Memory: kept.New(s.barrier, s.barrier.Keyring()),
	})
	s.fetched.Store(keys)
	id, err := s.clusterID(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.buildVault(ctx, u, g, keys, id); err != nil {
		return nil, fmt.Errorf("vault door: %w", err)
	}
	if err := s.buildPvault(ctx, u, g, keys, id); err != nil {
		return nil, err
	}
	return u, nil
}

// buildAudit enables the devices of the settings. Their HMAC keys come from the
// keyring, so that hashes stay the same over restarts and on every node.
func (s *Server) buildAudit(u *unsealed) error {
	u.audit = audit.New(audit.Options{AllowNone: s.cfg.Audit.None, Log: s.log})
	s.audit = u.audit
	s.counted.Store(u.audit)
	for _, d := range s.cfg.Audit.Devices {
		err := u.audit.Enable(audit.Device{
			Path: audit.Normalize(d.Path), Type: d.Type, Description: d.Description, Options: d.Options,
			Salt: s.auditSalt(audit.Normalize(d.Path)), FromConfig: true,
		})
		if err != nil {
			return fmt.Errorf("audit device %s: %w", d.Path, err)
		}
	}
	return nil
}

// auditSalt is the key of a device's HMACs.
func (s *Server) auditSalt(path string) []byte {
	return s.barrier.Keyring().HMAC("audit device", []byte(path))
}

// tidyEvery is the pause between two looks for what tokens left behind.
// Nothing depends on it: what is looked for is out of reach already.
const tidyEvery = 6 * time.Hour

func (s *Server) buildVault(ctx context.Context, u *unsealed, g *gate.Gate, keys *jwks.Client, id [16]byte) (err error) {
	ring := s.barrier.Keyring()
	rt := &vaultapi.Runtime{Gate: g, Now: s.now, ClusterName: s.cfg.Vault.ClusterName, ClusterID: uuid(id)}
	failed := func(what string) func(error) {
		return func(err error) {
			s.log.Error("reload failed; the last good state stays in force", "what", what, "error", err)
		}
	}
	if rt.Mounts, err = mount.Open(ctx, s.barrier, mount.Options{Failed: failed("mounts")}); err != nil {
		return err
	}
	u.closers = append(u.closers, rt.Mounts.Close)
	rt.Identity, err = identity.Open(ctx, identity.Options{Storage: s.barrier, Keys: ring, Logger: s.log, Mounts: func(accessor string) (identity.Mount, bool) {
		e, ok := rt.Mounts.Table().ByAccessor(accessor)
		if !ok {
			return identity.Mount{}, false
		}
		return identity.Mount{Path: e.Logical(), Type: e.Type, Local: e.Local}, true
	}})
	if err != nil {
		return err
	}
	u.closers = append(u.closers, rt.Identity.Close)
	rt.Policies, err = policystore.Open(ctx, s.barrier, policystore.Options{Identities: rt.Identity, Now: s.now, Failed: failed("policies")})
	if err != nil {
		return err
	}
	u.closers = append(u.closers, rt.Policies.Close)
	drawers := cubbyhole.New(s.barrier)
	rt.Sessions = session.New(session.Options{
		Storage: s.barrier, Keys: ring, Identities: rt.Identity, Now: s.now,
		MountAlive: func(accessor string) bool { _, ok := rt.Mounts.Table().ByAccessor(accessor); return ok },
		OnRevoke:   func(tx storage.Tx, id session.ID) error { return cubbyhole.Drop(tx, id.String()) },
	})
	u.closers = append(u.closers, every(tidyEvery, func(ctx context.Context) { s.tidy(ctx, rt.Sessions) }))
	rt.JWT = authjwt.New(authjwt.Options{
		Storage: s.barrier, Client: keys, Sessions: rt.Sessions, Identities: rt.Identity, Now: s.now, Log: s.log,
	})
	u.closers = append(u.closers, rt.JWT.Close)
	rt.KV, rt.Cubbyhole = kv.New(s.barrier, s.now), drawers
	u.closers = append(u.closers, s.sweep("vault door", func(ctx context.Context) error {
		return errors.Join(drawers.Sweep(ctx, rt.Sessions.Stored), rt.KV.Sweep(ctx, mount.Stored), rt.JWT.Sweep(ctx, mount.Stored))
	}))
	rt.Audit, err = auditstore.Open(ctx, s.barrier, auditstore.Options{
		Broker: u.audit, Salt: s.auditSalt, Directory: s.cfg.Audit.APIDirectory, Log: s.log,
	})
	if err != nil {
		return err
	}
	u.closers = append(u.closers, rt.Audit.Close)
	if rt.Quotas, err = quota.Open(ctx, s.barrier, quota.Options{Now: s.now, Failed: failed("quotas")}); err != nil {
		return err
	}
	u.closers = append(u.closers, rt.Quotas.Close)
	if rt.CORS, err = cors.Open(ctx, s.barrier, failed("cors")); err != nil {
		return err
	}
	u.closers = append(u.closers, rt.CORS.Close)
	rt.Passwords, rt.UIHeaders = passpolicy.NewStore(s.barrier), uiheaders.NewStore(s.barrier)
	rt.Rotate, rt.KeyInfo = s.barrier.Rotate, ring.Info
	s.buildOperator(u, rt)
	u.runtime = rt
	return nil
}

// sweepEvery is the pause between removals of what is out of reach: the drawers
// of tokens that ended by themselves, and what is left of mounts and collections
// whose removal was interrupted.
const sweepEvery = time.Hour

// sweep calls remove now and then until the returned function is called.
func (s *Server) sweep(what string, remove func(context.Context) error) (stop func()) {
	return every(sweepEvery, func(ctx context.Context) {
		if err := remove(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("what is out of reach stays stored for now", "of", what, "error", err)
		}
	})
}

// tidy removes leftovers of tokens, unless somebody asked for that just now.
func (s *Server) tidy(ctx context.Context, sessions *session.Store) {
	done, ran, err := sessions.TryTidy(ctx)
	switch {
	case !ran || ctx.Err() != nil:
	case err != nil:
		s.log.Error("leftovers of tokens could not be removed", "error", err)
	default:
		s.log.Debug("leftovers of tokens removed", "tokens", done.Tokens, "ghosts", done.Ghosts)
	}
}

// every calls do with this pause until stop is called, which cancels a call
// that is under way and waits for it.
func every(pause time.Duration, do func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(pause)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				do(ctx)
			}
		}
	}()
	return func() { cancel(); <-done }
}

func (s *Server) buildPvault(ctx context.Context, u *unsealed, g *gate.Gate, keys *jwks.Client, id [16]byte) (err error) {
	u.iam, err = iam.NewStore(iam.StoreOptions{
		Storage: s.barrier, Hasher: s.barrier.Keyring(), Keys: keys, Now: s.now, Logger: s.log,
		File: s.cfg.IAM.File, ApplyFileOnStart: s.cfg.IAM.File != "",
		DevMode: s.cfg.Dev, AdminKey: s.cfg.Pvault.AdminKey,
	})
	if err != nil {
		return err
	}
	u.closers = append(u.closers, func() { _ = u.iam.Close() })
	if err := u.iam.Load(ctx); err != nil {
		return err
	}
	who, err := bearer.New(bearer.Options{Snapshot: u.iam.Snapshot, Now: s.now})
	if err != nil {
		return err
	}
	drawer, err := objects.New(objects.Options{
		Store: s.barrier, Keyring: s.barrier.Keyring(),
		PageSize: s.cfg.Pvault.DefaultPageSize, MaxPage: s.cfg.Pvault.MaxPageSize,
	})
	if err != nil {
		return err
	}
	u.closers = append(u.closers, s.sweep("pvault door", drawer.Sweep))
	schema, err := s.barrier.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	if schema == 0 {
		schema = embeddedSchema
	}
	u.pvault, err = pvaultapi.New(pvaultapi.Options{
		Gate: g, IAM: u.iam, Bearer: who, Objects: drawer, Logger: s.log, Now: s.now, LogLevel: s.level,
		Version:          pvaultapi.Version{VaultID: vaultID(id), Vault: config.Version, Schema: schema},
		RotateKeys:       func(ctx context.Context) error { _, err := s.barrier.Rotate(ctx); return err },
		Healthy:          func(ctx context.Context) error { return s.barrier.View(ctx, func(storage.ReadTx) error { return nil }) },
		ReasonOptional:   !s.cfg.Pvault.ForceReason,
		AdminMayReadData: s.cfg.Pvault.AdminMayReadData,
		AllowOrigins:     s.cfg.Pvault.AllowOrigins,
		Configuration:    pvaultConfiguration(s.cfg, s.level),
	})
	return err
}

// embeddedSchema is the db_schema_version of the embedded store, whose layout
// has had one version only.
const embeddedSchema = 20261101000000

// keyCluster keeps the installation's id, which is the same on every node.
var keyCluster = []byte("core/cluster-id")

// clusterID returns the installation's id and makes it at the first unseal.
func (s *Server) clusterID(ctx context.Context) (id [16]byte, err error) {
	err = s.barrier.Update(ctx, func(tx storage.Tx) error {
		b, err := tx.Get(keyCluster)
		switch {
		case errors.Is(err, storage.ErrNotFound):
			b, err = hex.DecodeString(strings.ReplaceAll(gate.NewID(), "-", ""))
			if err == nil {
				err = tx.Put(keyCluster, b, time.Time{})
			}
		case err == nil && len(b) != len(id):
			err = fmt.Errorf("%w: the cluster id has %d bytes", storage.ErrDamaged, len(b))
		}
		if err == nil {
			id = [16]byte(b)
		}
		return err
	})
	return id, err
}

// uuid writes an id as clients of the Vault door expect it.
func uuid(id [16]byte) string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// vaultID writes an id as clients of the pvault door expect it: a positive
// decimal number of 63 bits.
func vaultID(id [16]byte) string {
	return strconv.FormatUint(binary.BigEndian.Uint64(id[:8])>>1, 10)
}
