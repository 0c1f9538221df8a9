package vaultapi

import (
	"context"
	"slices"

	"github.com/jotgate/jotgate/internal/gate"
)

// withPages gives a list that does not page by itself the parameters "after"
// and "limit": a client that pages would otherwise get the same names for ever.
func withPages(r Row) Row {
	h := r.Handler
	if h.Free || !slices.Contains(r.Verbs, List) || slices.ContainsFunc(h.Fields, func(f Field) bool { return f.Name == "after" }) {
		return r
	}
	r.Handler.Fields = slices.Concat(h.Fields, pageFields[1:])
	r.Handler.Do = func(ctx context.Context, c *Call, pass gate.Pass) (*Reply, error) {
		reply, err := h.Do(ctx, c, pass)
		if err != nil || reply == nil || c.Op != List {
			return reply, err
		}
		return cutPage(reply, c.String("after"), int(c.Int("limit")))
	}
	return r
}

// cutPage leaves the names of a list that come after a name, in order, and at
// most limit of them; 0 or less is no limit.
func cutPage(r *Reply, after string, limit int) (*Reply, error) {
	keys, ok := r.Data["keys"].([]string)
	if !ok || after == "" && limit <= 0 {
		return r, nil
	}
	keys = slices.Sorted(slices.Values(keys))
	if after != "" {
		i, found := slices.BinarySearch(keys, after)
		if found {
			i++
		}
		keys = keys[i:]
	}
	if limit > 0 && len(keys) > limit {
		keys = keys[:limit]
	}
	if len(keys) == 0 {
		return nil, errNotFound
	}
	r.Data["keys"] = keys
	if all, ok := r.Data["key_info"].(map[string]any); ok {
		info := make(map[string]any, len(keys))
		for _, k := range keys {
			if v, ok := all[k]; ok {
				info[k] = v
			}
		}
		r.Data["key_info"] = info
	}
	return r, nil
}
