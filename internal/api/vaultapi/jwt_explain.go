package vaultapi

import (
	"context"
	"net/netip"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/authjwt"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

// jwtExplain shows to operators what the caller of a login must not see: every
// check, with what the role wants and what the token says.
func jwtExplain(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	rq := authjwt.Request{Mount: jwtMount(c.Mount), Role: c.String("role"), JWT: c.String("jwt"), ID: c.Request.ID}
	if text := c.String("remote_address"); text != "" {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return nil, fault.New(fault.Invalid, "remote_address must be an IP address")
		}
		rq.Remote = a.Unmap()
	}
	found, err := c.Runtime.JWT.Explain(ctx, rq)
	if err != nil {
		return nil, err
	}
	allowed := false
	list := make([]any, len(found))
	for i, x := range found {
		text, err := json.Marshal(x, jsonOptions)
		if err != nil {
			return nil, err
		}
		list[i], allowed = jsontext.Value(text), allowed || x.Allowed
	}
	return &Reply{Data: map[string]any{"allowed": allowed, "roles": list}}, nil
}
