package authjwt

import (
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

// Params are the typed parameters of a write. A getter returns the zero value
// for a parameter that was not given.
type Params interface {
	Has(name string) bool
	String(name string) string
	Bool(name string) bool
	Int(name string) int64
	Duration(name string) time.Duration
	List(name string) []string
	KV(name string) map[string]string
	Object(name string) map[string]any
	Any(name string) any
	// Given is the parameter as JSON gave it, before it was converted.
	Given(name string) any
}

func invalid(format string, args ...any) error { return fault.Newf(fault.Invalid, format, args...) }

// Mount is what this method must know of the mount it is called on.
type Mount struct {
	UUID       string
	Accessor   string
	Path       string // with "auth/" and a trailing slash
	DefaultTTL time.Duration
	MaxTTL     time.Duration
	TokenType  string // as tuned; "" is default-service
	Compat     Compat // from its options
}
