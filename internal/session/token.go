package session

import (
	"encoding/hex"
	"time"

	"github.com/jotgate/jotgate/internal/storage/record"
)

// Type is the sort of a client token.
type Type uint8

// The types. The zero value is Service.
const (
	Service Type = iota // stored, renewable, revocable
	Batch               // sealed and carried by the client, neither renewable nor revocable
)

// String returns the type's name in the API.
func (t Type) String() string {
	if t == Batch {
		return "batch"
	}
	return "service"
}

const idSize = 20

// ID is the storage name of a service token: an HMAC of its accessor. It
// reveals nothing of the token. The zero ID names no token.
type ID [idSize]byte

// IsZero reports whether the ID names no token.
func (id ID) IsZero() bool { return id == ID{} }

// String returns the ID in hex, as it stands in principal.Attrs.TokenID; ""
// for the zero ID.
func (id ID) String() string {
	if id.IsZero() {
		return ""
	}
	return hex.EncodeToString(id[:])
}

// ParseID reads what ID.String wrote. ok is false for anything else and for "".
func ParseID(s string) (id ID, ok bool) {
	if len(s) != 2*idSize {
		return ID{}, false
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, false
	}
	return id, !id.IsZero()
}

// Token is what is known of a client token, without the token itself.
type Token struct {
	ID       ID     // zero for a batch token
	Accessor string // "" for a batch token
	Type     Type

	Path          string // where it was issued, such as "auth/jwt/login"
	Mount         string // the auth mount, such as "auth/jwt/"
	MountAccessor string // that mount's accessor
	Role          string // role of the login, or token role
	DisplayName   string
	Subject       string // the JWT's subject, when a JWT proved the caller
	EntityID      string
	Policies      []string // sorted, without identity policies
	Meta          map[string]string
	BoundCIDRs    []string

	Orphan         bool // has no parent (any more)
	Parent         ID   // zero for an orphan
	Renewable      bool
	Created        time.Time
	CreationTTL    time.Duration
	Expires        time.Time // zero = does not expire
	LastRenewal    time.Time // zero = never renewed
	Period         time.Duration
	ExplicitMaxTTL time.Duration
	NumUses        int       // remaining uses; 0 = unlimited
	NotAfter       time.Time // no renewal passes it; zero = no such end

	flags uint64
	mac   [32]byte // HMAC of the whole token
}

// TTL returns the whole seconds left at now; 0 for a token that does not
// expire.
func (t *Token) TTL(now time.Time) time.Duration {
	if t.Expires.IsZero() {
		return 0
	}
	return max(t.Expires.Sub(now).Truncate(time.Second), 0)
}

// IsRoot reports whether the token holds the root policy.
func (t *Token) IsRoot() bool { return len(t.Policies) > 0 && contains(t.Policies, rootPolicy) }

// LeaseID returns the id of the token's lease, or "" if it has none.
func (t *Token) LeaseID() string {
	if t.ID.IsZero() || t.Expires.IsZero() {
		return ""
	}
	return t.Path + "/h" + t.ID.String()
}

// IsWrapping reports whether the token holds a wrapped response.
func (t *Token) IsWrapping() bool { return t.flags&flagWrapping != 0 }

// Bits of Token.flags.
const (
	flagBatch       = 1 << iota
	flagRenewable   // may be renewed
	flagSpent       // its last use is under way or over
	flagGhost       // revoked without its children: they are orphans now
	flagParent      // it has been a parent
	flagWrapping    // holds a wrapped response
	flagCustomID    // its text was chosen by the caller
	flagBatchParent // it has been the parent of a batch token
)

const tokenVersion = 1

// encode returns the stored form. What every walk up the chain needs stands
// first.
func (t *Token) encode() []byte {
	w := record.NewWriter(tokenVersion, 384)
	w.Uint(t.flags)
	w.Time(t.Expires)
	if t.Parent.IsZero() {
		w.Blob(nil)
	} else {
		w.Blob(t.Parent[:])
	}
	w.Text(t.MountAccessor)
	w.Blob(t.mac[:])
	w.Text(t.Accessor)
	w.Text(t.Path)
	w.Text(t.Mount)
	w.Text(t.Role)
	w.Text(t.DisplayName)
	w.Text(t.Subject)
	w.Text(t.EntityID)
	w.Texts(t.Policies)
	w.Map(t.Meta)
	w.Texts(t.BoundCIDRs)
	w.Time(t.Created)
	w.Duration(t.CreationTTL)
	w.Time(t.LastRenewal)
	w.Duration(t.Period)
	w.Duration(t.ExplicitMaxTTL)
	w.Int(int64(t.NumUses))
	w.Time(t.NotAfter)
	return w.Bytes()
}

// head is the part of a record that decides whether its children live.
type head struct {
	flags   uint64
	expires time.Time
	parent  ID
	mount   string // accessor
}

func readHead(r *record.Reader) (h head) {
	h.flags = r.Uint()
	h.expires = r.Time()
	if p := r.Text(); len(p) == idSize {
		copy(h.parent[:], p)
	} else if p != "" {
		h.flags |= flagSpent // damaged: never alive
	}
	h.mount = r.Text()
	return h
}

func decodeHead(b []byte) (head, error) {
	v, r := record.NewReader(b)
	h := readHead(r)
	if v != tokenVersion {
		return head{}, record.ErrDamaged
	}
	return h, nil
}

func decodeToken(id ID, b []byte) (Token, error) {
	v, r := record.NewReader(b)
	if v != tokenVersion {
		return Token{}, record.ErrDamaged
	}
	h := readHead(r)
	t := Token{ID: id, flags: h.flags, Expires: h.expires, Parent: h.parent, MountAccessor: h.mount}
	r.Blob(t.mac[:])
	t.Accessor = r.Text()
	t.Path = r.Text()
	t.Mount = r.Text()
	t.Role = r.Text()
	t.DisplayName = r.Text()
	t.Subject = r.Text()
	t.EntityID = r.Text()
	t.Policies = r.Texts()
	t.Meta = r.Map()
	t.BoundCIDRs = r.Texts()
	t.Created = r.Time()
	t.CreationTTL = r.Duration()
	t.LastRenewal = r.Time()
	t.Period = r.Duration()
	t.ExplicitMaxTTL = r.Duration()
	t.NumUses = int(r.Int())
	t.NotAfter = r.Time()
	if err := r.Close(); err != nil {
		return Token{}, err
	}
	t.Renewable = t.flags&flagRenewable != 0
	t.Orphan = t.Parent.IsZero()
	if t.flags&flagBatch != 0 {
		t.Type = Batch
	}
	return t, nil
}
