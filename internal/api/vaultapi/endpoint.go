package vaultapi

import (
	"context"
	"net/http"
	"time"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/mount"
	"github.com/jotgate/jotgate/internal/principal"
	"github.com/jotgate/jotgate/internal/session"
)

// The operations that a request can ask for. They are the verbs of rows and
// the operations of the gate. A row that takes POST and PUT says Update; it
// becomes Create when the row has an Exists function that says the object is
// new.
const (
	Read   = "read"
	List   = "list"
	Scan   = "scan" // a list of everything below, OpenBao's
	Create = "create"
	Update = "update"
	Patch  = "patch"
	Delete = "delete"
	help   = "help"
)

// Body limits, in bytes.
const (
	SmallBody = 128 << 10 // logins and other calls without a token
	LargeBody = 32 << 20  // the reference's limit for everything else
)

// Handler does what a row promises. It returns nil, nil for success with
// nothing to say (204).
type Handler func(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error)

// Action is what stands behind a row.
type Action struct {
	Do     Handler
	Fields []Field
	// Exists says whether the object that a write goes to is there, so that
	// policies can tell create from update. It is asked only if the two
	// answers differ. nil: every write is an update.
	Exists func(ctx context.Context, c *Call) (bool, error)
	// Free takes any parameters: no warning about unknown ones, no checks.
	Free bool
	// Unread leaves the body where it is: the row takes none, whatever clients
	// send.
	Unread bool
	// Spent is the answer to a caller whose own token, which is also the
	// parameter "token" left out, is not valid any more. nil: permission denied.
	Spent error
	// Emergency rows are public on a door that is told so.
	Emergency bool
	// ClearKeys are parameters that the audit log shows in clear.
	ClearKeys []string
}

// Row is one endpoint of a backend. Its pattern is relative to the mount.
type Row = route.Row[Action]

// Backend is all rows of one mount type.
type Backend struct {
	table *route.Table[Action]
	about string
}

// NewBackend compiles rows; it panics on a bad row, since rows are written in
// the program itself.
func NewBackend(about string, groups ...[]Row) *Backend {
	var rows []Row
	for _, g := range groups {
		for _, r := range g {
			rows = append(rows, withPages(r))
		}
	}
	return &Backend{table: route.Must(rows...), about: about}
}

// Call is one request on its way through the door. Handlers read it.
type Call struct {
	Runtime *Runtime
	Door    *Door
	Mount   *mount.Entry
	Op      string // Create or Update are settled before the handler runs
	Path    string // logical path: below /v1/, lists with a trailing slash
	Rel     string // path inside the mount, without a trailing slash
	Params  route.Params
	Data    *Data
	Token   string // the client token that was presented, "" if none
	WrapTTL time.Duration
	Request *gate.Request

	http    *http.Request
	pass    gate.Pass // zero until the gate has opened
	w       http.ResponseWriter
	row     *route.Row[Action]
	fields  map[string]any       // parsed declared parameters
	authed  bool                 // the credential was accepted
	caller  *principal.Principal // nil for public endpoints
	own     session.Token        // the caller's token, as it is after this use
	limit   int64                // of the body
	spoiled error                // why the request cannot be understood; nil for most
}

// HTTP returns the request as it came in, for headers. Its body is consumed.
func (c *Call) HTTP() *http.Request { return c.http }

// Param returns the value that the path gave to {name}.
func (c *Call) Param(name string) string { return c.Params.Get(name) }
