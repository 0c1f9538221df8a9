package acl

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

// Policy is one parsed policy. It is immutable. The zero Policy grants nothing.
type Policy struct {
	name  string
	text  string
	rules []rule
	root  bool
	// slashes: template values of this policy may hold "/".
	slashes bool
}

// Name returns the policy's normalised name.
func (p *Policy) Name() string { return p.name }

// WithSlashes returns the policy with templates whose values may hold "/", so
// that one value spells several segments. Whatever else could widen a path
// still drops the rule.
func (p *Policy) WithSlashes() *Policy {
	q := *p
	q.slashes = true
	return &q
}

// Text returns the policy as it was written.
func (p *Policy) Text() string { return p.text }

// rule is one path block.
type rule struct {
	path      string // without a leading "/"; may hold templates
	templated bool
	pat       pattern // zero if templated
	caps      caps
	params    *params
	minWrap   time.Duration // 0 = not set
	maxWrap   time.Duration // 0 = not set
}

// Parse reads a policy written in HCL or, if it begins with "{", in JSON. name
// must be in the spelling of NormalizeName and cannot be "root", whose rules no
// text can express. Errors are *fault.Error of kind Invalid with a public text
// that begins like the reference's and says what is wrong and on which line.
func Parse(name, text string) (*Policy, error) {
	norm, err := NormalizeName(name)
	if err != nil {
		return nil, err
	}
	if norm != name {
		return nil, badName("policy name must be in lower case")
	}
	if name == RootName {
		return nil, badName(`policy "root" has no text`)
	}
	fields, err := readSource(text)
	if err != nil {
		return nil, badText(err)
	}
	p := &Policy{name: name, text: text}
	if p.rules, err = readRules(fields); err != nil {
		return nil, badText(err)
	}
	return p, nil
}

func badText(err error) error {
	return fault.New(fault.Invalid, "failed to parse policy: "+err.Error()).WithReason("policy_text")
}

func readRules(fields []field) ([]rule, error) {
	var rules []rule
	named := false
	for _, f := range fields {
		switch f.name {
		case "path":
			more, err := readPaths(f)
			if err != nil {
				return nil, err
			}
			rules = append(rules, more...)
		case "name":
			if named {
				return nil, fmt.Errorf("key %q is set twice, again on line %d", f.name, f.line)
			}
			named = true
		default:
			return nil, fmt.Errorf("invalid key %q on line %d", f.name, f.line)
		}
	}
	return rules, nil
}

// readPaths reads what one "path" key holds: blocks named by their path.
func readPaths(f field) ([]rule, error) {
	blocks, ok := f.value.([]field)
	if !ok {
		return nil, fmt.Errorf("\"path\" on line %d must hold a block, such as path \"secret/*\" { … }", f.line)
	}
	var rules []rule
	for _, b := range blocks {
		keys, ok := asBlock(b.value)
		if !ok {
			return nil, fmt.Errorf("path %q: must hold a block, on line %d", b.name, b.line)
		}
		r, err := readRule(b.name, keys)
		if err != nil {
			return nil, fmt.Errorf("path %q: %w", b.name, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// asBlock takes a block, or a list that holds just one.
func asBlock(v any) ([]field, bool) {
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0]
	}
	keys, ok := v.([]field)
	return keys, ok
}

// unenforced are keys that would restrict a rule in some server of this family.
// Taking them without enforcing them would allow more than the text says.
var unenforced = []string{
	"control_group", "expiration", "list_scan_response_keys_filter_path", "mfa_methods", "pagination_limit",
}

func readRule(path string, keys []field) (rule, error) {
	r := rule{path: strings.TrimPrefix(path, "/")}
	if strings.Contains(path, "{{") {
		r.templated = true
		if err := checkTemplates(r.path); err != nil {
			return r, err
		}
	}
	pat, err := compilePattern(r.path)
	if err != nil {
		return r, err
	}
	r.pat = pat
	seen := map[string]bool{}
	var par params
	for _, f := range keys {
		if seen[f.name] {
			return r, fmt.Errorf("key %q is set twice, again on line %d", f.name, f.line)
		}
		seen[f.name] = true
		if err := readKey(&r, &par, f); err != nil {
			return r, err
		}
	}
	if r.minWrap > 0 && r.maxWrap > 0 && r.maxWrap < r.minWrap {
		return r, errors.New("max_wrapping_ttl cannot be less than min_wrapping_ttl")
	}
	if r.caps&capDeny != 0 {
		r.caps, par = capDeny, params{}
	}
	if !par.empty() {
		r.params = &par
	}
	return r, nil
}

func readKey(r *rule, par *params, f field) (err error) {
	switch f.name {
	case "comment":
		_, err = oneString(f)
	case "policy":
		err = readOldPolicy(r, f)
	case "capabilities":
		err = readCapabilities(r, f)
	case "allowed_parameters":
		par.allowed, err = readValues(f)
	case "denied_parameters":
		par.denied, err = readValues(f)
	case "required_parameters":
		par.required, err = readRequired(f)
	case "min_wrapping_ttl":
		r.minWrap, err = readTTL(f)
	case "max_wrapping_ttl":
		r.maxWrap, err = readTTL(f)
	default:
		if slices.Contains(unenforced, f.name) {
			return fmt.Errorf("key %q on line %d is not supported by this server, and without it the rule would allow more than it says: remove it", f.name, f.line)
		}
		return fmt.Errorf("invalid key %q on line %d", f.name, f.line)
	}
	return err
}

func readOldPolicy(r *rule, f field) error {
	name, err := oneString(f)
	if err != nil {
		return err
	}
	c := oldPolicy(name)
	if c == 0 {
		return fmt.Errorf("invalid policy %q", name)
	}
	r.caps |= c
	return nil
}

func readCapabilities(r *rule, f field) error {
	names, err := stringsOf(f)
	if err != nil {
		return err
	}
	for _, name := range names {
		c := capByName(name)
		if c == 0 {
			return fmt.Errorf("invalid capability %q", name)
		}
		r.caps |= c
	}
	return nil
}

func readRequired(f field) ([]string, error) {
	names, err := stringsOf(f)
	if err != nil {
		return nil, err
	}
	for i, n := range names {
		names[i] = strings.ToLower(n)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// readValues reads a block whose keys are parameters and whose values are
// lists. Names that differ only in case are one parameter.
func readValues(f field) (map[string][]any, error) {
	keys, ok := asBlock(f.value)
	if !ok {
		return nil, fmt.Errorf("%s must be a block of lists, on line %d", f.name, f.line)
	}
	out := make(map[string][]any, len(keys))
	for _, k := range keys {
		name := strings.ToLower(k.name)
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%s names %q twice, again on line %d", f.name, name, k.line)
		}
		list, ok := k.value.([]any)
		if !ok {
			list = []any{k.value}
		}
		values := make([]any, len(list))
		for i, e := range list {
			if values[i], ok = plain(e); !ok {
				return nil, fmt.Errorf("%s: the values of %q on line %d cannot be compared", f.name, name, k.line)
			}
		}
		out[name] = values
	}
	return out, nil
}

// plain turns blocks into maps, the form that request data has.
func plain(v any) (any, bool) {
	switch v := v.(type) {
	case []field:
		m := make(map[string]any, len(v))
		for _, f := range v {
			e, ok := plain(f.value)
			if _, twice := m[f.name]; twice || !ok {
				return nil, false
			}
			m[f.name] = e
		}
		return m, true
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			var ok bool
			if out[i], ok = plain(e); !ok {
				return nil, false
			}
		}
		return out, true
	}
	return v, v != nil
}

// maxTTL bounds a wrapping TTL: ten years.
const maxTTL = 87600 * time.Hour

// readTTL reads seconds, as a number or a text, or a duration such as "1h".
func readTTL(f field) (time.Duration, error) {
	var text string
	switch v := f.value.(type) {
	case string:
		text = strings.TrimSpace(v)
	case number:
		text = plainDigits(v)
	}
	d, ok := parseTTL(text)
	if !ok {
		return 0, fmt.Errorf("%s on line %d must be a number of seconds or a duration such as \"1h\", from 1s to ten years", f.name, f.line)
	}
	return d, nil
}

// plainDigits writes a whole canonical number without an exponent, or "".
func plainDigits(n number) string {
	digits, exp, _ := strings.Cut(string(n), "e")
	zeros, err := strconv.Atoi(exp)
	if err != nil || zeros < 0 || zeros > 12 {
		return ""
	}
	return digits + strings.Repeat("0", zeros)
}

func parseTTL(text string) (time.Duration, bool) {
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		n, err := strconv.ParseUint(days, 10, 16)
		d := time.Duration(n) * 24 * time.Hour
		return d, err == nil && d > 0 && d <= maxTTL
	}
	d, err := time.ParseDuration(text)
	if n, nerr := strconv.ParseUint(text, 10, 32); nerr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	return d, err == nil && d >= time.Second && d <= maxTTL
}

func oneString(f field) (string, error) {
	s, ok := f.value.(string)
	if !ok {
		return "", fmt.Errorf("%s must be a text, on line %d", f.name, f.line)
	}
	return s, nil
}

// stringsOf takes a list of texts, or a single text.
func stringsOf(f field) ([]string, error) {
	if s, ok := f.value.(string); ok {
		return []string{s}, nil
	}
	list, ok := f.value.([]any)
	if !ok {
		return nil, fmt.Errorf("%s must be a list of texts, on line %d", f.name, f.line)
	}
	out := make([]string, len(list))
	for i, e := range list {
		if out[i], ok = e.(string); !ok {
			return nil, fmt.Errorf("%s must be a list of texts, on line %d", f.name, f.line)
		}
	}
	return out, nil
}
