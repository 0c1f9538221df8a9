package pvaultapi

import (
	"context"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

// maxExpiry bounds how far ahead the end of an API key may be set: 100 years.
const maxExpiry = 100 * 365 * 24 * 60 * 60

func getIAM(ctx context.Context, c *call) (reply, error) {
	b, etag, err := c.door.o.IAM.Text(ctx)
	if err != nil {
		return reply{}, err
	}
	return reply{media: mediaTOML, body: b, etag: `"` + etag + `"`}, nil
}

func setIAM(ctx context.Context, c *call) (reply, error) {
	if _, err := c.mediaType(); err != nil {
		return reply{}, err
	}
	match, err := ifMatch(c.http.Header["If-Match"])
	if err != nil {
		return reply{}, err
	}
	b, err := c.body()
	if err != nil {
		return reply{}, err
	}
	etag, err := c.door.o.IAM.Apply(ctx, b, match)
	if err != nil {
		return reply{}, err
	}
	return reply{etag: `"` + etag + `"`}, nil
}

// ifMatch returns the one strong entity tag of If-Match, or "" when there is
// none or any will do.
func ifMatch(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	v := values[0]
	if len(values) == 1 && v == "*" {
		return "", nil
	}
	tag, quoted := strings.CutPrefix(v, `"`)
	tag, closed := strings.CutSuffix(tag, `"`)
	if len(values) > 1 || !quoted || !closed || tag == "" || strings.Contains(tag, `"`) {
		return "", fault.New(fault.Invalid, "The header If-Match must be one entity tag in double quotes, as get-iam-conf sent it in ETag.").
			WithDetail("header", "If-Match")
	}
	return tag, nil
}

type userName struct {
	Name *string `json:"name"`
}

func regenKey(ctx context.Context, c *call) (reply, error) {
	var in userName
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Name == nil {
		return reply{}, missing("name")
	}
	key, expiry, err := c.door.o.IAM.Regenerate(ctx, *in.Name)
	if err != nil {
		return reply{}, err
	}
	return encode(struct {
		Key    string `json:"api_key"`
		Expiry string `json:"api_key_expiry"`
	}{key, stamp(expiry)})
}

func expireKey(ctx context.Context, c *call) (reply, error) {
	var in struct {
		Name    *string `json:"name"`
		Seconds *int64  `json:"expiration_secs"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	switch {
	case in.Name == nil:
		return reply{}, missing("name")
	case in.Seconds == nil:
		return reply{}, missing("expiration_secs")
	case *in.Seconds < 0 || *in.Seconds > maxExpiry:
		return reply{}, fault.New(fault.Invalid, "The expiration must be between 0 seconds and 100 years from now.").WithDetail("field", "expiration_secs")
	}
	at := c.door.o.Now().Add(time.Duration(*in.Seconds) * time.Second)
	if err := c.door.o.IAM.Expire(ctx, *in.Name, at); err != nil {
		return reply{}, err
	}
	return encode(struct {
		Name   string `json:"name"`
		Expiry string `json:"api_key_expiry"`
	}{*in.Name, stamp(at)})
}

type keyInfo struct {
	Expiry string `json:"expiry"`
}

func getUser(ctx context.Context, c *call) (reply, error) {
	name := c.params.Get("user")
	expiry, err := c.door.o.IAM.KeyExpiry(ctx, name)
	if err != nil {
		return reply{}, err
	}
	out := struct {
		Name string   `json:"name"`
		Key  *keyInfo `json:"api_key,omitzero"`
	}{Name: name}
	if !expiry.IsZero() {
		out.Key = &keyInfo{stamp(expiry)}
	}
	return encode(out)
}

func setAdminKey(ctx context.Context, c *call) (reply, error) {
	var in struct {
		Key *string `json:"key"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Key == nil {
		return reply{}, missing("key")
	}
	return reply{}, c.door.o.IAM.SetAdminKey(ctx, *in.Key)
}
