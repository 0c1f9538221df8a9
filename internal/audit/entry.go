package audit

import (
	"time"

	"github.com/jotgate/jotgate/internal/policy"
)

// Type says which half of a request an entry records.
type Type string

// The entry types. The names are the reference's.
const (
	Request  Type = "request"  // written before anything is revealed or changed
	Response Type = "response" // written before the answer leaves
)

// Secret is a text that may only reach a log as an HMAC. Its own printing
// methods never show it.
type Secret string

// String hides the text.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[redacted]"
}

// GoString hides the text from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the text from every encoder.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Entry is what one audit line says. Values that are sensitive are kept in
// clear here and turned into HMACs by the device that writes them; an Entry
// must therefore never be printed.
type Entry struct {
	Time      time.Time
	Type      Type
	Door      string // "vault" or "pvault"
	Auth      Auth
	Req       RequestPart
	Resp      *ResponsePart // nil in a request entry
	Error     string        // the whole cause of a failure; secrets never stand in errors
	Diagnosis string        // id that joins the caller's reply with this entry
	Checks    []policy.Check
	// Repeat, if both entries of a request share one, lets the second repeat
	// what the first said of caller and request. Auth and Req must be the same.
	Repeat *Repeat
}

// Repeat keeps how a device put caller and request of an entry into words. The
// zero value is ready; Reset makes it ready again.
type Repeat struct {
	by   *format
	text []byte
}

// Reset forgets what was kept.
func (r *Repeat) Reset() {
	r.by, r.text = nil, r.text[:0]
	if cap(r.text) > maxKept {
		r.text = nil
	}
}

// Auth says who asked and why they were let in or not.
type Auth struct {
	Kind             string // principal kind
	ClientToken      Secret // HMAC'd
	Accessor         Secret // HMAC'd unless the device says otherwise
	DisplayName      string
	Issuer           string
	Subject          string
	Role             string
	Delegate         string // who acts in this caller's role, as role/name
	DelegateIssuer   string // the identity provider that vouched for the delegate
	Policies         []string
	TokenPolicies    []string
	IdentityPolicies []string
	Allowed          bool
	Rule             string // the deciding rule
	Granting         []string
	Metadata         map[string]string
	EntityID         string
	TokenType        string
	RemainingUses    int
	TokenTTL         time.Duration
	TokenIssueTime   time.Time
}

// RequestPart says what was asked.
type RequestPart struct {
	ID            string
	Operation     string
	Path          string
	Method        string
	MountPoint    string
	MountType     string
	MountAccessor string
	RemoteAddr    string
	RemotePort    int
	WrapTTL       time.Duration
	Data          map[string]any    // string values are HMAC'd, recursively
	Headers       map[string]string // only those that the operator asked for
	HashHeaders   []string          // names among Headers whose values are HMAC'd
	ClearKeys     []string          // keys of Data that the mount keeps in clear
	Reason        string            // pvault access reason
	Collection    string            // pvault
	Objects       []string          // pvault: ids of the objects touched
	Properties    []string          // pvault: properties that were asked for
}

// ResponsePart says what was answered.
type ResponsePart struct {
	Status    int // HTTP status, where the door knows it
	Data      map[string]any
	ClearKeys []string
	Warnings  []string
	LeaseID   string
	Auth      *NewToken // a token that was issued
	Wrap      *WrapInfo
	Login     *Login // what a login went by
}

// Login is what a login, or a renewal with a new credential, went by.
type Login struct {
	Role string // that judged it
	// Verified says that the credential is genuine. Otherwise its claims are
	// what somebody sent.
	Verified bool
	Claims   map[string]string // that the operator wants to see, in clear
	Hashed   map[string]string // the same, HMAC'd
}

// NewToken is a client token that the answer hands out.
type NewToken struct {
	ClientToken   Secret
	Accessor      Secret
	DisplayName   string
	Policies      []string
	TokenPolicies []string
	Metadata      map[string]string
	EntityID      string
	TokenType     string
	NumUses       int
	TTL           time.Duration
}

// WrapInfo is a wrapping token that the answer hands out.
type WrapInfo struct {
	Token           Secret
	Accessor        Secret
	WrappedAccessor Secret
	TTL             time.Duration
	CreationTime    time.Time
	CreationPath    string
}
