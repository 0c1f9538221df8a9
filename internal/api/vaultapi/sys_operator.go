package vaultapi

import (
	"context"
	"encoding/base64"
	"encoding/hex"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/pgp"
)

// Progress tells how far an operation is that takes several shares.
type Progress struct {
	Nonce    string // names the operation; "" while none is started
	Started  bool
	Given    int // shares so far
	Needed   int // shares that it takes
	Complete bool
}

// RekeyRequest asks for new shares. The zero value is refused.
type RekeyRequest struct {
	Shares, Threshold int
	// Verify leaves the old shares in force until the holders of the new ones
	// have shown that they have them.
	Verify bool
	// PGPKeys, one for each share, encrypt the new shares; none leaves them
	// readable. Backup keeps the encrypted shares until they are deleted.
	PGPKeys []pgp.Key
	Backup  bool
}

// RekeyStatus is where a change of the shares stands.
type RekeyStatus struct {
	Progress
	Shares, Threshold int // of the new key
	Verify            bool
	VerifyNonce       string   // "" until the new shares are there and wait for verification
	NewShares         [][]byte // only in the answer to the last old share; OpenPGP messages if it has keys
	Fingerprints      []string // of the PGP keys; nil without
	Backup            bool
}

// RekeyBackup are the new shares that the last change with a backup made, as
// OpenPGP messages, by the fingerprint of the key that opens them.
type RekeyBackup struct {
	Nonce string
	Keys  map[string][][]byte
}

// Rekeyer changes who can unseal. Its operations are per node and in memory.
// Errors are *fault.Error; a wrong share, nonce or number is Invalid.
type Rekeyer interface {
	Status(ctx context.Context) (RekeyStatus, error)
	Start(ctx context.Context, r RekeyRequest) (RekeyStatus, error)
	// Cancel forgets the operation. nonce may be ""; another one than the
	// operation's is refused. Nothing to cancel is no error.
	Cancel(nonce string) error
	// Give adds one of the old shares.
	Give(ctx context.Context, nonce string, share []byte) (RekeyStatus, error)
	// Verification tells how many of the new shares were shown.
	Verification() (RekeyStatus, error)
	// RestartVerification forgets the new shares that were shown so far.
	RestartVerification() error
	// Verify adds one of the new shares.
	Verify(ctx context.Context, nonce string, share []byte) (RekeyStatus, error)
	// Backup returns what the last change with a backup kept; false: nothing.
	Backup(ctx context.Context) (RekeyBackup, bool, error)
	// DeleteBackup removes it. Nothing to remove is no error.
	DeleteBackup(ctx context.Context) error
}

// RootStatus is where the making of a root token stands.
type RootStatus struct {
	Progress
	OTP       string // only in the answer to a start that named none
	OTPLength int
	Encoded   string // the token XOR the OTP, or as an OpenPGP message, in base64; only in the last answer
	// Fingerprint of the PGP key; "" with an OTP.
	Fingerprint string
}

// RootRequest asks for a root token. The zero value has an OTP made up.
type RootRequest struct {
	OTP    string  // the one-time password that will cover the token; "" has one made
	PGPKey pgp.Key // encrypts the token instead; the zero Key: none
}

// RootMaker makes a root token for those who bring enough shares. As Rekeyer,
// it is per node and in memory.
type RootMaker interface {
	Status(ctx context.Context) (RootStatus, error)
	Start(ctx context.Context, r RootRequest) (RootStatus, error)
	Cancel(nonce string) error
	Give(ctx context.Context, nonce string, share []byte) (RootStatus, error)
}

var (
	nonceField = Field{Name: "nonce", Help: "The operation's nonce, from its start."}
	pgpFields  = []Field{
		{Name: "pgp_keys", Type: CommaList, Help: "A public key for each new share, as the base64 of its binary form."},
		{Name: "backup", Type: Bool, Help: "Keep the encrypted shares at rekey/backup."},
		{Name: "Backup", Type: Bool, Help: "The same, as HashiCorp's client for Go spells it."},
	}
	shareFields = []Field{{Name: "key", Help: "One share, in hex or base64."}, nonceField}
	rekeyFields = append([]Field{
		{Name: "secret_shares", Type: Int, Help: "How many new shares there will be."},
		{Name: "secret_threshold", Type: Int, Help: "How many of them it will take to unseal."},
		{Name: "require_verification", Type: Bool, Help: "The new shares count only once they were given at rekey/verify."},
		{Name: "stored_shares", Type: Int, Help: "Accepted; no share is stored."},
	}, pgpFields...)
	rootFields = []Field{
		{Name: "otp", Help: "The one-time password that covers the token; it is made up if left out."},
		{Name: "pgp_key", Help: "A public key that encrypts the token, instead of otp."},
	}
)

// sysOperatorRows change who can unseal, and make root tokens. Every change
// needs a token with sudo beside the shares: in older versions of the
// reference anybody could start and cancel, and so keep operators from ever
// finishing (CVE-2026-5807).
var sysOperatorRows = []Row{
	{Verbs: []string{Read}, Pattern: "rekey/init", Auth: route.Authenticated, Action: "rekey-attempt-read-progress", Help: "Read how far a change of the shares is.",
		Handler: Action{Do: readRekey}},
	{Verbs: []string{Update}, Pattern: "rekey/init", Auth: route.Authenticated, Sudo: true, Action: "rekey-attempt-initialize", Body: keysBody, Help: "Start a change of the shares.",
		Handler: Action{Do: startRekey, Fields: rekeyFields}},
	{Verbs: []string{Delete}, Pattern: "rekey/init", Auth: route.Authenticated, Sudo: true, Action: "rekey-attempt-cancel", Help: "Cancel a change of the shares.",
		Handler: Action{Do: cancel((*Call).rekeyer), Fields: []Field{nonceField}}},
	{Verbs: []string{Update}, Pattern: "rekey/update", Auth: route.Authenticated, Sudo: true, Action: "rekey-attempt-update", Body: SmallBody, Help: "Give one of the present shares.",
		Handler: Action{Do: give((*Call).rekeyer, Rekeyer.Give, rekeyReply), Fields: shareFields}},
	{Verbs: []string{Read}, Pattern: "rekey/verify", Auth: route.Authenticated, Action: "rekey-verification-read-progress", Help: "Read how many of the new shares were given.",
		Handler: Action{Do: readVerify}},
	{Verbs: []string{Update}, Pattern: "rekey/verify", Auth: route.Authenticated, Sudo: true, Action: "rekey-verification-update", Body: SmallBody, Help: "Give one of the new shares.",
		Handler: Action{Do: give((*Call).rekeyer, Rekeyer.Verify, verifyReply), Fields: shareFields}},
	{Verbs: []string{Delete}, Pattern: "rekey/verify", Auth: route.Authenticated, Sudo: true, Action: "rekey-verification-cancel", Help: "Forget the new shares given so far.",
		Handler: Action{Do: restartVerify, Fields: []Field{nonceField}}},
	{Verbs: []string{Read}, Pattern: "rekey/backup", Auth: route.Authenticated, Sudo: true, Action: "rekey-read-backup-key", Help: "Read the encrypted shares that the last change with a backup made.",
		Handler: Action{Do: readBackup}},
	{Verbs: []string{Delete}, Pattern: "rekey/backup", Auth: route.Authenticated, Sudo: true, Action: "rekey-delete-backup-key", Help: "Delete the encrypted shares that are kept.",
		Handler: Action{Do: deleteBackup}},
	{Verbs: []string{Read}, Pattern: "generate-root/attempt", Auth: route.Authenticated, Action: "root-token-generation-read-progress", Help: "Read how far the making of a root token is.",
		Handler: Action{Do: readRoot, Emergency: true}},
	{Verbs: []string{Update}, Pattern: "generate-root/attempt", Auth: route.Authenticated, Sudo: true, Action: "root-token-generation-initialize", Body: SmallBody, Help: "Start to make a root token.",
		Handler: Action{Do: startRoot, Fields: rootFields, Emergency: true}},
	{Verbs: []string{Delete}, Pattern: "generate-root/attempt", Auth: route.Authenticated, Sudo: true, Action: "root-token-generation-cancel", Help: "Cancel the making of a root token.",
		Handler: Action{Do: cancel((*Call).rootMaker), Fields: []Field{nonceField}, Emergency: true}},
	{Verbs: []string{Update}, Pattern: "generate-root/update", Auth: route.Authenticated, Sudo: true, Action: "root-token-generation-update", Body: SmallBody, Help: "Give one share.",
		Handler: Action{Do: give((*Call).rootMaker, RootMaker.Give, rootReply), Fields: shareFields, Emergency: true}},
}

// bareReply answers without an envelope, as the operations of the seal do. The
// audit log does not show it: it may hold shares.
func bareReply(v map[string]any) (*Reply, error) {
	b, err := appendJSON(nil, v)
	if err != nil {
		return nil, err
	}
	return &Reply{Raw: append(b, '\n')}, nil
}

func (c *Call) rekeyer() (Rekeyer, error) {
	if c.Runtime.Rekey == nil {
		return nil, fault.New(fault.NotImplemented, "this server has no seal to rekey")
	}
	return c.Runtime.Rekey, nil
}

func (c *Call) rootMaker() (RootMaker, error) {
	if c.Runtime.Roots == nil {
		return nil, fault.New(fault.NotImplemented, "this server has no seal to prove shares to")
	}
	return c.Runtime.Roots, nil
}

// share reads the share of a request, and its nonce.
func (c *Call) share() (nonce string, share []byte, err error) {
	key := c.String("key")
	if key == "" {
		return "", nil, fault.New(fault.Invalid, "'key' must be specified in request body as JSON")
	}
	share, err = decodeShare(key)
	return c.String("nonce"), share, err
}

// keysBody is room for the PGP keys of many holders.
const keysBody = 4 << 20

func rekeyReply(st RekeyStatus, err error) (*Reply, error) {
	if err != nil {
		return nil, err
	}
	f := map[string]any{
		"nonce": st.Nonce, "started": st.Started, "t": st.Threshold, "n": st.Shares,
		"progress": st.Given, "required": st.Needed, "pgp_fingerprints": st.Fingerprints, "backup": st.Backup,
		"verification_required": st.Verify,
	}
	if st.VerifyNonce != "" {
		f["verification_nonce"] = st.VerifyNonce
	}
	if st.Complete {
		hexes, b64s := encodeShares(st.NewShares)
		f["complete"], f["keys"], f["keys_base64"] = true, hexes, b64s
	}
	return bareReply(f)
}

// encodeShares spells shares in both ways that clients read.
func encodeShares(shares [][]byte) (hexes, b64s []string) {
	hexes, b64s = make([]string, len(shares)), make([]string, len(shares))
	for i, sh := range shares {
		hexes[i], b64s[i] = hex.EncodeToString(sh), base64.StdEncoding.EncodeToString(sh)
	}
	return hexes, b64s
}

func readRekey(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	r, err := c.rekeyer()
	if err != nil {
		return nil, err
	}
	return rekeyReply(r.Status(ctx))
}

func startRekey(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	r, err := c.rekeyer()
	if err != nil {
		return nil, err
	}
	want := RekeyRequest{
		Shares: small(c.Int("secret_shares")), Threshold: small(c.Int("secret_threshold")), Verify: c.Bool("require_verification"), Backup: c.Bool("backup") || c.Bool("Backup"),
	}
	if want.PGPKeys, err = pgp.ParseAll(c.List("pgp_keys"), c.Runtime.now); err != nil {
		return nil, err
	}
	switch n := len(want.PGPKeys); {
	case want.Backup && n == 0:
		return nil, fault.New(fault.Invalid, "cannot request a backup of the new keys without providing PGP keys for encryption")
	case n > 0 && n != want.Shares:
		return nil, fault.New(fault.Invalid, "incorrect number of PGP keys for rekey: as many are needed as there will be shares")
	}
	return rekeyReply(r.Start(ctx, want))
}

func readBackup(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	r, err := c.rekeyer()
	if err != nil {
		return nil, err
	}
	b, ok, err := r.Backup(ctx)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fault.New(fault.Invalid, "no backed-up keys found")
	}
	keys, keysB64 := map[string]any{}, map[string]any{}
	for fingerprint, messages := range b.Keys {
		keys[fingerprint], keysB64[fingerprint] = encodeShares(messages)
	}
	return &Reply{Doubled: true, Data: map[string]any{"nonce": b.Nonce, "keys": keys, "keys_base64": keysB64}}, nil
}

func deleteBackup(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	r, err := c.rekeyer()
	if err != nil {
		return nil, err
	}
	return nil, r.DeleteBackup(ctx)
}

// small keeps a number from changing its meaning where int is narrow.
func small(n int64) int { return int(max(min(n, 1<<20), -1)) }

// cancel ends the attempt with the nonce that the caller names.
func cancel[T interface{ Cancel(nonce string) error }](of func(*Call) (T, error)) Handler {
	return func(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
		attempt, err := of(c)
		if err != nil {
			return nil, err
		}
		return nil, attempt.Cancel(c.String("nonce"))
	}
}

// give hands one share to an attempt and answers how far it has come.
func give[T, S any](of func(*Call) (T, error), to func(T, context.Context, string, []byte) (S, error), reply func(S, error) (*Reply, error)) Handler {
	return func(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
		attempt, err := of(c)
		if err != nil {
			return nil, err
		}
		nonce, share, err := c.share()
		if err != nil {
			return nil, err
		}
		defer clear(share)
		return reply(to(attempt, ctx, nonce, share))
	}
}

func verifyReply(st RekeyStatus, err error) (*Reply, error) {
	if err != nil {
		return nil, err
	}
	return bareReply(map[string]any{
		"nonce": st.Nonce, "started": st.Started, "t": st.Threshold, "n": st.Shares, "progress": st.Given, "complete": st.Complete,
	})
}

func readVerify(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	r, err := c.rekeyer()
	if err != nil {
		return nil, err
	}
	return verifyReply(r.Verification())
}

func restartVerify(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	r, err := c.rekeyer()
	if err != nil {
		return nil, err
	}
	if err := r.RestartVerification(); err != nil {
		return nil, err
	}
	return verifyReply(r.Verification())
}

func rootReply(st RootStatus, err error) (*Reply, error) {
	if err != nil {
		return nil, err
	}
	return bareReply(map[string]any{
		"nonce": st.Nonce, "started": st.Started, "progress": st.Given, "required": st.Needed, "complete": st.Complete,
		"encoded_token": st.Encoded, "encoded_root_token": st.Encoded, "pgp_fingerprint": st.Fingerprint,
		"otp": st.OTP, "otp_length": st.OTPLength,
	})
}

func readRoot(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	m, err := c.rootMaker()
	if err != nil {
		return nil, err
	}
	return rootReply(m.Status(ctx))
}

func startRoot(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	m, err := c.rootMaker()
	if err != nil {
		return nil, err
	}
	r := RootRequest{OTP: c.String("otp")}
	if text := c.String("pgp_key"); text != "" {
		if r.OTP != "" {
			return nil, fault.New(fault.Invalid, "either 'otp' or 'pgp_key' covers the token: leave one of them out")
		}
		if r.PGPKey, err = pgp.Parse(text, c.Runtime.now); err != nil {
			return nil, err
		}
	}
	return rootReply(m.Start(ctx, r))
}
