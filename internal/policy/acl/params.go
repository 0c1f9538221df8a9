package acl

import (
	"reflect"
	"slices"
	"strings"

	"github.com/jotgate/jotgate/internal/policy"
)

// params is what a rule says about the parameters of a request. Names are
// lower case; an empty list of values means any value.
type params struct {
	allowed  map[string][]any
	denied   map[string][]any
	required []string // sorted, unique
}

func (p *params) empty() bool {
	return p == nil || p.allowed == nil && p.denied == nil && len(p.required) == 0
}

// merge returns the parameters of two rules with the same path. A rule without
// a map does not clear the map of another.
func (p *params) merge(o *params) *params {
	if p.empty() {
		return o
	}
	if o.empty() {
		return p
	}
	required := slices.Concat(p.required, o.required)
	slices.Sort(required)
	return &params{
		allowed:  mergeValues(p.allowed, o.allowed),
		denied:   mergeValues(p.denied, o.denied),
		required: slices.Compact(required),
	}
}

// mergeValues unions the values of each name; "any value" wins over a list.
func mergeValues(a, b map[string][]any) map[string][]any {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	out := make(map[string][]any, len(a)+len(b))
	for name, values := range a {
		out[name] = values
	}
	for name, values := range b {
		have, ok := out[name]
		switch {
		case !ok:
			out[name] = values
		case len(have) == 0 || len(values) == 0:
			out[name] = []any{}
		default:
			out[name] = union(have, values)
		}
	}
	return out
}

func union(a, b []any) []any {
	out := slices.Clone(a)
	for _, v := range b {
		if !slices.ContainsFunc(out, func(w any) bool { return reflect.DeepEqual(v, w) }) {
			out = append(out, v)
		}
	}
	return out
}

// judged reports whether the parameters of op are looked at.
func judged(op Operation) bool {
	return op == Read || op == Create || op == Update || op == Patch
}

// check returns a rule about parameters that data breaks, the same one each
// time. A nil p takes everything.
func (p *params) check(data map[string]any) (policy.Check, bool) {
	if p.empty() {
		return policy.Check{}, true
	}
	for _, name := range p.required {
		if !has(data, name) {
			return policy.Check{Name: "required_parameters", Expected: name, Note: "a required parameter is missing"}, false
		}
	}
	if len(data) == 0 {
		return policy.Check{}, true
	}
	var worst policy.Check
	for name, v := range data {
		c, ok := p.checkOne(strings.ToLower(name), v)
		if !ok && (worst.Name == "" || c.Received < worst.Received) {
			worst = c
		}
	}
	return worst, worst.Name == ""
}

func (p *params) checkOne(name string, v any) (policy.Check, bool) {
	if _, all := p.denied["*"]; all {
		return policy.Check{Name: "denied_parameters", Received: name, Note: "every parameter is denied"}, false
	}
	if values, ok := p.denied[name]; ok && deniedValue(values, v) {
		return policy.Check{Name: "denied_parameters", Received: name, Note: "this parameter or its value is denied"}, false
	}
	if len(p.allowed) == 0 {
		return policy.Check{}, true
	}
	values, listed := p.allowed[name]
	if !listed {
		if _, all := p.allowed["*"]; all {
			return policy.Check{}, true
		}
		return policy.Check{Name: "allowed_parameters", Received: name, Note: "this parameter is not among the allowed ones"}, false
	}
	if !allowedValue(values, v) {
		return policy.Check{Name: "allowed_parameters", Received: name, Note: "this parameter's value is not among the allowed ones"}, false
	}
	return policy.Check{}, true
}

// has reports whether data has the parameter, in any case.
func has(data map[string]any, name string) bool {
	if _, ok := data[name]; ok {
		return true
	}
	for k := range data {
		if strings.ToLower(k) == name {
			return true
		}
	}
	return false
}

func allowedValue(values []any, v any) bool {
	if len(values) == 0 {
		return true
	}
	n, known := normal(v)
	return known && slices.ContainsFunc(values, func(w any) bool { return fits(w, n) })
}

// deniedValue also looks into lists, written as JSON or with commas, so that
// neither ["root"] nor "default,root" passes where "root" is denied, and takes a
// value that it cannot compare as denied.
func deniedValue(values []any, v any) bool {
	if len(values) == 0 {
		return true
	}
	n, known := normal(v)
	if !known {
		return true
	}
	return slices.ContainsFunc(values, func(w any) bool { return covers(w, n) })
}

func covers(rule, v any) bool {
	if fits(rule, v) {
		return true
	}
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return covers(rule, e) })
	case string:
		for item := range strings.SplitSeq(v, ",") {
			if fits(rule, strings.TrimSpace(item)) {
				return true
			}
		}
	}
	return false
}
