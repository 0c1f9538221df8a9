package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/storage"
)

// KeySize is the length in bytes of the unseal key, the root key and every
// data key.
const KeySize = 32

// An envelope is version, key id, and what the AEAD makes of the value: a
// random nonce, the ciphertext and a tag.
const (
	envelopeVersion = 1
	headerSize      = 1 + 4
	envelopeExtra   = headerSize + 12 + 16
)

// Keyring holds the data keys of one installation and, apart from them, the
// key that names are hashed with, which never changes. It is safe for
// concurrent use. The zero value, like the keyring of a sealed Barrier, opens
// nothing, and what it hashes or seals matches nothing and never opens.
type Keyring struct {
	state atomic.Pointer[ringState] // nil while sealed
	mu    sync.Mutex                // one writer of state
}

// ringState is immutable but for its caches and counts: a change swaps in a new
// one.
type ringState struct {
	file     ringFile
	root     cipher.AEAD // opens the stored keyring; nil when it is not stored
	active   uint32
	values   map[uint32]cipher.AEAD
	raw      map[uint32][]byte
	hashes   sync.Map // purpose → *sync.Pool of hash.Hash
	purposes sync.Map // purposeKey → cipher.AEAD
	seals    atomic.Uint64
	counted  atomic.Uint64 // how many of seals are in the shared count
}

// ringFile is how a keyring is kept, sealed by the root key.
type ringFile struct {
	Version int       `json:"version"`
	Names   []byte    `json:"names"`
	Keys    []dataKey `json:"keys"`
}

type dataKey struct {
	ID      uint32    `json:"id"`
	Key     []byte    `json:"key"`
	Created time.Time `json:"created"`
}

type purposeKey struct {
	id      uint32
	purpose string
}

// KeyInfo describes the data key in use.
type KeyInfo struct {
	Term    uint32    // counts from 1, grows by one with each rotation
	Created time.Time // UTC
	Seals   uint64    // values sealed by this process since the key is in use
}

// NewKeyring returns a keyring with one fresh data key, kept nowhere.
func NewKeyring(now time.Time) *Keyring {
	k := &Keyring{}
	if err := k.use(newRing(now), nil); err != nil {
		panic(err) // keys of the right size always work
	}
	return k
}

func newRing(now time.Time) ringFile {
	return ringFile{Version: 1, Names: randomKey(), Keys: []dataKey{{ID: 1, Key: randomKey(), Created: now.UTC()}}}
}

func randomKey() []byte {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // never fails: it ends the process instead
	return key
}

// next returns the ring with one more data key, the newest.
func (f ringFile) next(now time.Time) ringFile {
	last := f.Keys[len(f.Keys)-1].ID
	f.Keys = append(f.Keys[:len(f.Keys):len(f.Keys)], dataKey{ID: last + 1, Key: randomKey(), Created: now.UTC()})
	return f
}

// use makes the ring the current one, unless a newer one is.
func (k *Keyring) use(f ringFile, root cipher.AEAD) error {
	s, err := compile(f)
	if err != nil {
		return err
	}
	s.root = root
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.state.Load()
	if old != nil && old.active >= s.active {
		return nil
	}
	k.state.Store(s)
	return nil
}

// forget takes the keys out of use; running transactions fail from here on.
func (k *Keyring) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.Store(nil)
}

func compile(f ringFile) (*ringState, error) {
	if f.Version != 1 || len(f.Names) != KeySize || len(f.Keys) == 0 {
		return nil, fmt.Errorf("%w: keyring version %d is not one that this version reads", storage.ErrDamaged, f.Version)
	}
	s := &ringState{file: f, values: map[uint32]cipher.AEAD{}, raw: map[uint32][]byte{}}
	for _, key := range f.Keys {
		if len(key.Key) != KeySize || key.ID <= s.active {
			return nil, fmt.Errorf("%w: keyring holds an impossible key", storage.ErrDamaged)
		}
		aead, err := subkeyAEAD(key.Key, "storage value")
		if err != nil {
			return nil, err
		}
		s.active, s.values[key.ID], s.raw[key.ID] = key.ID, aead, key.Key
	}
	return s, nil
}

func subkey(key []byte, purpose string) ([]byte, error) {
	return hkdf.Key(sha256.New, key, nil, "jotgate "+purpose, KeySize)
}

func subkeyAEAD(key []byte, purpose string) (cipher.AEAD, error) {
	sub, err := subkey(key, purpose)
	if err != nil {
		return nil, err
	}
	return newAEAD(sub)
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Info describes the data key in use. It is zero while sealed.
func (k *Keyring) Info() KeyInfo {
	s := k.state.Load()
	if s == nil {
		return KeyInfo{}
	}
	newest := s.file.Keys[len(s.file.Keys)-1]
	return KeyInfo{Term: newest.ID, Created: newest.Created, Seals: s.seals.Load()}
}

// HMAC returns 32 bytes that stand for data and can be neither turned back nor
// guessed without the keyring: HMAC-SHA-256 under a subkey for the purpose. The
// same data gives the same bytes for as long as the installation lives. While
// sealed it returns random bytes.
func (k *Keyring) HMAC(purpose string, data []byte) []byte {
	return k.AppendHMAC(make([]byte, 0, sha256.Size), purpose, data)
}

// AppendHMAC is HMAC that appends to dst.
func (k *Keyring) AppendHMAC(dst []byte, purpose string, data []byte) []byte {
	s := k.state.Load()
	if s == nil {
		return append(dst, randomKey()...)
	}
	pool, ok := s.hashes.Load(purpose)
	if !ok {
		pool, _ = s.hashes.LoadOrStore(purpose, s.hashPool(purpose))
	}
	h := pool.(*sync.Pool).Get().(hash.Hash)
	h.Reset()
	h.Write(data)
	dst = h.Sum(dst)
	pool.(*sync.Pool).Put(h)
	return dst
}

func (s *ringState) hashPool(purpose string) *sync.Pool {
	sub, err := subkey(s.file.Names, "name "+purpose)
	if err != nil {
		panic(err) // a fixed, allowed length
	}
	return &sync.Pool{New: func() any { return hmac.New(sha256.New, sub) }}
}

// Seal seals bytes that leave the store, such as a batch token. They open only
// for the same purpose and aad. While sealed it returns bytes that never open.
func (k *Keyring) Seal(purpose string, aad, plaintext []byte) []byte {
	s := k.state.Load()
	if s == nil {
		return randomKey()
	}
	return s.seal(s.purpose(s.active, purpose), aad, plaintext)
}

// Open opens what Seal sealed, or returns ErrOpen. The sealed bytes are left
// as they are.
func (k *Keyring) Open(purpose string, aad, sealed []byte) ([]byte, error) {
	s := k.state.Load()
	if s == nil {
		return nil, ErrSealed
	}
	id, ok := envelopeKey(sealed)
	if !ok || s.raw[id] == nil {
		return nil, ErrOpen
	}
	out, err := s.purpose(id, purpose).Open(nil, nil, sealed[headerSize:], aad)
	if err != nil {
		return nil, ErrOpen
	}
	return out, nil
}

func (s *ringState) purpose(id uint32, purpose string) cipher.AEAD {
	at := purposeKey{id, purpose}
	if a, ok := s.purposes.Load(at); ok {
		return a.(cipher.AEAD)
	}
	a, err := subkeyAEAD(s.raw[id], "purpose "+purpose)
	if err != nil {
		panic(err) // a fixed, allowed length
	}
	s.purposes.Store(at, a)
	return a
}

// seal makes an envelope with the newest data key.
func (s *ringState) seal(aead cipher.AEAD, aad, plaintext []byte) []byte {
	s.seals.Add(1)
	out := make([]byte, headerSize, envelopeExtra+len(plaintext))
	out[0] = envelopeVersion
	binary.BigEndian.PutUint32(out[1:], s.active)
	return aead.Seal(out, nil, plaintext, aad) //nolint:gosec // the AEAD draws its own nonce
}

// envelopeKey returns the id of the data key that an envelope names.
func envelopeKey(sealed []byte) (id uint32, ok bool) {
	if len(sealed) < envelopeExtra || sealed[0] != envelopeVersion {
		return 0, false
	}
	return binary.BigEndian.Uint32(sealed[1:]), true
}

// sealValue seals a value for its place in the store.
func (k *Keyring) sealValue(key, value []byte) ([]byte, error) {
	s := k.state.Load()
	if s == nil {
		return nil, ErrSealed
	}
	return s.seal(s.values[s.active], key, value), nil
}

// openValue opens a value in place: sealed is overwritten. known is false when
// the value names a data key that the keyring does not have.
func (k *Keyring) openValue(key, sealed []byte) (value []byte, known bool, err error) {
	s := k.state.Load()
	if s == nil {
		return nil, true, ErrSealed
	}
	id, ok := envelopeKey(sealed)
	if !ok {
		return nil, true, ErrOpen
	}
	aead := s.values[id]
	if aead == nil {
		return nil, false, ErrOpen
	}
	body := sealed[headerSize:]
	value, err = aead.Open(body[:0], nil, body, key)
	if err != nil {
		return nil, true, ErrOpen
	}
	return value, true, nil
}

// learn takes a keyring out of the store, as another node may have left it.
func (k *Keyring) learn(sealed []byte) error {
	s := k.state.Load()
	if s == nil {
		return ErrSealed
	}
	if s.root == nil {
		return ErrOpen
	}
	f, err := openRing(s.root, sealed)
	if err != nil {
		return err
	}
	return k.use(f, s.root)
}

func openRing(root cipher.AEAD, sealed []byte) (ringFile, error) {
	var f ringFile
	text, err := root.Open(nil, nil, sealed, keyringAt)
	if err != nil {
		return f, fmt.Errorf("%w: the keyring does not open with the root key", storage.ErrDamaged)
	}
	defer clear(text)
	if err := json.Unmarshal(text, &f); err != nil {
		return f, fmt.Errorf("%w: the keyring is not readable", storage.ErrDamaged)
	}
	return f, nil
}

func sealRing(root cipher.AEAD, f ringFile) ([]byte, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("seal: encoding the keyring: %w", err)
	}
	defer clear(text)
	return root.Seal(nil, nil, text, keyringAt), nil //nolint:gosec // the AEAD draws its own nonce
}
