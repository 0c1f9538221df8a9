package server

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"sync"

	"github.com/jotgate/jotgate/internal/api/vaultapi"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/pgp"
	"github.com/jotgate/jotgate/internal/session"
)

const rootName = "root generation"

// rootMaker makes a root token for those who bring the shares that unseal. The
// token leaves covered by a one-time password that only whoever started knows,
// so that whoever gives the last share does not hold it.
type rootMaker struct {
	sync.Mutex

	s     *Server
	given ceremony
	otp   []byte
	key   pgp.Key // instead of otp; zero: none
}

func (m *rootMaker) forget() {
	m.given.end()
	clear(m.otp)
	m.otp, m.key = nil, pgp.Key{}
}

// Status implements vaultapi.RootMaker.
func (m *rootMaker) Status(ctx context.Context) (vaultapi.RootStatus, error) {
	m.Lock()
	defer m.Unlock()
	return m.status(ctx)
}

func (m *rootMaker) status(ctx context.Context) (vaultapi.RootStatus, error) {
	st, err := m.s.barrier.Status(ctx)
	if err != nil {
		return vaultapi.RootStatus{}, err
	}
	out := vaultapi.RootStatus{Progress: m.given.progress(st.Threshold), OTPLength: session.ServiceTokenSize}
	if !m.key.IsZero() {
		out.Fingerprint = m.key.Fingerprint()
	}
	return out, nil
}

// Start implements vaultapi.RootMaker.
func (m *rootMaker) Start(ctx context.Context, r vaultapi.RootRequest) (vaultapi.RootStatus, error) {
	m.Lock()
	defer m.Unlock()
	if m.given.started() {
		return vaultapi.RootStatus{}, errStarted(rootName)
	}
	if !r.PGPKey.IsZero() {
		m.given.start()
		m.key = r.PGPKey
		return m.status(ctx)
	}
	otp, made := r.OTP, r.OTP == ""
	if made {
		otp = newOTP()
	}
	if len(otp) != session.ServiceTokenSize {
		return vaultapi.RootStatus{}, fault.Newf(fault.Invalid, "'otp' has %d bytes: it must be as long as the token, %d", len(otp), session.ServiceTokenSize)
	}
	m.given.start()
	m.otp = []byte(otp)
	st, err := m.status(ctx)
	if err == nil && made {
		st.OTP = otp
	}
	return st, err
}

// Cancel implements vaultapi.RootMaker.
func (m *rootMaker) Cancel(nonce string) error {
	m.Lock()
	defer m.Unlock()
	if err := m.given.cancel(rootName, nonce); err != nil {
		return err
	}
	m.forget()
	return nil
}

// Give implements vaultapi.RootMaker.
func (m *rootMaker) Give(ctx context.Context, nonce string, share []byte) (vaultapi.RootStatus, error) {
	m.Lock()
	defer m.Unlock()
	if err := m.given.check(rootName, nonce); err != nil {
		return vaultapi.RootStatus{}, err
	}
	if err := m.given.shares.Add(share); err != nil {
		return vaultapi.RootStatus{}, err
	}
	st, err := m.status(ctx)
	if err != nil || st.Given < st.Needed {
		return st, err
	}
	err = m.s.barrier.Prove(ctx, m.given.shares.List())
	m.given.shares.Clear() // right or wrong, they are of no further use
	if err != nil {
		return vaultapi.RootStatus{}, err
	}
	token, err := m.s.issueRoot(ctx, "")
	if err != nil {
		return vaultapi.RootStatus{}, err
	}
	if st.Encoded, err = m.cover(token); err != nil {
		return vaultapi.RootStatus{}, err
	}
	st.Complete = true
	m.s.log.Warn("a root token was made for the holders of the shares")
	m.forget()
	return st, nil
}

// cover makes the token unreadable for everybody but whoever started.
func (m *rootMaker) cover(token string) (string, error) {
	if !m.key.IsZero() {
		return encryptToken(token, m.key)
	}
	return cover(token, m.otp), nil
}

// cover returns token XOR otp, which have one length, in base64.
func cover(token string, otp []byte) string {
	out := make([]byte, len(otp))
	for i := range out {
		out[i] = token[i] ^ otp[i]
	}
	return base64.RawStdEncoding.EncodeToString(out)
}

const otpAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newOTP returns as many random letters and digits as a token has bytes,
// without bias.
func newOTP() string {
	out := make([]byte, 0, session.ServiceTokenSize)
	var b [128]byte
	for {
		_, _ = rand.Read(b[:]) // never fails
		for _, c := range b {
			if int(c) >= 4*len(otpAlphabet) {
				continue
			}
			if out = append(out, otpAlphabet[int(c)%len(otpAlphabet)]); len(out) == session.ServiceTokenSize {
				return string(out)
			}
		}
	}
}
