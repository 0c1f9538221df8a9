package server

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"

	"github.com/jotgate/jotgate/internal/api/vaultapi"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/pgp"
	"github.com/jotgate/jotgate/internal/seal"
)

const (
	rekeyName  = "rekey"
	verifyName = "rekey verification"
)

// rekeyer gives the store a new unseal key, in shares or, for a node that
// unseals itself, as one key.
type rekeyer struct {
	sync.Mutex

	s      *Server
	old    ceremony
	want   vaultapi.RekeyRequest
	fresh  *seal.NewUnsealKey // made, and waiting for verification
	verify ceremony
	undo   func(context.Context) error // takes back what was kept; nil: nothing was
}

func (r *rekeyer) forget() {
	r.old.end()
	r.verify.end()
	r.fresh, r.want, r.undo = nil, vaultapi.RekeyRequest{}, nil
}

// Status implements vaultapi.Rekeyer.
func (r *rekeyer) Status(ctx context.Context) (vaultapi.RekeyStatus, error) {
	r.Lock()
	defer r.Unlock()
	return r.status(ctx)
}

func (r *rekeyer) status(ctx context.Context) (vaultapi.RekeyStatus, error) {
	st, err := r.s.barrier.Status(ctx)
	if err != nil {
		return vaultapi.RekeyStatus{}, err
	}
	return vaultapi.RekeyStatus{
		Progress: r.old.progress(st.Threshold), Shares: r.want.Shares, Threshold: r.want.Threshold,
		Verify: r.want.Verify, VerifyNonce: r.verify.nonce,
		Fingerprints: pgp.Fingerprints(r.want.PGPKeys), Backup: r.want.Backup,
	}, nil
}

// Start implements vaultapi.Rekeyer.
func (r *rekeyer) Start(ctx context.Context, want vaultapi.RekeyRequest) (vaultapi.RekeyStatus, error) {
	r.Lock()
	defer r.Unlock()
	if r.old.started() {
		return vaultapi.RekeyStatus{}, errStarted(rekeyName)
	}
	if err := seal.CheckShares(want.Shares, want.Threshold); err != nil {
		return vaultapi.RekeyStatus{}, err
	}
	if r.s.unsealKey != nil && want.Shares != 1 {
		return vaultapi.RekeyStatus{}, fault.New(fault.Invalid, "this node unseals itself with one key: ask for one share with a threshold of one, which will be the new key; "+
			"for more shares, set seal.type to \"shamir\" on every node first").WithReason("unseals_itself")
	}
	if r.s.unsealKey != nil && len(want.PGPKeys) > 0 {
		return vaultapi.RekeyStatus{}, errNoShares
	}
	r.old.start()
	r.want = want
	return r.status(ctx)
}

// Cancel implements vaultapi.Rekeyer.
func (r *rekeyer) Cancel(nonce string) error {
	r.Lock()
	defer r.Unlock()
	if err := r.old.cancel(rekeyName, nonce); err != nil {
		return err
	}
	r.forget()
	return nil
}

// Give implements vaultapi.Rekeyer.
func (r *rekeyer) Give(ctx context.Context, nonce string, share []byte) (vaultapi.RekeyStatus, error) {
	r.Lock()
	defer r.Unlock()
	if err := r.old.check(rekeyName, nonce); err != nil {
		return vaultapi.RekeyStatus{}, err
	}
	if r.fresh != nil {
		return vaultapi.RekeyStatus{}, fault.New(fault.Invalid, "the new shares are there: give them at sys/rekey/verify").WithReason("verification_required")
	}
	if err := r.old.shares.Add(share); err != nil {
		return vaultapi.RekeyStatus{}, err
	}
	st, err := r.status(ctx)
	if err != nil || st.Given < st.Needed {
		return st, err
	}
	fresh, shares, err := r.prepare(ctx)
	r.old.shares.Clear() // right or wrong, they are of no further use
	if err != nil {
		return vaultapi.RekeyStatus{}, err
	}
	st.Complete, st.NewShares = true, shares
	if len(r.want.PGPKeys) > 0 {
		if st.NewShares, err = r.encrypt(ctx, shares); err != nil {
			return vaultapi.RekeyStatus{}, err
		}
	}
	if r.want.Verify {
		r.fresh = fresh
		r.verify.start()
		st.VerifyNonce = r.verify.nonce
		return st, nil
	}
	if err := r.commit(ctx, fresh); err != nil {
		return vaultapi.RekeyStatus{}, err
	}
	return st, nil
}

// commit puts the new key in force. If it was overtaken, its shares open
// nothing, and the backup of those that do comes back.
func (r *rekeyer) commit(ctx context.Context, fresh *seal.NewUnsealKey) error {
	if err := fresh.Commit(ctx); err != nil {
		if r.undo != nil {
			err = errors.Join(err, r.undo(ctx))
		}
		return err
	}
	r.done()
	return nil
}

// encrypt encrypts the new shares, and keeps a copy if one is wanted. It comes
// before the new key counts: an answer that is lost loses no shares then.
func (r *rekeyer) encrypt(ctx context.Context, shares [][]byte) ([][]byte, error) {
	messages, err := encryptShares(shares, r.want.PGPKeys)
	if err != nil || !r.want.Backup {
		return messages, err
	}
	b := vaultapi.RekeyBackup{Nonce: r.old.nonce, Keys: map[string][][]byte{}}
	for i, fingerprint := range pgp.Fingerprints(r.want.PGPKeys) {
		b.Keys[fingerprint] = append(b.Keys[fingerprint], messages[i])
	}
	r.undo, err = r.keep(ctx, b)
	return messages, err
}

// prepare makes the new key and returns what its holders are given.
func (r *rekeyer) prepare(ctx context.Context) (*seal.NewUnsealKey, [][]byte, error) {
	o := seal.InitOptions{Shares: r.want.Shares, Threshold: r.want.Threshold}
	var key []byte
	if r.s.unsealKey != nil {
		key = make([]byte, seal.KeySize)
		_, _ = rand.Read(key) // never fails
		o = seal.InitOptions{Key: key}
	}
	fresh, err := r.s.barrier.PrepareRekey(ctx, r.old.shares.List(), o)
	switch {
	case err != nil:
		return nil, nil, err
	case key != nil:
		return fresh, [][]byte{key}, nil
	}
	return fresh, fresh.Shares, nil
}

func (r *rekeyer) done() {
	r.s.log.Warn("the unseal key was replaced: the old shares, or the old key, do not open this store any more", "shares", r.want.Shares, "threshold", r.want.Threshold)
	r.forget()
}

// Verification implements vaultapi.Rekeyer.
func (r *rekeyer) Verification() (vaultapi.RekeyStatus, error) {
	r.Lock()
	defer r.Unlock()
	if r.fresh == nil {
		return vaultapi.RekeyStatus{}, r.verify.check(verifyName, "")
	}
	return r.verification(), nil
}

func (r *rekeyer) verification() vaultapi.RekeyStatus {
	return vaultapi.RekeyStatus{Progress: r.verify.progress(r.want.Threshold), Shares: r.want.Shares, Threshold: r.want.Threshold, Verify: true}
}

// RestartVerification implements vaultapi.Rekeyer.
func (r *rekeyer) RestartVerification() error {
	r.Lock()
	defer r.Unlock()
	if r.fresh == nil {
		return r.verify.check(verifyName, "")
	}
	r.verify.start()
	return nil
}

// Verify implements vaultapi.Rekeyer.
func (r *rekeyer) Verify(ctx context.Context, nonce string, share []byte) (vaultapi.RekeyStatus, error) {
	r.Lock()
	defer r.Unlock()
	if err := r.verify.check(verifyName, nonce); err != nil {
		return vaultapi.RekeyStatus{}, err
	}
	if err := r.verify.shares.Add(share); err != nil {
		return vaultapi.RekeyStatus{}, err
	}
	st := r.verification()
	if st.Given < st.Needed {
		return st, nil
	}
	right := r.fresh.Opens(r.verify.shares.List())
	r.verify.shares.Clear()
	if !right {
		return vaultapi.RekeyStatus{}, seal.ErrWrongKey
	}
	if err := r.commit(ctx, r.fresh); err != nil {
		return vaultapi.RekeyStatus{}, err
	}
	st.Complete = true
	return st, nil
}
