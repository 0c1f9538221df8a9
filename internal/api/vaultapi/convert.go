package vaultapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Errors of conversions say what was expected and never show the value, which
// may be a secret in the wrong field (CVE-2025-4166).

// kindOf names a JSON value's type for a message.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "bool"
	case string:
		return "string"
	case json.Number:
		return "number"
	case []any, []string:
		return "list"
	case map[string]any:
		return "object"
	}
	return "value"
}

func wrongType(want string, v any) error {
	return fmt.Errorf("expected type %s, got %s", want, kindOf(v))
}

func toString(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return string(v), nil
	case bool:
		if v {
			return "1", nil // as the reference's weak decoding has it
		}
		return "0", nil
	}
	return "", wrongType("string", v)
}

func toBool(v any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case json.Number:
		return toBool(string(v)) // 0 or 1: of other numbers nobody can say which they mean
	case string:
		if v == "" {
			return false, nil
		}
		b, err := strconv.ParseBool(v)
		if err != nil {
			return false, errors.New("cannot parse as a bool")
		}
		return b, nil
	}
	return false, wrongType("bool", v)
}

func toInt(v any) (int64, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case json.Number:
		return wholeNumber(string(v))
	case string:
		if v == "" {
			return 0, nil
		}
		return wholeNumber(v)
	}
	return 0, wrongType("integer", v)
}

// wholeNumber also takes spellings such as 1e3 and 5.0.
func wholeNumber(s string) (int64, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, errors.New("cannot parse as an integer")
	}
	return int64(f), nil
}

// maxDuration is what fits a time.Duration, rounded down to whole seconds.
const maxDuration = math.MaxInt64 / int64(time.Second)

// toDuration takes a number of seconds, or a text in Go's or days' notation.
func toDuration(v any) (time.Duration, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case json.Number:
		n, err := wholeNumber(string(v))
		if err != nil {
			return 0, errors.New("cannot parse as a duration")
		}
		return seconds(n)
	case string:
		return parseDuration(v)
	}
	return 0, wrongType("duration", v)
}

func seconds(n int64) (time.Duration, error) {
	if n > maxDuration || n < -maxDuration {
		return 0, errors.New("duration is out of range")
	}
	return time.Duration(n) * time.Second, nil
}

// parseDuration reads "90", "90s", "1h30m" and "2d".
func parseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return seconds(n)
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 64)
		if err != nil || n > maxDuration/86400 || n < -maxDuration/86400 {
			return 0, errors.New("cannot parse as a duration")
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New("cannot parse as a duration")
	}
	return d, nil
}

// toList takes a list of scalars or one comma-separated text.
func toList(v any, split bool) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return []string{}, nil
	case string:
		if v == "" {
			return []string{}, nil
		}
		if !split {
			return []string{v}, nil
		}
		out := strings.Split(v, ",")
		for i := range out {
			out[i] = strings.TrimSpace(out[i])
		}
		return out, nil
	case []string:
		return slices.Clone(v), nil
	case []any:
		out := make([]string, len(v))
		for i, e := range v {
			if _, ok := e.([]any); ok || e == nil {
				return nil, wrongType("list of strings", e)
			}
			s, err := toString(e)
			if err != nil {
				return nil, wrongType("list of strings", e)
			}
			out[i] = strings.TrimSpace(s)
		}
		return out, nil
	case json.Number, bool:
		s, err := toString(v)
		return []string{s}, err
	}
	return nil, wrongType("list of strings", v)
}

// toKV takes an object of scalars, or texts "k=v".
func toKV(v any) (map[string]string, error) {
	switch v := v.(type) {
	case nil:
		return map[string]string{}, nil
	case map[string]any:
		out := make(map[string]string, len(v))
		for k, e := range v {
			s, err := toString(e)
			if err != nil {
				return nil, wrongType("object of strings", e)
			}
			out[k] = s
		}
		return out, nil
	}
	pairs, err := toList(v, false)
	if err != nil {
		return nil, wrongType("object of strings", v)
	}
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		k, val, ok := strings.Cut(p, "=")
		if !ok || k == "" {
			return nil, errors.New("invalid key pair, expected key=value")
		}
		out[k] = val
	}
	return out, nil
}

func toMap(v any) (map[string]any, error) {
	switch v := v.(type) {
	case nil:
		return map[string]any{}, nil
	case map[string]any:
		return maps.Clone(v), nil
	case []any:
		if len(v) == 0 {
			return map[string]any{}, nil // some languages cannot tell the two apart when empty
		}
	}
	return nil, wrongType("object", v)
}
