package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/seal/shamir"
	"github.com/jotgate/jotgate/internal/storage"
)

// config is what a sealed node has to know. It is kept in clear.
type config struct {
	Version   int       `json:"version"`
	Type      string    `json:"type"`
	Shares    int       `json:"shares"`
	Threshold int       `json:"threshold"`
	Created   time.Time `json:"created"`
}

// Status is what anyone may know about the seal.
type Status struct {
	Type        string // TypeShamir or TypeKey
	Initialized bool
	Sealed      bool
	Shares      int    // how many shares there are
	Threshold   int    // how many are needed
	Progress    int    // how many were given in this attempt
	Nonce       string // names the attempt; "" when there is none
}

// InitOptions say who will hold the unseal key.
type InitOptions struct {
	// Shares and Threshold: 1 ≤ Threshold ≤ Shares ≤ 255; a threshold of 1
	// needs exactly one share. Unused with Key.
	Shares, Threshold int
	// Key makes this the unseal key, KeySize bytes long, instead of shares.
	Key []byte
}

// InitResult holds what is shown once and kept nowhere.
type InitResult struct {
	Shares [][]byte // nil with InitOptions.Key
}

// Status tells the state of the seal. It reads the store at most once.
func (b *Barrier) Status(ctx context.Context) (Status, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status(ctx)
}

func (b *Barrier) status(ctx context.Context) (Status, error) {
	c, err := b.load(ctx)
	if errors.Is(err, ErrNotInitialized) {
		return Status{Type: TypeShamir, Sealed: true}, nil
	}
	if err != nil {
		return Status{}, err
	}
	return Status{
		Type: c.Type, Initialized: true, Sealed: b.Sealed(),
		Shares: c.Shares, Threshold: c.Threshold, Progress: b.shares.Len(), Nonce: b.nonce,
	}, nil
}

// load returns the stored config, or ErrNotInitialized. b.mu is held.
func (b *Barrier) load(ctx context.Context) (*config, error) {
	if b.config != nil {
		return b.config, nil
	}
	var c config
	err := b.inner.View(ctx, func(tx storage.ReadTx) error {
		text, err := tx.Get(configAt)
		if err != nil {
			return err
		}
		return c.parse(text)
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNotInitialized
	}
	if err != nil {
		return nil, err
	}
	b.config = &c
	return &c, nil
}

func (c *config) parse(text []byte) error {
	if err := json.Unmarshal(text, c); err != nil || c.Version != 1 || CheckShares(c.Shares, c.Threshold) != nil {
		return fmt.Errorf("%w: the seal's configuration is not readable", storage.ErrDamaged)
	}
	return nil
}

// Init gives the store its root key and first data key. With shares the
// barrier stays sealed; with a key it is unsealed on return. Two nodes that
// initialize at once: one wins, the other gets ErrInitialized. A store that
// holds anything is refused.
func (b *Barrier) Init(ctx context.Context, o InitOptions) (InitResult, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	unseal, c, result, err := b.divide(o)
	if err != nil {
		return InitResult{}, err
	}
	defer clear(unseal)
	root := randomKey()
	defer clear(root)
	records, err := newRecords(c, unseal, root, b.now())
	if err != nil {
		return InitResult{}, err
	}
	err = b.inner.Update(ctx, func(tx storage.Tx) error {
		if err := checkEmpty(tx); err != nil {
			return err
		}
		return putAll(tx, records)
	})
	if err != nil {
		return InitResult{}, err
	}
	b.config = &c
	if len(o.Key) > 0 {
		return result, b.take(ctx, o.Key)
	}
	return result, nil
}

// checkEmpty refuses to give a root key to a store that has one, or has lost
// the record of it: whatever is there would never open again.
func checkEmpty(tx storage.ReadTx) error {
	switch _, err := tx.Get(configAt); {
	case err == nil:
		return ErrInitialized
	case !errors.Is(err, storage.ErrNotFound):
		return err
	}
	items, err := tx.Scan(nil, nil, 1)
	if err == nil && len(items) > 0 {
		err = fmt.Errorf("%w: the store is not empty, but the seal's configuration is missing: restore it from a backup", storage.ErrDamaged)
	}
	return err
}

// divide makes the unseal key and the shares that the options ask for.
func (b *Barrier) divide(o InitOptions) (unseal []byte, c config, r InitResult, err error) {
	c = config{Version: 1, Type: TypeShamir, Shares: o.Shares, Threshold: o.Threshold, Created: b.now().UTC()}
	if len(o.Key) > 0 {
		if len(o.Key) != KeySize {
			return nil, c, r, errKeySize(len(o.Key))
		}
		c.Type, c.Shares, c.Threshold = TypeKey, 1, 1
		return append([]byte(nil), o.Key...), c, r, nil
	}
	if err := CheckShares(o.Shares, o.Threshold); err != nil {
		return nil, c, r, err
	}
	unseal = randomKey()
	if o.Shares == 1 {
		r.Shares = [][]byte{append([]byte(nil), unseal...)}
		return unseal, c, r, nil
	}
	r.Shares, err = shamir.Split(unseal, o.Shares, o.Threshold)
	return unseal, c, r, err
}

// CheckShares refuses numbers of shares that cannot be, in the reference's words.
func CheckShares(shares, threshold int) error {
	var text string
	switch {
	case shares < 1:
		text = "shares must be at least one"
	case threshold < 1:
		text = "threshold must be at least one"
	case shares > 1 && threshold == 1:
		text = "threshold must be greater than one for multiple shares"
	case shares > shamir.MaxShares:
		text = "shares must be less than 256"
	case threshold > shares:
		text = "threshold cannot be larger than shares"
	default:
		return nil
	}
	return fault.New(fault.Invalid, text).WithReason("invalid_shares")
}

// record is one of the seal's own keys with its value.
type record struct{ key, value []byte }

func putAll(tx storage.Tx, records []record) error {
	for _, r := range records {
		if err := tx.Put(r.key, r.value, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

func newRecords(c config, unseal, root []byte, now time.Time) ([]record, error) {
	records, err := unsealRecords(c, unseal, root)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(root)
	if err != nil {
		return nil, err
	}
	ring, err := sealRing(aead, newRing(now))
	if err != nil {
		return nil, err
	}
	return append(records, record{keyringAt, ring}), nil
}

// unsealRecords are the records that depend on the unseal key.
func unsealRecords(c config, unseal, root []byte) ([]record, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("seal: encoding the configuration: %w", err)
	}
	aead, err := newAEAD(unseal)
	if err != nil {
		return nil, err
	}
	return []record{{configAt, text}, {rootAt, aead.Seal(nil, nil, root, rootAt)}}, nil //nolint:gosec // the AEAD draws its own nonce
}

// sealRecord reads a record that every initialized store has. Only one that is
// not there means damage: nobody shall reach for a backup because the storage
// could not be reached for a moment.
func sealRecord(tx storage.ReadTx, at []byte, whose string) ([]byte, error) {
	b, err := tx.Get(at)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, fmt.Errorf("%w: %s record is missing", storage.ErrDamaged, whose)
	}
	return b, err
}

// rootFrom opens the root key, or returns ErrWrongKey.
func rootFrom(tx storage.ReadTx, unseal []byte) ([]byte, error) {
	envelope, err := sealRecord(tx, rootAt, "the root key's")
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(unseal)
	if err != nil {
		return nil, ErrWrongKey
	}
	root, err := aead.Open(nil, nil, envelope, rootAt)
	if err != nil {
		return nil, ErrWrongKey
	}
	return root, nil
}

// NewNonce returns a random UUID (RFC 9562 §5.4), which names one operation.
func NewNonce() string {
	var u [16]byte
	_, _ = rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
