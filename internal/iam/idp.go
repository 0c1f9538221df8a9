package iam

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/jwt"
	"github.com/jotgate/jotgate/internal/trust"
)

// directJWT is the only type of identity provider.
const directJWT = "direct-jwt"

// Provider is one enabled identity provider: whose tokens, checked how, by
// which keys.
type Provider struct {
	Name string
	Rule *trust.Rule
	Keys jwks.Source

	source string // what the key source was configured with
}

// Providers returns the enabled identity providers, sorted by name. Read only.
func (s *Snapshot) Providers() []*Provider {
	if s == nil {
		return nil
	}
	return s.providers
}

// Provider returns the enabled identity provider with this name.
func (s *Snapshot) Provider(name string) (*Provider, bool) {
	for _, p := range s.Providers() {
		if p.Name == name {
			return p, true
		}
	}
	return nil, false
}

// Match returns the providers to which a token with this issuer and these
// audiences can belong. More than one means that the token names audiences of
// several. issuerKnown tells a wrong audience from a wrong issuer.
func (s *Snapshot) Match(issuer string, audiences []string) (found []*Provider, issuerKnown bool) {
	if s == nil {
		return nil, false
	}
	byAudience, issuerKnown := s.byIssuer[issuer]
	for _, aud := range audiences {
		if p := byAudience[aud]; p != nil && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	return found, issuerKnown
}

// CloseExcept stops the key sources of s that other does not use. other may be
// nil.
func (s *Snapshot) CloseExcept(other *Snapshot) {
	for _, p := range s.Providers() {
		if !slices.ContainsFunc(other.Providers(), func(o *Provider) bool { return o.Keys == p.Keys }) {
			p.Keys.Close()
		}
	}
}

func (c *compiler) idps(t table) {
	c.s.byIssuer = map[string]map[string]*Provider{}
	seen := map[string]string{}
	for _, name := range t.keys() {
		if problem := idpNameProblem(name); problem != "" {
			t.addf(name, "identity provider name %s", problem)
		}
		if other := seen[strings.ToLower(name)]; other != "" {
			t.addf(name, "differs only in case from %q; rename one of them", other)
		}
		seen[strings.ToLower(name)] = name
		c.idp(name, t.sub(name))
	}
}

// idpNameProblem takes "-" as well: the reference has no rule for these names,
// and host names make good ones.
func idpNameProblem(name string) string {
	return strings.Replace(nameProblem(strings.ReplaceAll(name, "-", "_")), `digits and "_"`, `digits, "_" and "-"`, 1)
}

func (c *compiler) idp(name string, t table) {
	t.only("type", "disabled", "allowed_roles", "roles_map", "conf")
	disabled := t.flag("disabled")
	switch kind := t.text("type"); {
	case !t.has("type"):
		t.addf("type", "is missing; write type = %q", directJWT)
	case kind != directJWT && isText(t.m["type"]):
		t.addf("type", "unknown type %q; write %q", kind, directJWT)
	}
	if !t.has("conf") {
		t.addf("conf", "the table is missing; add [%s]", t.at.with("conf"))
		return
	}
	conf := t.sub("conf")
	conf.only("iss", "aud", "keys", "jwks_uri", "discovery_url", "ca_pem", "algorithms", "roles_claim", "namespace_top_claim",
		"extra_claims", "bound_claims", "clock_skew", "max_token_age", "ignore_cnf")
	p := &Provider{Name: name}
	algs := c.keySource(p, conf, disabled)
	spec := c.spec(name, t, conf)
	spec.Algorithms = algs
	rule, err := trust.Compile(spec)
	c.trustProblems(t, conf, err)
	p.Rule = rule
	if disabled || p.Keys == nil {
		return
	}
	c.s.providers = append(c.s.providers, p)
	c.claim(p, conf, spec)
}

// claim gives the provider its issuer and audiences, which no other may have.
func (c *compiler) claim(p *Provider, conf table, spec trust.Spec) {
	byAudience := c.s.byIssuer[spec.Issuer]
	if byAudience == nil {
		byAudience = map[string]*Provider{}
		c.s.byIssuer[spec.Issuer] = byAudience
	}
	for _, aud := range spec.Audiences {
		switch other := byAudience[aud]; {
		case other == p:
			conf.addf("aud", "names %q twice", aud)
		case other != nil:
			conf.addf("aud", "identity provider %q has the same issuer and the audience %q; give one of them its own audience, or set disabled = true", other.Name, aud)
		}
		byAudience[aud] = p
	}
}

// spec reads what the provider's tokens are checked for.
func (c *compiler) spec(name string, t, conf table) trust.Spec {
	s := trust.Spec{
		Style: trust.Bearer, Name: name,
		Issuer: conf.text("iss"), Audiences: conf.textOrList("aud"),
		BoundClaims: conf.claims("bound_claims"), IgnoreConfirmation: conf.flag("ignore_cnf"),
		NamespaceTopClaim: conf.text("namespace_top_claim"), ExtraClaims: conf.text("extra_claims"),
		Times: trust.Times{
			ClockSkew: conf.duration("clock_skew", true), MaxAge: conf.duration("max_token_age", false), RequireExpiration: true,
		},
		Role: &trust.RoleRule{Claim: conf.text("roles_claim"), Allowed: t.list("allowed_roles"), Known: c.roleNames},
	}
	if t.has("allowed_roles") && len(s.Role.Allowed) == 0 {
		t.addf("allowed_roles", "names no role, so that no token could ever be admitted; leave it out to allow all roles")
	}
	if t.has("roles_map") {
		s.Role.Map = map[string]string{}
		roles := t.sub("roles_map")
		for _, from := range roles.keys() {
			s.Role.Map[from] = roles.text(from)
		}
		if len(s.Role.Map) == 0 {
			t.addf("roles_map", "maps nothing, so that no token could ever be admitted; leave it out to take the claim's value as the role")
		}
	}
	for _, key := range []string{"roles_claim", "namespace_top_claim", "extra_claims"} {
		if v, ok := conf.m[key].(string); ok && v == "" {
			conf.addf(key, "must not be empty; leave it out instead")
		}
	}
	return s
}

// claims reads a table of scalars and lists of scalars.
func (t table) claims(key string) map[string]any {
	sub := t.sub(key)
	if len(sub.m) == 0 {
		if t.has(key) {
			t.addf(key, "binds nothing; leave it out or name a claim")
		}
		return nil
	}
	out := maps.Clone(sub.m)
	for name, v := range out {
		list, isList := v.([]any)
		if !isList {
			list = []any{v}
		}
		for _, e := range list {
			switch e.(type) {
			case string, bool, int64, float64:
			default:
				sub.addf(name, "must be a text, a number, true or false, or a list of these")
				delete(out, name)
			}
		}
		if isList && len(list) == 0 {
			sub.addf(name, "is an empty list, which no token could match")
			delete(out, name)
		}
	}
	return out
}

// duration reads seconds or a text such as "30s". none says that zero is
// meaningful: it comes back as a negative value, trust's word for "none".
func (t table) duration(key string, none bool) time.Duration {
	var d time.Duration
	var ok bool
	switch v := t.m[key].(type) {
	case nil:
		return 0
	case int64:
		ok = v >= 0 && v <= int64(maxDuration/time.Second)
		d = time.Duration(v) * time.Second
	case string:
		var err error
		if d, err = time.ParseDuration(v); err != nil {
			var n uint64
			n, err = strconv.ParseUint(v, 10, 32)
			d = time.Duration(n) * time.Second
		}
		ok = err == nil && d >= 0 && d <= maxDuration
	}
	switch {
	case !ok || d == 0 && !none:
		t.addf(key, "must be a number of seconds or a duration such as \"30s\" or \"10m\"")
		return 0
	case d == 0:
		return -1
	}
	return d
}

const maxDuration = 10 * 365 * 24 * time.Hour

// trustProblems puts the problems of the rule where their keys stand.
func (c *compiler) trustProblems(t, conf table, err error) {
	if err == nil {
		return
	}
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, e := range list {
		field := ""
		if f := (*fault.Error)(nil); errors.As(e, &f) {
			field = f.Detail()["field"]
		}
		switch {
		case field == "iss" && conf.has("iss") && !isText(conf.m["iss"]):
			// already reported as not being a text
		case field == "allowed_roles", field == "roles_map":
			t.addf(field, "%s", fault.PublicText(e))
		case field == "":
			t.r.addf(conf.at, "%s", fault.PublicText(e))
		default:
			conf.addf(field, "%s", fault.PublicText(e))
		}
	}
}

// keySource makes the provider's source of keys and returns the algorithms
// that its tokens may use; nil means every asymmetric one.
func (c *compiler) keySource(p *Provider, conf table, disabled bool) []jwt.Algorithm {
	kinds := []string{"keys", "jwks_uri", "discovery_url"}
	kinds = slices.DeleteFunc(kinds, func(k string) bool { return !conf.has(k) })
	algs := c.algorithms(conf)
	if len(kinds) != 1 {
		if len(kinds) == 0 {
			c.r.addf(conf.at, "no key source; set exactly one of keys, jwks_uri and discovery_url")
		} else {
			conf.addf(kinds[1], "set exactly one of keys, jwks_uri and discovery_url, not %s", strings.Join(kinds, " and "))
		}
		return algs
	}
	kind, value := kinds[0], conf.text(kinds[0])
	if value == "" {
		if isText(conf.m[kind]) {
			conf.addf(kind, "must not be empty")
		}
		return algs
	}
	if kind == "keys" {
		if conf.has("ca_pem") {
			conf.addf("ca_pem", "is for keys that are fetched; remove it")
		}
		return c.inlineKeys(p, conf, value, algs)
	}
	c.fetchedKeys(p, conf, kind, value, disabled)
	return algs
}

// algorithms reads the allow-list; nil if there is none.
func (c *compiler) algorithms(conf table) []jwt.Algorithm {
	if !conf.has("algorithms") {
		return nil
	}
	var out []jwt.Algorithm
	for _, a := range conf.list("algorithms") {
		out = append(out, jwt.Algorithm(a))
	}
	if len(out) == 0 {
		conf.addf("algorithms", "must name at least one algorithm, such as [\"RS256\"]; leave it out to allow all that the keys allow")
	}
	return out
}

// inlineKeys reads keys that stand in the file: a JWK, a JWK Set or PEM blocks.
// Only here may a key be symmetric, and then its tokens may use its algorithms.
func (c *compiler) inlineKeys(p *Provider, conf table, text string, algs []jwt.Algorithm) []jwt.Algorithm {
	keys, ok := c.parseKeys(conf, text)
	if !ok {
		return algs
	}
	p.Keys, p.source = jwks.Static(keys...), "keys"
	if algs != nil {
		return algs
	}
	for _, k := range keys {
		for _, a := range k.Algorithms() {
			if !slices.Contains(algs, a) {
				algs = append(algs, a)
			}
		}
	}
	return algs
}

func (c *compiler) parseKeys(conf table, text string) ([]*jwt.Key, bool) {
	if strings.Contains(text, "-----BEGIN ") {
		return c.parsePEMs(conf, text)
	}
	keys, skipped, err := jwks.ParseInlineSet([]byte(text))
	if err != nil {
		conf.addf("keys", "%s; write the JSON of one key, a set {\"keys\": […]}, or PEM blocks", fault.PublicText(err))
		return nil, false
	}
	for _, s := range skipped {
		conf.addf("keys", "key %d cannot be used: %s", s.Index+1, s.Reason)
	}
	if len(keys) == 0 && len(skipped) == 0 {
		conf.addf("keys", "the set has no keys")
	}
	return keys, len(skipped) == 0 && len(keys) > 0
}

func (c *compiler) parsePEMs(conf table, text string) ([]*jwt.Key, bool) {
	var keys []*jwt.Key
	const end = "-----END "
	ok := true
	for n := 1; strings.TrimSpace(text) != ""; n++ {
		block, rest := text, ""
		if at := strings.Index(text, end); at >= 0 {
			line, tail, _ := strings.Cut(text[at:], "\n")
			block, rest = text[:at]+line+"\n", tail
		}
		k, err := jwt.ParsePEM([]byte(block))
		if err != nil {
			conf.addf("keys", "PEM block %d cannot be used: %s", n, fault.PublicText(err))
			ok = false
		}
		keys, text = append(keys, k), rest
	}
	return keys, ok
}

// fetchedKeys makes a source that fetches, or takes over the one of the
// previous snapshot.
func (c *compiler) fetchedKeys(p *Provider, conf table, kind, url string, disabled bool) {
	ca := conf.text("ca_pem")
	if c.o.DisableFetch && !disabled {
		conf.addf(kind, "fetching keys is switched off on this server; put the keys into the file with keys")
		return
	}
	if kind == "discovery_url" && isText(conf.m["iss"]) && conf.text("iss") != url {
		conf.addf(kind, "must be equal to iss: the issuer that a discovery document describes is the one that signs")
		return
	}
	p.source = strings.Join([]string{kind, url, ca}, "\x00")
	if disabled {
		return
	}
	for _, old := range c.o.Previous.Providers() {
		if old.source == p.source && old.Name == p.Name {
			p.Keys = old.Keys
			return
		}
	}
	var err error
	if kind == "jwks_uri" {
		p.Keys, err = c.o.Keys.URL(jwks.URLConfig{URL: url, CAPEM: ca})
	} else {
		p.Keys, err = c.o.Keys.Discovery(jwks.DiscoveryConfig{Issuer: url, CAPEM: ca})
	}
	if err != nil {
		p.Keys = nil
		conf.addf(kind, "%s", fault.PublicText(err))
	}
}
