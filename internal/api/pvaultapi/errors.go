package pvaultapi

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/fault"
)

// coded is one reply of the error table.
type coded struct {
	status  int
	code    string
	message string // "" shows the failure's own public text
}

// errorDocs is where a code is explained; the reference's clients follow it.
const errorDocs = "https://docs.piiano.com/api/error-codes#"

var (
	unauthorized   = coded{http.StatusUnauthorized, "PV1005", "The request is unauthorized."}
	policyRefusal  = coded{http.StatusForbidden, "PV1006", "The operation is forbidden due to a policy violation."}
	noCapability   = coded{http.StatusForbidden, "PV1007", "The operation is forbidden due to missing capabilities."}
	serverError    = coded{http.StatusInternalServerError, "PV1000", "Something went wrong."}
	badRequest     = coded{http.StatusBadRequest, "PV1012", ""}
	missingCode    = coded{http.StatusNotFound, "PV1004", ""}
	conflictCode   = coded{http.StatusConflict, "PV3218", ""}
	timedOut       = coded{http.StatusServiceUnavailable, "PV1009", "The request timed out."}
	notImplemented = coded{http.StatusNotImplemented, "PV2001", "The operation is not implemented."}
)

// byReason is the error table for failures that say more than their kind.
var byReason = map[string]coded{
	"reason_missing":     {http.StatusBadRequest, "PV1001", ""},
	"reason_invalid":     {http.StatusBadRequest, "PV1002", ""},
	"capability":         noCapability,
	"user_disabled":      {http.StatusForbidden, "PV1011", "The user is disabled."},
	"admin_key":          {http.StatusForbidden, "PV2021", "Regenerating a key for Admin is not allowed."},
	"collection_missing": missingCode,
	"collection_name":    {http.StatusBadRequest, "PV1008", ""},
	"property_missing":   {http.StatusNotFound, "PV3004", ""},
	"value_invalid":      {http.StatusBadRequest, "PV3003", ""},
	"object_missing":     {http.StatusNotFound, "PV3005", ""},
	"token_missing":      {http.StatusNotFound, "PV3009", ""},
	"tokens_missing":     {http.StatusNotFound, "PV3087", ""},
	"ciphertext_expired": {http.StatusBadRequest, "PV3233", ""},
}

// byKind is the error table for everything else. A kind that is missing is a
// server error.
var byKind = map[fault.Kind]coded{
	fault.Invalid:         badRequest,
	fault.Unauthenticated: unauthorized,
	fault.Denied:          policyRefusal,
	fault.NotFound:        missingCode,
	fault.Conflict:        conflictCode,
	fault.Gone:            {http.StatusGone, "PV1033", ""},
	fault.TooLarge:        {http.StatusRequestEntityTooLarge, "PV1012", ""},
	fault.Unsupported:     {http.StatusMethodNotAllowed, "PV1012", ""},
	fault.MediaType:       {http.StatusUnsupportedMediaType, "PV1012", ""},
	fault.TooMany:         {http.StatusTooManyRequests, "PV1012", ""},
	fault.Unavailable:     {http.StatusServiceUnavailable, "PV1010", "The vault cannot serve the request now."},
	fault.NotImplemented:  notImplemented,
}

// lookup finds the reply for a failure.
func lookup(err error) coded {
	if errors.Is(err, context.DeadlineExceeded) {
		return timedOut
	}
	kind, reason := fault.Of(err), fault.ReasonOf(err)
	if kind == fault.Denied && reason == "expired" {
		return unauthorized // the credential ended between the proof and the decision
	}
	if kind != fault.Unauthenticated && kind != fault.Internal {
		if c, ok := byReason[reason]; ok {
			return c
		}
	}
	if c, ok := byKind[kind]; ok {
		return c
	}
	return serverError
}

// errorBody renders err for the caller named user.
func errorBody(err error, c coded, user string) []byte {
	message := c.message
	if message == "" {
		message = fault.PublicText(err)
	}
	b := make([]byte, 0, 256)
	b = append(b, `{"error_code":"`...)
	b = append(b, c.code...)
	b = append(b, `","message":`...)
	b = quote(b, message)
	b = append(b, `,"context":{`...)
	for i, kv := range errorContext(err, c, user) {
		if i > 0 {
			b = append(b, ',')
		}
		b = quote(b, kv[0])
		b = append(b, ':')
		b = quote(b, kv[1])
	}
	b = append(b, `},"error_url":"`...)
	b = append(b, errorDocs...)
	b = append(b, c.code...)
	return append(b, '"', '}')
}

// errorContext lists what the reply's context says, sorted by key.
func errorContext(err error, c coded, user string) [][2]string {
	ctx := map[string]string{}
	var f *fault.Error
	if errors.As(err, &f) && f.Kind() != fault.Internal {
		maps.Copy(ctx, f.Detail())
	}
	switch {
	case c.code == unauthorized.code:
		clear(ctx) // what a refused caller may learn is the stable reason alone
		if r := fault.ReasonOf(err); r != "" {
			ctx["jwt_error"] = r
		}
	case c.status == http.StatusForbidden && user != "":
		ctx["username"] = user
	}
	out := make([][2]string, 0, len(ctx))
	for _, k := range slices.Sorted(maps.Keys(ctx)) {
		out = append(out, [2]string{k, ctx[k]})
	}
	return out
}

// quote appends s as a JSON string. Bytes that are not UTF-8 become the
// replacement character.
func quote(b []byte, s string) []byte {
	q, _ := jsontext.AppendQuote(b, s)
	return q
}
