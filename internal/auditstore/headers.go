package auditstore

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	json "github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
)

// credentials are headers that are hashed whatever the operator says.
var credentials = []string{"authorization", "cookie", "proxy-authorization", "x-vault-token"}

// Headers are the request headers that the log shows. It is immutable; the
// zero value shows none.
type Headers struct {
	names []string // lower case, sorted
	hmac  map[string]bool
}

func newHeaders(m map[string]header) *Headers {
	h := &Headers{names: slices.Sorted(maps.Keys(m)), hmac: make(map[string]bool, len(m))}
	for k, v := range m {
		h.hmac[k] = v.HMAC
	}
	return h
}

// All returns each header's name with whether its values are hashed.
func (h *Headers) All() map[string]bool { return maps.Clone(h.hmac) }

// Get reports whether a header's values are hashed, and whether it is shown.
func (h *Headers) Get(name string) (hmac, ok bool) {
	hmac, ok = h.hmac[strings.ToLower(name)]
	return hmac, ok
}

// Pick returns the headers to show, by lower-case name, and the names of those
// to hash. Several values of one header are joined by commas.
func (h *Headers) Pick(from http.Header) (show map[string]string, hashed []string) {
	for _, name := range h.names {
		values := from.Values(name)
		if len(values) == 0 {
			continue
		}
		if show == nil {
			show = map[string]string{}
		}
		show[name] = strings.Join(values, ", ")
		if h.hmac[name] || slices.Contains(credentials, name) {
			hashed = append(hashed, name)
		}
	}
	return show, hashed
}

// Headers returns what is set up now.
func (s *Store) Headers() *Headers { return s.headers.Load() }

// SetHeader has the log show a header, hashed if hmac says so.
func (s *Store) SetHeader(ctx context.Context, name string, hmac bool) error {
	name = strings.ToLower(name)
	if !validHeader(name) {
		return fault.New(fault.Invalid, "invalid header name")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := *s.headers.Load()
	if _, ok := now.hmac[name]; !ok && len(now.names) >= maxHeaders {
		return fault.Newf(fault.Invalid, "there are %d audited headers already", maxHeaders)
	}
	text, err := json.Marshal(header{HMAC: hmac})
	if err != nil {
		return err
	}
	if err := s.put(ctx, headerPrefix+name, text); err != nil {
		return err
	}
	s.change(func(m map[string]header) { m[name] = header{HMAC: hmac} })
	return nil
}

// DeleteHeader has the log no longer show a header.
func (s *Store) DeleteHeader(ctx context.Context, name string) error {
	name = strings.ToLower(name)
	if !validHeader(name) {
		return fault.New(fault.Invalid, "invalid header name")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.remove(ctx, headerPrefix+name); err != nil {
		return err
	}
	s.change(func(m map[string]header) { delete(m, name) })
	return nil
}

// change publishes new headers on this node at once.
func (s *Store) change(edit func(map[string]header)) {
	m := map[string]header{}
	for k, v := range s.headers.Load().hmac {
		m[k] = header{HMAC: v}
	}
	edit(m)
	s.headers.Store(newHeaders(m))
}

// validHeader reports whether name is a field name of RFC 9110, section 5.1.
func validHeader(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return true
}
