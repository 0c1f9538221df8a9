package acl

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// number is a decimal in one canonical spelling, so that equal numbers are
// equal texts: sign, digits without outer zeros, "e", exponent.
type number string

// canonicalNumber returns the canonical spelling of a JSON or HCL number. It
// never computes with the exponent's size, so 1e999999999 is as cheap as 1.
func canonicalNumber(text string) (number, bool) {
	neg := strings.HasPrefix(text, "-")
	mantissa, expText, hasExp := strings.Cut(strings.ToLower(strings.TrimPrefix(text, "-")), "e")
	exp := int64(0)
	if hasExp {
		var err error
		if exp, err = strconv.ParseInt(expText, 10, 32); err != nil {
			return "", false
		}
	}
	whole, frac, dotted := strings.Cut(mantissa, ".")
	digits := whole + frac
	if whole == "" || dotted && frac == "" || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	exp -= int64(len(frac))
	short := strings.TrimRight(digits, "0")
	exp += int64(len(digits) - len(short))
	if short = strings.TrimLeft(short, "0"); short == "" {
		return "0", true
	}
	n := short + "e" + strconv.FormatInt(exp, 10)
	if neg {
		n = "-" + n
	}
	return number(n), true
}

// normal returns v in the few types that the matcher compares: nil, bool,
// string, number, []any, map[string]any. Anything else reports false.
func normal(v any) (any, bool) {
	switch v := v.(type) {
	case nil, bool, string, number:
		return v, true
	case json.Number:
		return orNot(canonicalNumber(string(v)))
	case []any:
		return normalList(v)
	case map[string]any:
		return normalMap(v)
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return orNot(canonicalNumber(strconv.FormatInt(r.Int(), 10)))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return orNot(canonicalNumber(strconv.FormatUint(r.Uint(), 10)))
	case reflect.Float32, reflect.Float64:
		return orNot(canonicalNumber(strconv.FormatFloat(r.Float(), 'g', -1, 64)))
	case reflect.String:
		return r.String(), true
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			return nil, false // raw bytes: text that nobody has read yet
		}
		list := make([]any, r.Len())
		for i := range list {
			list[i] = r.Index(i).Interface()
		}
		return normalList(list)
	}
	return nil, false
}

func orNot(n number, ok bool) (any, bool) { return n, ok }

func normalList(in []any) (any, bool) {
	out := make([]any, len(in))
	for i, e := range in {
		var ok bool
		if out[i], ok = normal(e); !ok {
			return nil, false
		}
	}
	return out, true
}

func normalMap(in map[string]any) (any, bool) {
	out := make(map[string]any, len(in))
	for k, e := range in {
		var ok bool
		if out[k], ok = normal(e); !ok {
			return nil, false
		}
	}
	return out, true
}

// fits reports whether one value of a rule covers a normal value of a request:
// strings by glob, everything else by deep equality.
func fits(rule, v any) bool {
	want, ok := rule.(string)
	if !ok {
		return reflect.DeepEqual(rule, v)
	}
	got, ok := v.(string)
	return ok && globFits(want, got)
}

// globFits knows a leading and a trailing "*".
func globFits(want, got string) bool {
	tail, lead := strings.CutPrefix(want, "*")
	if lead && tail == "" {
		return true
	}
	body, trail := strings.CutSuffix(tail, "*")
	switch {
	case lead && trail:
		return strings.Contains(got, body)
	case lead:
		return strings.HasSuffix(got, body)
	case trail:
		return strings.HasPrefix(got, body)
	}
	return want == got
}
