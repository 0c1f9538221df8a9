package iam

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// The keys under which the store keeps its records.
const (
	prefix     = "iam/"
	userPrefix = prefix + "key/user/"
	pageSize   = 500
)

var (
	keyText  = []byte(prefix + "conf/text") // the TOML, byte for byte
	keyMeta  = []byte(prefix + "conf/meta")
	keyAdmin = []byte(prefix + "key/admin")
)

func userKey(name string) []byte { return []byte(userPrefix + name) }

// meta says what keyText holds.
type meta struct {
	ETag       string    `json:"etag"`
	Generation int64     `json:"generation"`
	Modified   time.Time `json:"modified"`
}

// keyRecord is a stored API key.
type keyRecord struct {
	HMAC    []byte    `json:"hmac"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// stored is everything under prefix.
type stored struct {
	meta  meta
	text  string
	users map[string]keyRecord
	admin []byte
}

func readAll(tx storage.ReadTx) (d stored, err error) {
	var ok bool
	if d.meta, ok, err = readMeta(tx); err != nil {
		return d, err
	}
	if !ok {
		return d, errNotLoaded
	}
	text, err := tx.Get(keyText)
	if err != nil {
		return d, fmt.Errorf("reading the IAM configuration: %w", err)
	}
	d.text = string(text)
	if d.users, err = readKeys(tx); err != nil {
		return d, err
	}
	var admin keyRecord
	if _, err = getJSON(tx, keyAdmin, &admin); err != nil {
		return d, err
	}
	d.admin = admin.HMAC
	return d, nil
}

func readMeta(tx storage.ReadTx) (m meta, ok bool, err error) {
	ok, err = getJSON(tx, keyMeta, &m)
	return m, ok, err
}

// readKeys returns every user's API key record, by user.
func readKeys(tx storage.ReadTx) (map[string]keyRecord, error) {
	out := map[string]keyRecord{}
	for after := []byte(nil); ; {
		items, err := tx.Scan([]byte(userPrefix), after, pageSize)
		if err != nil {
			return nil, fmt.Errorf("reading API keys: %w", err)
		}
		for _, it := range items {
			var r keyRecord
			if err := json.Unmarshal(it.Value, &r); err != nil {
				return nil, fmt.Errorf("record of an API key is damaged: %w", err)
			}
			out[strings.TrimPrefix(string(it.Key), userPrefix)] = r
		}
		if len(items) < pageSize {
			return out, nil
		}
		after = items[len(items)-1].Key
	}
}

// getJSON reports false for a key that is absent.
func getJSON(tx storage.ReadTx, key []byte, into any) (bool, error) {
	b, err := tx.Get(key)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading %s: %w", key, err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		return false, fmt.Errorf("record %s is damaged: %w", key, err)
	}
	return true, nil
}

func putJSON(tx storage.Tx, key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	if err := tx.Put(key, b, time.Time{}); err != nil {
		return fmt.Errorf("storing %s: %w", key, err)
	}
	return nil
}

// readBounded reads a file up to the size limit.
func readBounded(r io.Reader, name string) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return "", fault.Wrap(fault.Invalid, err, "the IAM file cannot be read").WithReason("iam_file")
	}
	if len(b) > MaxSize {
		return "", Problems{{File: name, Text: fmt.Sprintf("the file is larger than %d bytes", MaxSize)}}.fault()
	}
	return string(b), nil
}
