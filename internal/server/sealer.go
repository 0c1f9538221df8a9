package server

import (
	"context"
	"io"

	"github.com/jotgate/jotgate/internal/api/vaultapi"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/storage"
)

// sealer operates the seal for the Vault door: each change of the barrier
// opens or closes both doors with it.
type sealer struct{ s *Server }

func (o sealer) Status(ctx context.Context) (vaultapi.SealStatus, error) {
	st, err := o.s.barrier.Status(ctx)
	return vaultapi.SealStatus{
		Type: st.Type, Initialized: st.Initialized, Sealed: st.Sealed || o.s.vault.Runtime() == nil,
		Shares: st.Shares, Threshold: st.Threshold, Progress: st.Progress, Nonce: st.Nonce,
	}, err
}

// Init gives the store its keys and its root token. With shares the server is
// sealed again before it answers, as the reference is: whoever initialises
// must prove that the shares were kept.
func (o sealer) Init(ctx context.Context, r vaultapi.InitRequest) (vaultapi.InitResult, error) {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	opts, err := o.initOptions(r)
	if err != nil {
		return vaultapi.InitResult{}, err
	}
	res, err := o.s.barrier.Init(ctx, opts)
	if err != nil {
		return vaultapi.InitResult{}, err
	}
	out := vaultapi.InitResult{Shares: res.Shares}
	if len(r.PGPKeys) > 0 {
		if out.Shares, err = encryptShares(res.Shares, r.PGPKeys); err != nil {
			return vaultapi.InitResult{}, err
		}
	}
	if opts.Key == nil {
		for _, share := range res.Shares[:r.Threshold] {
			if _, err := o.s.barrier.Unseal(ctx, share); err != nil {
				return out, err
			}
		}
	}
	if out.RootToken, err = o.s.issueRoot(ctx, ""); err != nil {
		return out, err
	}
	if !r.RootKey.IsZero() {
		if out.RootToken, err = encryptToken(out.RootToken, r.RootKey); err != nil {
			return vaultapi.InitResult{}, err
		}
	}
	if opts.Key == nil {
		o.s.barrier.Seal()
		return out, nil
	}
	return out, o.s.unlock(ctx)
}

// initOptions refuses what does not fit how this node is unsealed.
func (o sealer) initOptions(r vaultapi.InitRequest) (seal.InitOptions, error) {
	switch {
	case o.s.unsealKey != nil && len(r.PGPKeys) > 0:
		return seal.InitOptions{}, errNoShares
	case o.s.unsealKey != nil:
		return seal.InitOptions{Key: o.s.unsealKey}, nil
	case r.Recovery:
		return seal.InitOptions{}, fault.New(fault.Invalid, "parameters recovery_shares,recovery_threshold not applicable to seal type shamir")
	}
	return seal.InitOptions{Shares: r.Shares, Threshold: r.Threshold}, nil
}

func (o sealer) Unseal(ctx context.Context, share []byte) error {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	st, err := o.s.barrier.Unseal(ctx, share)
	if err != nil || st.Sealed || o.s.open != nil {
		return err
	}
	return o.s.unlock(ctx)
}

func (o sealer) ResetUnseal(ctx context.Context) error {
	_, err := o.s.barrier.ResetUnseal(ctx)
	return err
}

func (o sealer) Seal(context.Context) error {
	o.s.mu.Lock()
	defer o.s.mu.Unlock()
	o.s.lock()
	return nil
}

// buildOperator gives the Vault door what operators of the seal and the store
// need.
func (s *Server) buildOperator(u *unsealed, rt *vaultapi.Runtime) {
	c := s.newCeremonies()
	u.closers = append(u.closers, c.close)
	rt.Rekey, rt.Roots, rt.Metrics = &c.rekey, &c.roots, s.metrics
	if _, ok := s.driver.(storage.Snapshotter); ok {
		rt.Snapshot = func(ctx context.Context, w io.Writer) error { return s.snapshot(ctx, rt.ClusterID, w) }
	}
}

// unlock builds what the doors work on and lets requests in. If a part does
// not open, the server stays sealed. The caller holds s.mu.
func (s *Server) unlock(ctx context.Context) error {
	s.closeAudit()
	open, err := s.build(ctx)
	if err != nil {
		s.closeAudit()
		s.barrier.Seal()
		return err
	}
	s.open = open
	s.vault.Unlock(open.runtime)
	s.pvault.Store(open.pvault)
	s.log.Info("unsealed")
	return nil
}

// lock turns requests away and forgets the keys. Requests that run fail at
// their next touch of the store, but can still be recorded, the one that asked
// for the seal first of all: the audit devices stay open until the next unseal.
// The caller holds s.mu.
func (s *Server) lock() {
	s.vault.Lock()
	s.pvault.Store(nil)
	if s.open != nil {
		s.open.close()
		s.open = nil
	}
	s.barrier.Seal()
	s.log.Info("sealed")
}

// closeAudit ends the devices of the last unseal. The caller holds s.mu.
func (s *Server) closeAudit() {
	if s.audit != nil {
		_ = s.audit.Close() // an entry is in the file before it counts: closing adds nothing
		s.audit = nil
	}
}

// issueRoot makes a root token; custom is its text, "" a random one. One that
// is there already stays as it is.
func (s *Server) issueRoot(ctx context.Context, custom string) (string, error) {
	sessions := session.New(session.Options{Storage: s.barrier, Keys: s.barrier.Keyring(), Now: s.now})
	if custom != "" {
		if _, err := sessions.Lookup(ctx, custom); err == nil {
			return custom, nil
		}
	}
	var token string
	err := s.barrier.Update(ctx, func(tx storage.Tx) error {
		is, err := sessions.IssueRoot(tx, custom)
		token = is.ClientToken
		return err
	})
	return token, err
}
