package authjwt

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/trust"
)

// Pair is one of several key sets of a mount: of an endpoint, of an issuer that
// publishes a discovery document, or of PEM keys.
type Pair struct {
	URL   string `json:"jwks_url"`
	CAPEM string `json:"jwks_ca_pem"`
	// Issuer is whose keys these are: they count for tokens with this iss only.
	// Either every pair has one or none.
	Issuer string `json:"issuer,omitzero"`
	// DiscoveryURL stands in for URL and Issuer, PublicKeys for URL.
	DiscoveryURL string   `json:"oidc_discovery_url,omitzero"`
	PublicKeys   []string `json:"jwt_validation_pubkeys,omitzero"`

	// Bounds on the tokens of the issuer, which hold besides those of the roles.
	Audiences   []string      `json:"bound_audiences,omitzero"`
	Algorithms  []string      `json:"jwt_supported_algs,omitzero"`
	MaxTokenAge time.Duration `json:"max_token_age,omitzero"`

	// Written is the object as the operator wrote it, which is how it reads
	// back: tools that compare the two must find no difference.
	Written jsontext.Value `json:"written,omitzero"`
}

// issuer is whose keys the pair holds, "" when anybody's.
func (p *Pair) issuer() string {
	if p.DiscoveryURL != "" {
		return p.DiscoveryURL
	}
	return p.Issuer
}

// issuers are the bounds of each issuer for the roles' rules; nil when the
// pairs do not say whose keys they hold, and without pairs.
func (c *Config) issuers() []trust.IssuerBounds {
	if len(c.Pairs) == 0 || c.Pairs[0].issuer() == "" {
		return nil
	}
	out := make([]trust.IssuerBounds, len(c.Pairs))
	for i := range c.Pairs {
		p := &c.Pairs[i]
		out[i] = trust.IssuerBounds{
			Issuer: p.issuer(), Audiences: p.Audiences, Algorithms: algorithms(p.Algorithms), MaxAge: p.MaxTokenAge,
		}
	}
	return out
}

const pairsText = "invalid jwks_pairs: jwks_pairs must be provided as a list of json objects with the fields jwks_url and jwks_ca_pem"

// pairFields are the names that a pair may have.
var pairFields = []string{
	"jwks_url", "jwks_ca_pem", "issuer", "oidc_discovery_url", "jwt_validation_pubkeys",
	"bound_audiences", "jwt_supported_algs", "max_token_age",
}

func pairsFrom(v any) ([]Pair, error) {
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, invalid("%s", pairsText)
	}
	out := make([]Pair, 0, len(list))
	for _, e := range list {
		m, ok := e.(map[string]any)
		if !ok {
			return nil, invalid("%s", pairsText)
		}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if !slices.Contains(pairFields, name) { // a bound with a wrong name would bind nothing
				return nil, invalid("invalid jwks_pairs: unknown field %q: there are %s", clip(name), strings.Join(pairFields, ", "))
			}
		}
		p, ok := pairFrom(m)
		if !ok {
			return nil, invalid("%s", pairsText)
		}
		var err error
		if p.Written, err = json.Marshal(m); err != nil {
			return nil, fmt.Errorf("authjwt: %w", err)
		}
		out = append(out, p)
	}
	return out, checkIssuers(out)
}

// pairFrom reads one pair. Everything may come as text, since some clients know
// maps of texts only.
func pairFrom(m map[string]any) (p Pair, ok bool) {
	for name, to := range map[string]*string{
		"jwks_url": &p.URL, "jwks_ca_pem": &p.CAPEM, "issuer": &p.Issuer, "oidc_discovery_url": &p.DiscoveryURL,
	} {
		if v := m[name]; v != nil {
			if *to, ok = v.(string); !ok {
				return Pair{}, false
			}
		}
	}
	for name, to := range map[string]*[]string{
		"jwt_validation_pubkeys": &p.PublicKeys, "bound_audiences": &p.Audiences, "jwt_supported_algs": &p.Algorithms,
	} {
		if *to, ok = pairList(m[name]); !ok {
			return Pair{}, false
		}
	}
	if p.MaxTokenAge, ok = pairSpan(m["max_token_age"]); !ok {
		return Pair{}, false
	}
	sources := 0
	for _, set := range []bool{p.URL != "", p.DiscoveryURL != "", len(p.PublicKeys) > 0} {
		if set {
			sources++
		}
	}
	return p, sources == 1
}

// pairList reads a list of texts, or one text with commas; nil for nothing.
func pairList(v any) (out []string, ok bool) {
	var all []string
	switch v := v.(type) {
	case nil:
	case string:
		all = strings.Split(v, ",")
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, false
			}
			all = append(all, s)
		}
	default:
		return nil, false
	}
	for _, s := range all {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out, true
}

// pairSpan reads whole seconds or a Go duration; nothing is none.
func pairSpan(v any) (time.Duration, bool) {
	var text string
	switch v := v.(type) {
	case nil:
		return 0, true
	case string:
		text = v
	case json.Number:
		text = v.String()
	}
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(n) * time.Second, n >= 0
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}

// checkIssuers refuses pairs of which some say whose keys they hold and others
// do not, two for one issuer, and bounds that belong to nobody.
func checkIssuers(pairs []Pair) error {
	seen := map[string]bool{}
	for i := range pairs {
		p := &pairs[i]
		switch iss := p.issuer(); {
		case p.DiscoveryURL != "" && p.Issuer != "" && p.Issuer != p.DiscoveryURL:
			return invalid("invalid jwks_pairs: the issuer of an 'oidc_discovery_url' is that URL")
		case (iss == "") != (pairs[0].issuer() == ""):
			return invalid("invalid jwks_pairs: either all pairs name their issuer or none does")
		case iss == "" && (len(p.PublicKeys) > 0 || len(p.Audiences) > 0 || len(p.Algorithms) > 0 || p.MaxTokenAge > 0):
			return invalid("invalid jwks_pairs: jwt_validation_pubkeys, bound_audiences, jwt_supported_algs and max_token_age need the issuer for whose tokens they are")
		case iss != "" && seen[iss]:
			return invalid("invalid jwks_pairs: issuer %q stands in two pairs", clip(iss))
		default:
			seen[iss] = true
		}
		if err := p.check(); err != nil {
			return fault.Wrap(fault.Invalid, err, "invalid jwks_pairs: "+fault.PublicText(err))
		}
	}
	return nil
}

// check checks what needs no other pair and no source.
func (p *Pair) check() error {
	if len(p.PublicKeys) > maxStaticKeys || len(p.Audiences) > maxRoleValues {
		return invalid("a pair has more than %d keys or %d audiences", maxStaticKeys, maxRoleValues)
	}
	for _, s := range slices.Concat(p.PublicKeys, p.Audiences, []string{p.URL, p.CAPEM, p.Issuer, p.DiscoveryURL}) {
		if len(s) > maxText {
			return invalid("a value is longer than %d bytes", maxText)
		}
	}
	if _, err := parseKeys(p.PublicKeys); err != nil {
		return err
	}
	return checkAlgorithms(p.Algorithms)
}

func (p *Pair) connect(client *jwks.Client, tls jwks.TLSConfig) (jwks.Source, error) {
	switch {
	case p.DiscoveryURL != "":
		return client.Discovery(jwks.DiscoveryConfig{Issuer: p.DiscoveryURL, CAPEM: p.CAPEM, TLS: tls})
	case p.URL != "":
		return client.URL(jwks.URLConfig{URL: p.URL, CAPEM: p.CAPEM, TLS: tls})
	}
	keys, err := parseKeys(p.PublicKeys)
	if err != nil {
		return nil, err
	}
	return jwks.Static(keys...), nil
}

// view is the pair as it was written. One that was stored by a version that did
// not keep that is shown by what it means.
func (p *Pair) view() any {
	if v, err := jwt.ParseValue(p.Written, maxClaimDepth); err == nil {
		return v.Any()
	}
	m := map[string]any{"jwks_ca_pem": p.CAPEM}
	for k, v := range map[string]string{"jwks_url": p.URL, "issuer": p.Issuer, "oidc_discovery_url": p.DiscoveryURL} {
		if v != "" {
			m[k] = v
		}
	}
	for k, v := range map[string][]string{
		"jwt_validation_pubkeys": p.PublicKeys, "bound_audiences": p.Audiences, "jwt_supported_algs": p.Algorithms,
	} {
		if len(v) > 0 {
			m[k] = v
		}
	}
	if p.MaxTokenAge > 0 {
		m["max_token_age"] = secs(p.MaxTokenAge)
	}
	return m
}
