package vaultapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/session"
)

// Reply is what a handler answers. A nil Reply is 204 without a body.
type Reply struct {
	Status int // 0 means 200
	// Data are the fields of the envelope's "data"; nil stands as null. Values
	// may be jsontext.Value, which goes out as it is. Durations go out as whole
	// seconds, set by the handler.
	Data map[string]any
	Auth *Auth
	// Lease of the data; KV reads have none.
	LeaseID       string
	LeaseDuration time.Duration
	Renewable     bool
	Warnings      []string
	// Doubled repeats the fields of Data at the top level, for the old
	// endpoints whose clients read them there.
	Doubled bool
	// Raw is a whole body that goes out instead of an envelope. It is not
	// copied into the audit log.
	Raw         []byte
	ContentType string // of Raw and Stream; "" means application/json
	// Stream writes a body that is too large to be held, once the gate has
	// recorded the answer.
	Stream func(ctx context.Context, w io.Writer) error
	// ClearKeys are keys of Data that the audit log shows in clear.
	ClearKeys []string

	wrap  *session.Wrapped
	login *audit.Login // what a login went by, for the audit log
}

// Auth is a client token that an answer hands out.
type Auth struct {
	ClientToken      string
	Accessor         string
	DisplayName      string // for the audit log only
	Policies         []string
	TokenPolicies    []string
	IdentityPolicies []string
	Metadata         map[string]string
	TTL              time.Duration
	Renewable        bool
	EntityID         string
	TokenType        string
	Orphan           bool
	NumUses          int
}

// Warn adds a warning.
func (r *Reply) Warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// Secs is a duration as answers show it.
func Secs(d time.Duration) int64 { return int64(d / time.Second) }

// envelope returns the whole body of an answer, with a final newline.
func (r *Reply) envelope(requestID string) ([]byte, error) {
	b := make([]byte, 0, 512)
	b = append(b, `{"request_id":`...)
	b = appendString(b, requestID)
	b = append(b, `,"lease_id":`...)
	b = appendString(b, r.LeaseID)
	b = append(b, `,"renewable":`...)
	b = strconv.AppendBool(b, r.Renewable)
	b = append(b, `,"lease_duration":`...)
	b = strconv.AppendInt(b, Secs(r.LeaseDuration), 10)
	b = append(b, `,"data":`...)
	var err error
	if r.Data == nil {
		b = append(b, "null"...)
	} else if b, err = appendJSON(b, r.Data); err != nil {
		return nil, err
	}
	b = append(b, `,"wrap_info":`...)
	b = appendWrap(b, r.wrap)
	b = append(b, `,"warnings":`...)
	if len(r.Warnings) == 0 {
		b = append(b, "null"...)
	} else if b, err = appendJSON(b, r.Warnings); err != nil {
		return nil, err
	}
	b = append(b, `,"auth":`...)
	if b, err = r.Auth.append(b); err != nil {
		return nil, err
	}
	if r.Doubled {
		if b, err = r.appendTop(b); err != nil {
			return nil, err
		}
	}
	return append(b, '}', '\n'), nil
}

// appendTop repeats Data at the top level, except what the envelope has.
func (r *Reply) appendTop(b []byte) ([]byte, error) {
	own := map[string]any{}
	for k, v := range r.Data {
		switch k {
		case "request_id", "lease_id", "renewable", "lease_duration", "data", "wrap_info", "warnings", "auth":
		default:
			own[k] = v
		}
	}
	if len(own) == 0 {
		return b, nil
	}
	t, err := appendJSON(nil, own)
	if err != nil {
		return b, err
	}
	b = append(b, ',')
	return append(b, t[1:len(t)-1]...), nil
}

func appendWrap(b []byte, w *session.Wrapped) []byte {
	if w == nil {
		return append(b, "null"...)
	}
	b = append(b, `{"token":`...)
	b = appendString(b, w.Token)
	b = append(b, `,"accessor":`...)
	b = appendString(b, w.Accessor)
	b = append(b, `,"ttl":`...)
	b = strconv.AppendInt(b, Secs(w.TTL), 10)
	b = append(b, `,"creation_time":`...)
	b = appendString(b, w.Created.UTC().Format(time.RFC3339Nano))
	b = append(b, `,"creation_path":`...)
	b = appendString(b, w.Path)
	if w.WrappedAccessor != "" {
		b = append(b, `,"wrapped_accessor":`...)
		b = appendString(b, w.WrappedAccessor)
	}
	return append(b, '}')
}

func (a *Auth) append(b []byte) (_ []byte, err error) {
	if a == nil {
		return append(b, "null"...), nil
	}
	b = append(b, `{"client_token":`...)
	b = appendString(b, a.ClientToken)
	b = append(b, `,"accessor":`...)
	b = appendString(b, a.Accessor)
	b = append(b, `,"policies":`...)
	b = appendStrings(b, a.Policies)
	if len(a.TokenPolicies) > 0 {
		b = append(b, `,"token_policies":`...)
		b = appendStrings(b, a.TokenPolicies)
	}
	if len(a.IdentityPolicies) > 0 {
		b = append(b, `,"identity_policies":`...)
		b = appendStrings(b, a.IdentityPolicies)
	}
	b = append(b, `,"metadata":`...)
	if b, err = appendJSON(b, a.Metadata); err != nil {
		return nil, err
	}
	b = append(b, `,"lease_duration":`...)
	b = strconv.AppendInt(b, Secs(a.TTL), 10)
	b = append(b, `,"renewable":`...)
	b = strconv.AppendBool(b, a.Renewable)
	b = append(b, `,"entity_id":`...)
	b = appendString(b, a.EntityID)
	b = append(b, `,"token_type":`...)
	b = appendString(b, a.TokenType)
	b = append(b, `,"orphan":`...)
	b = strconv.AppendBool(b, a.Orphan)
	b = append(b, `,"mfa_requirement":null,"num_uses":`...)
	b = strconv.AppendInt(b, int64(a.NumUses), 10)
	return append(b, '}'), nil
}

// part is the answer as the audit log sees it.
func (r *Reply) part(status int) *audit.ResponsePart {
	p := &audit.ResponsePart{Status: status}
	if r == nil {
		return p
	}
	p.Data, p.ClearKeys, p.Warnings, p.LeaseID = r.Data, r.ClearKeys, r.Warnings, r.LeaseID
	if a := r.Auth; a != nil {
		p.Auth = &audit.NewToken{
			ClientToken: audit.Secret(a.ClientToken), Accessor: audit.Secret(a.Accessor),
			DisplayName: a.DisplayName, Policies: a.Policies, TokenPolicies: a.TokenPolicies,
			Metadata: a.Metadata, EntityID: a.EntityID, TokenType: a.TokenType,
			NumUses: a.NumUses, TTL: a.TTL,
		}
	}
	p.Login = r.login
	if w := r.wrap; w != nil {
		p.Wrap = &audit.WrapInfo{
			Token: audit.Secret(w.Token), Accessor: audit.Secret(w.Accessor),
			WrappedAccessor: audit.Secret(w.WrappedAccessor), TTL: w.TTL,
			CreationTime: w.Created, CreationPath: w.Path,
		}
	}
	return p
}

// setHeaders sets what every answer of this door carries.
func setHeaders(h http.Header) {
	h["Cache-Control"] = noStore
	h["Content-Type"] = typeJSON
	h["Strict-Transport-Security"] = hsts
}

var (
	noStore  = []string{"no-store"}
	typeJSON = []string{"application/json"}
	hsts     = []string{"max-age=31536000; includeSubDomains"}
)

// send writes a body that is complete.
func send(w http.ResponseWriter, status int, body []byte) {
	if len(body) > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that hung up is no error of ours
}
