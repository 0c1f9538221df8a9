package vaultapi

import (
	"context"

	"github.com/jotgate/jotgate/internal/authjwt"
	"github.com/jotgate/jotgate/internal/gate"
	"github.com/jotgate/jotgate/internal/jwks"
)

// jwtKeys shows to operators which keys a mount goes by and how their sources
// are doing. Nothing that an endpoint answered is in it but public keys' names.
func jwtKeys(ctx context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	found, err := c.Runtime.JWT.Keys(ctx, jwtMount(c.Mount))
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, errNotFound
	}
	list := make([]any, len(found))
	for i, s := range found {
		list[i] = sourceView(s)
	}
	return &Reply{Data: map[string]any{"sources": list}}, nil
}

func sourceView(s authjwt.SourceStatus) map[string]any {
	m := map[string]any{
		"source": s.Kind, "issuer": s.Issuer, "keys": keysView(s.Held), "skipped": skippedView(s.Skipped),
	}
	if s.Kind == "static" {
		return m
	}
	m["url"], m["fetching"], m["fetches"], m["restored"], m["last_error"] = s.URL, s.Fetching, s.Fetches, s.Restored, s.LastError
	m["last_fetch"], m["next_fetch"], m["last_success"] = stamp(s.LastAttempt), stamp(s.NextFetch), stamp(s.LastSuccess)
	m["fresh_until"], m["usable_until"] = stamp(s.FreshUntil), stamp(s.UsableUntil)
	m["kept"] = stamp(s.Kept)
	return m
}

func keysView(held []jwks.KeyInfo) []any {
	out := make([]any, len(held))
	for i, k := range held {
		algs := make([]string, len(k.Algorithms))
		for j, a := range k.Algorithms {
			algs[j] = string(a)
		}
		out[i] = map[string]any{"key_id": k.KeyID, "type": string(k.Type), "algorithms": algs, "thumbprint": k.Thumbprint}
	}
	return out
}

func skippedView(skipped []jwks.Skipped) []any {
	out := make([]any, len(skipped))
	for i, s := range skipped {
		out[i] = map[string]any{"index": s.Index, "key_id": s.KeyID, "reason": s.Reason}
	}
	return out
}
