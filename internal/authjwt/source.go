package authjwt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
)

// source is an opened key source with what logins must know of it.
type source struct {
	keys   jwks.Source
	static bool
	pairs  []jwks.Source // of a mount with several sets; keys is nil then
	// byIssuer has the same sets by whose they are; nil when they do not say.
	byIssuer map[string]jwks.Source

	// users counts who holds the source: a login that runs while the
	// configuration is replaced finishes on the keys it started with.
	users atomic.Int64
}

func (s *source) hold() { s.users.Add(1) }

// release lets go of the source; the last one closes it. Closing waits for a
// fetch that is under way, so nobody waits for closing.
func (s *source) release() {
	if s.users.Add(-1) == 0 {
		go s.close()
	}
}

func (s *source) close() {
	if s.keys != nil {
		s.keys.Close()
	}
	for _, p := range s.pairs {
		p.Close()
	}
}

// open makes the key source, held once. It does no I/O.
func (c *Config) open(client *jwks.Client) (*source, error) {
	s, err := c.connect(client)
	if err != nil {
		return nil, err
	}
	s.hold()
	return s, nil
}

func (c *Config) connect(client *jwks.Client) (*source, error) {
	switch {
	case len(c.PublicKeys) > 0:
		keys, err := parseKeys(c.PublicKeys)
		if err != nil {
			return nil, err
		}
		return &source{keys: jwks.Static(keys...), static: true}, nil
	case c.JWKSURL != "":
		k, err := client.URL(jwks.URLConfig{URL: c.JWKSURL, CAPEM: c.JWKSCAPEM, TLS: c.tls()})
		return &source{keys: k}, err
	case len(c.Pairs) > 0:
		s := &source{}
		for _, p := range c.Pairs {
			k, err := p.connect(client, c.tls())
			if err != nil {
				s.close()
				return nil, p.sourceError(err)
			}
			s.pairs = append(s.pairs, k)
			if iss := p.issuer(); iss != "" {
				if s.byIssuer == nil {
					s.byIssuer = map[string]jwks.Source{}
				}
				s.byIssuer[iss] = k
			}
		}
		return s, nil
	case c.DiscoveryURL != "":
		k, err := client.Discovery(jwks.DiscoveryConfig{Issuer: c.DiscoveryURL, CAPEM: c.DiscoveryCAPEM, TLS: c.tls()})
		return &source{keys: k}, err
	}
	return nil, errors.New("authjwt: the configuration has no key source")
}

// all are the key sources of a mount.
func (s *source) all() []jwks.Source {
	if s.keys != nil {
		return []jwks.Source{s.keys}
	}
	return s.pairs
}

// trouble says why no key of a source can be used, or "".
func (s *source) trouble() string {
	for _, k := range s.all() {
		if st := k.Status(); st.Keys == 0 && st.LastError != "" {
			return st.LastError
		}
	}
	return ""
}

// probe asks every endpoint once. Of several that fail, the first in the order
// of the configuration is reported.
func (c *Config) probe(ctx context.Context, s *source) error {
	if s.keys != nil {
		return c.sourceError(s.keys.Probe(ctx))
	}
	errs := make([]error, len(s.pairs))
	var asked sync.WaitGroup
	for i, p := range s.pairs {
		asked.Go(func() { errs[i] = c.Pairs[i].sourceError(p.Probe(ctx)) })
	}
	asked.Wait()
	return cmp.Or(errs...)
}

// barren names the endpoints that answered with a set in which no key can be
// used, which is allowed: the provider may be about to publish one.
func (s *source) barren() (warnings []string) {
	for _, k := range s.all() {
		st := k.Status()
		if st.Keys > 0 || st.LastSuccess.IsZero() {
			continue
		}
		why := "it is empty"
		if len(st.Skipped) > 0 {
			why = fmt.Sprintf("%d skipped, the first because %s", len(st.Skipped), st.Skipped[0].Reason)
		}
		warnings = append(warnings, fmt.Sprintf("the key set of %s has no key that can be used (%s): no token can be verified with it", st.URL, why))
	}
	return warnings
}

// idle names the keys that can verify none of the algorithms that are allowed.
func (c *Config) idle(s *source) (warnings []string) {
	if !s.static || len(c.Algorithms) == 0 {
		return nil
	}
	allowed := algorithms(c.Algorithms)
	for i, k := range s.keys.Status().Held {
		if !slices.ContainsFunc(k.Algorithms, func(a jwt.Algorithm) bool { return slices.Contains(allowed, a) }) {
			warnings = append(warnings, fmt.Sprintf("key %d of jwt_validation_pubkeys is of type %s and can verify none of jwt_supported_algs", i+1, k.Type))
		}
	}
	return warnings
}

// sourceError words a source that cannot be used as the reference does, and
// adds the step that failed; nil for nil.
func (c *Config) sourceError(err error) error {
	switch {
	case len(c.PublicKeys) > 0:
		return err
	case len(c.Pairs) > 0:
		return err // worded by the pair
	case c.JWKSURL != "":
		return jwksError(c.JWKSURL, err)
	}
	return discoveryError(err)
}

// sourceError is the same for one of several sets.
func (p *Pair) sourceError(err error) error {
	if p.DiscoveryURL != "" {
		return discoveryError(err)
	}
	return jwksError(p.URL, err)
}

func jwksError(url string, err error) error {
	what := "error checking jwks URL"
	if errors.Is(err, jwks.ErrCertificates) {
		what = "error checking jwks_ca_pem"
	} else if shown := jwks.Shown(url); shown != "" {
		what += " " + clip(shown)
	}
	return worded(what, err)
}

func discoveryError(err error) error { return worded("error checking oidc discovery URL", err) }

func worded(what string, err error) error {
	if err == nil {
		return nil
	}
	return fault.Wrap(fault.Invalid, err, what+": "+fault.PublicText(err)).WithReason(fault.ReasonOf(err))
}
