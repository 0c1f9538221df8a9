package authjwt

import (
	"context"

	"github.com/jotgate/jotgate/internal/jwks"
)

// SourceStatus is one key source of a mount and how it is doing.
type SourceStatus struct {
	jwks.Status
	// Issuer is whose tokens its keys verify; "" when anybody's.
	Issuer string
}

// Keys tells how the key sources of a mount are doing, in the order of the
// configuration; nil when there is none. Nothing is fetched.
func (m *Method) Keys(ctx context.Context, mt Mount) ([]SourceStatus, error) {
	c, err := m.compiled(ctx, mt.UUID)
	if err != nil || c == nil {
		return nil, err
	}
	defer c.source.release()
	if c.source.keys != nil {
		return []SourceStatus{{c.source.keys.Status(), c.issuer(mt.Compat)}}, nil
	}
	out := make([]SourceStatus, len(c.source.pairs))
	for i, p := range c.source.pairs {
		out[i] = SourceStatus{p.Status(), c.Pairs[i].issuer()}
	}
	return out, nil
}
