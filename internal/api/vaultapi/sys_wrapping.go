package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/session"
)

var wrapTokenField = Field{Name: "token", Help: "The wrapping token; left out: the caller's own."}

// sysWrappingRows are the endpoints for wrapped answers.
var sysWrappingRows = []Row{
	{Verbs: []string{Update}, Pattern: "wrapping/wrap", Auth: route.Authenticated, Action: "wrap", Body: 4 << 20, Help: "Wrap the parameters of this request.",
		Handler: Action{Do: wrapData, Free: true}},
	{Verbs: []string{Update}, Pattern: "wrapping/unwrap", Auth: route.Authenticated, Action: "unwrap", Body: SmallBody, Help: "Hand out a wrapped answer, once.",
		Handler: Action{Do: unwrap, Fields: []Field{wrapTokenField}, Spent: session.ErrWrapToken}},
	{Verbs: []string{Read, Update}, Pattern: "wrapping/lookup", Auth: route.Public, Action: "look-up-wrapping", Body: SmallBody, Help: "Tell when and for what path an answer was wrapped.",
		Handler: Action{Do: lookupWrapped, Fields: []Field{wrapTokenField}}},
	{Verbs: []string{Update}, Pattern: "wrapping/rewrap", Auth: route.Authenticated, Action: "rewrap", Body: SmallBody, Help: "Move a wrapped answer to a new wrapping token.",
		Handler: Action{Do: rewrap, Fields: []Field{wrapTokenField}}},
}

// wrapData answers with the parameters themselves; the door wraps every answer
// for which the caller asked so.
func wrapData(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	if c.WrapTTL == 0 {
		return nil, fault.New(fault.Invalid, "endpoint requires response wrapping to be used")
	}
	d := make(map[string]any, len(c.Data.Map()))
	for k, v := range c.Data.Map() {
		if raw, ok := c.Data.Raw(k); ok {
			v = raw // as it was sent, so that numbers stay what they are
		}
		d[k] = v
	}
	return &Reply{Data: d}, nil
}

func unwrap(ctx context.Context, c *Call, pass gate.Pass) (body *Reply, err error) {
	var raw []byte
	text := c.String("token")
	if text == "" || text == c.Token {
		raw, err = c.Runtime.Sessions.UnwrapSelf(ctx, ownID(pass))
	} else {
		raw, err = c.Runtime.Sessions.Unwrap(ctx, text)
	}
	if err != nil {
		return nil, err
	}
	return &Reply{Raw: raw}, nil
}

var errNoWrapToken = fault.New(fault.Invalid, `missing "token" value in input`)

func lookupWrapped(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	text := c.String("token")
	if text == "" {
		text = c.Token
	}
	if text == "" {
		return nil, errNoWrapToken
	}
	w, err := c.Runtime.Sessions.LookupWrapped(ctx, text)
	if err != nil {
		return nil, err
	}
	return &Reply{Data: map[string]any{
		"creation_ttl": Secs(w.TTL), "creation_time": stamp(w.Created), "creation_path": w.Path,
	}}, nil
}

func rewrap(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	text := c.String("token")
	if text == "" {
		return nil, errNoWrapToken
	}
	w, err := c.Runtime.Sessions.Rewrap(ctx, text)
	if err != nil {
		return nil, err
	}
	return &Reply{wrap: &w}, nil
}
