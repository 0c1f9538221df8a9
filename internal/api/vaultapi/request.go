package vaultapi

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

// maxToken bounds the credential header, in bytes. It is the size of the
// largest JWT that a request may carry.
const maxToken = 16 << 10

// operation returns what the verb asks for. help is asked for by a query
// parameter, list by one too.
func operation(r *http.Request) (string, error) {
	if asksHelp(r) {
		return help, nil
	}
	switch r.Method {
	case http.MethodGet:
		return readOperation(r)
	case "LIST":
		return List, nil
	case "SCAN":
		return Scan, nil
	case http.MethodPost, http.MethodPut:
		return Update, nil
	case http.MethodDelete:
		return Delete, nil
	case http.MethodPatch:
		return Patch, nil
	case http.MethodHead:
		return Read, nil
	}
	return "", errVerb
}

// asksHelp reports whether a request wants to know what its path is for. No
// request that says so does anything else, whatever its verb.
func asksHelp(r *http.Request) bool {
	return r.URL.RawQuery != "" && r.URL.Query().Get("help") != ""
}

// readOperation returns what a GET asks for.
func readOperation(r *http.Request) (string, error) {
	if r.URL.RawQuery == "" {
		return Read, nil
	}
	q := r.URL.Query()
	for _, op := range []string{List, Scan} {
		v := q.Get(op)
		if v == "" {
			continue
		}
		yes, err := strconv.ParseBool(v)
		if err != nil {
			return "", fault.Newf(fault.Invalid, "query parameter %q must be true or false", op)
		}
		if yes {
			return op, nil
		}
	}
	return Read, nil
}

// errVerb is the answer to a verb that no endpoint has: an empty list.
var errVerb = fault.New(fault.Unsupported, "")

// The headers of a login inside another request, which OpenBao has. A request
// that brings them is refused, also beside a token: its sender would believe
// that it is answered to the holder of the JWT.
const (
	inlineAuthHeader = "X-Vault-Inline-Auth-Path"
	inlineAuthFailed = "X-Vault-Inline-Auth-Failed"
)

var errInlineAuth = fault.Newf(fault.Denied, "a login inside another request (%s) is not offered: log in at auth/<mount>/login and send its client_token as X-Vault-Token", inlineAuthHeader)

// credential returns the client token of a request, and "" for none.
func credential(r *http.Request) (string, error) {
	if r.Header.Get(inlineAuthHeader) != "" {
		return "", errInlineAuth
	}
	t := r.Header.Get("X-Vault-Token")
	if t == "" {
		scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if strings.EqualFold(scheme, "Bearer") {
			t = strings.TrimSpace(rest)
		}
	}
	if len(t) > maxToken {
		return "", fault.Newf(fault.TooLarge, "token is longer than %d bytes", maxToken)
	}
	return t, nil
}

// maxWrapTTL keeps a wrapped answer from outliving every lease.
const maxWrapTTL = 768 * time.Hour

// wrapTTL returns how long the caller wants the answer wrapped; 0 for not.
func wrapTTL(r *http.Request) (time.Duration, error) {
	h := r.Header.Get("X-Vault-Wrap-TTL")
	if h == "" {
		return 0, nil
	}
	d, err := parseDuration(h)
	switch {
	case err != nil:
		return 0, fault.New(fault.Invalid, "error parsing X-Vault-Wrap-TTL header: not a duration")
	case d < 0:
		return 0, fault.New(fault.Invalid, "requested wrap ttl cannot be negative")
	case d > maxWrapTTL:
		return 0, fault.New(fault.Invalid, "requested wrap ttl is longer than 768h")
	}
	return d, nil
}

// remote returns the peer's address. The zero value when it has none.
func remote(r *http.Request) netip.AddrPort {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.AddrPort{}
	}
	return ap
}
