package pvaultapi

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/jotgate/jotgate/internal/fault"
)

// maxQuery bounds the query string of any request, in bytes.
const maxQuery = 64 << 10

// maxListItems bounds the items of a list-valued query parameter.
const maxListItems = 1000

// queryKind is the type of one query parameter.
type queryKind uint8

const (
	text    queryKind = iota
	list              // repeated, comma-separated, or both
	boolean           // true or false
	number            // a whole number that is not negative
)

// queryParam is one query parameter that an operation knows.
type queryParam struct {
	name    string
	kind    queryKind
	enum    []string // the values that it may take; nil = any
	maxSize int      // bytes of one value; 0 = 512
}

// query holds the checked parameters of a request.
type query struct{ v map[string][]string }

// parseQuery checks raw against what the operation knows. Errors name the
// parameter and the rule, never the value.
func parseQuery(raw string, known []queryParam) (query, error) {
	if raw == "" {
		return query{}, nil
	}
	if len(raw) > maxQuery {
		return query{}, fault.Newf(fault.TooLarge, "The query string is longer than %d bytes.", maxQuery)
	}
	vs, err := url.ParseQuery(raw)
	if err != nil {
		return query{}, fault.Wrap(fault.Invalid, err, "The query string is not valid.")
	}
	out := make(map[string][]string, len(vs))
	for name, values := range vs {
		i := slices.IndexFunc(known, func(p queryParam) bool { return p.name == name })
		if i < 0 {
			return query{}, badParam(name, "is not a parameter of this operation")
		}
		if out[name], err = known[i].check(values); err != nil {
			return query{}, err
		}
	}
	return query{out}, nil
}

// check returns the values of a parameter, split if it is a list.
func (p queryParam) check(values []string) ([]string, error) {
	if p.kind == list {
		var all []string
		for _, v := range values {
			if v != "" {
				all = append(all, strings.Split(v, ",")...)
			}
		}
		if len(all) > maxListItems {
			return nil, badParam(p.name, "has more than "+strconv.Itoa(maxListItems)+" items")
		}
		values = all
	} else if len(values) > 1 {
		return nil, badParam(p.name, "is given more than once")
	}
	limit := p.maxSize
	if limit == 0 {
		limit = 512
	}
	for _, v := range values {
		if err := p.checkOne(v, limit); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func (p queryParam) checkOne(v string, limit int) error {
	switch {
	case len(v) > limit:
		return badParam(p.name, "is longer than "+strconv.Itoa(limit)+" bytes")
	case p.kind == boolean && v != "true" && v != "false":
		return badParam(p.name, "must be true or false")
	case p.kind == number && v != "" && !isDigits(v):
		return badParam(p.name, "must be a whole number that is not negative")
	case p.enum != nil && !slices.Contains(p.enum, v):
		return badParam(p.name, "must be one of "+strings.Join(p.enum, ", "))
	}
	return nil
}

// isDigits reports whether s is a decimal number that an int64 surely holds.
func isDigits(s string) bool {
	if s == "" || len(s) > 18 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func badParam(name, rule string) error {
	return fault.New(fault.Invalid, "The request violates the API: query parameter "+strconv.Quote(clip(name))+" "+rule+".").
		WithDetail("parameter", clip(name))
}

// clip shortens a name that the caller chose before it is shown.
func clip(s string) string {
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}

// get returns the single value of a parameter, or "".
func (q query) get(name string) string {
	if v := q.v[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// has reports whether the parameter was given.
func (q query) has(name string) bool { _, ok := q.v[name]; return ok }

// list returns the items of a list parameter.
func (q query) list(name string) []string { return q.v[name] }

// is reports whether a boolean parameter is true.
func (q query) is(name string) bool { return q.get(name) == "true" }

// option reports whether the options parameter holds o.
func (q query) option(o string) bool { return slices.Contains(q.v["options"], o) }

// number returns a number, or missing when it is absent or empty.
func (q query) number(name string, missing int64) int64 {
	n, err := strconv.ParseInt(q.get(name), 10, 64)
	if err != nil {
		return missing
	}
	return n
}
