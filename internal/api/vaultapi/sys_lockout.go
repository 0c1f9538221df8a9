package vaultapi

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

var errNegative = errors.New("must not be negative")

// Settings of a user lockout, as clients write them. No method of this server
// locks users out: the settings are checked, kept and read back.
const (
	lockoutThreshold = "lockout_threshold"
	lockoutDuration  = "lockout_duration"
	lockoutReset     = "lockout_counter_reset_duration"
	lockoutDisable   = "lockout_disable"
)

// lockoutShown gives each setting the name under which clients read it, which
// is not always the one under which they write it. Both are accepted.
var lockoutShown = map[string]string{
	lockoutThreshold: lockoutThreshold, lockoutDuration: lockoutDuration,
	lockoutReset: "lockout_counter_reset", lockoutDisable: "disable_lockout",
}

// toLockout checks a user_lockout_config and returns it as text.
func toLockout(v any) (map[string]string, error) {
	m, err := toMap(v)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(m))
	for name, v := range m {
		key, ok := lockoutKey(name)
		if !ok {
			return nil, fmt.Errorf("unknown setting; the known ones are %s", strings.Join(slices.Sorted(maps.Keys(lockoutShown)), ", "))
		}
		text, err := toString(v)
		if b, isBool := v.(bool); isBool {
			text, err = strconv.FormatBool(b), nil
		}
		if err != nil {
			return nil, err
		}
		if _, err := lockoutValue(key, text); err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		out[key] = text
	}
	return out, nil
}

func lockoutKey(name string) (string, bool) {
	for key, shown := range lockoutShown {
		if name == key || name == shown {
			return key, true
		}
	}
	return "", false
}

// lockoutValue returns a setting as clients read it: a number, seconds, or a
// boolean.
func lockoutValue(key, text string) (any, error) {
	switch key {
	case lockoutDisable:
		return toBool(text)
	case lockoutThreshold:
		n, err := toInt(text)
		if err == nil && n < 0 {
			err = errNegative
		}
		return n, err
	}
	d, err := toDuration(text)
	if err == nil && d < 0 {
		err = errNegative
	}
	return int64(d / time.Second), err
}

// lockoutView is a stored user_lockout_config as it is read back.
func lockoutView(stored map[string]string) map[string]any {
	out := make(map[string]any, len(stored))
	for key, text := range stored {
		v, err := lockoutValue(key, text)
		if err != nil {
			continue // clients decode numbers here, and text would fail them
		}
		if shown, ok := lockoutShown[key]; ok {
			key = shown
		}
		out[key] = v
	}
	return out
}
