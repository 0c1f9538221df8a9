package drawer_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

// index is a read transaction over names that counts what is read.
type index struct {
	keys []string // sorted
	read int
}

func (x *index) Get([]byte) ([]byte, error) { return nil, errors.New("a list must not read values") }
func (x *index) Now() time.Time             { return time.Time{} }

func (x *index) Scan(prefix, after []byte, limit int) ([]storage.Item, error) {
	var out []storage.Item
	for _, k := range x.keys {
		if len(out) < limit && bytes.HasPrefix([]byte(k), prefix) && k > string(after) {
			out = append(out, storage.Item{Key: []byte(k)})
		}
	}
	x.read += len(out)
	return out, nil
}

func TestAListReadsLittleOfWhatLiesBelow(t *testing.T) {
	x := &index{}
	for f := range 5 {
		for i := range 2000 {
			x.keys = append(x.keys, fmt.Sprintf("l/folder%d/%06d", f, i))
		}
	}
	for i := range 300 {
		x.keys = append(x.keys, fmt.Sprintf("l/secret%06d", i))
	}
	slices.Sort(x.keys)
	names, err := drawer.Names(x, []byte("l/"), drawer.Page{})
	if err != nil || len(names) != 305 || names[0] != "folder0/" || names[304] != "secret000299" {
		t.Fatalf("%d names, %v", len(names), err)
	}
	if x.read > 700 {
		t.Errorf("%d names were read for 305 that are shown", x.read)
	}
	x.read = 0
	if names, err := drawer.Names(x, []byte("l/"), drawer.Page{Limit: 2, After: "folder1/"}); err != nil || !slices.Equal(names, []string{"folder2/", "folder3/"}) || x.read > 40 {
		t.Errorf("page %v, %v, %d read", names, err, x.read)
	}
	if _, err := drawer.Names(x, []byte("none/"), drawer.Page{}); !fault.Is(err, fault.NotFound) {
		t.Errorf("empty folder: %v", err)
	}
}

func TestPaths(t *testing.T) {
	for path, want := range map[string]error{
		"a": nil, "a/b": nil, "a b": nil, "é": nil, ".": nil, "": drawer.ErrMissingPath, strings.Repeat("a", drawer.MaxPath): nil,
		strings.Repeat("a", drawer.MaxPath+1): drawer.ErrLongPath, "/a": drawer.ErrBadPath, "a/": drawer.ErrBadPath, "a//b": drawer.ErrBadPath,
		"a\x00b": drawer.ErrBadPath, "a\x7f": drawer.ErrBadPath, "a\xff": drawer.ErrBadPath,
	} {
		if err := drawer.CheckPath(path); !errors.Is(err, want) || drawer.ValidPath(path) != (want == nil) {
			t.Errorf("%.20q: %v, want %v", path, err, want)
		}
	}
	for path, want := range map[string]string{"": "", "/": "", "a": "a/", "a/": "a/", "a/b/": "a/b/"} {
		if got, err := drawer.Folder(path); got != want || err != nil {
			t.Errorf("Folder(%q) = %q, %v", path, got, err)
		}
	}
	if _, err := drawer.Folder("a//b"); !errors.Is(err, drawer.ErrBadPath) {
		t.Error(err)
	}
}

func TestValues(t *testing.T) {
	deep := func(n int) string { return strings.Repeat(`{"a":`, n) + `1` + strings.Repeat("}", n) }
	for _, c := range []struct {
		in, out string
		err     error
	}{
		{` { "b" : 1.50 , "a" : "x\u0041" } `, `{"b":1.50,"a":"x\u0041"}`, nil},
		{"", "", drawer.ErrNoData},
		{"null", "", drawer.ErrNoData},
		{"[]", "", drawer.ErrNotObject},
		{`{"a":1,"a":2}`, "", drawer.ErrBadJSON},
		{`{"a":`, "", drawer.ErrBadJSON},
		{deep(drawer.MaxDepth), deep(drawer.MaxDepth), nil},
		{deep(drawer.MaxDepth + 1), "", drawer.ErrDeepValue},
		{`{"a":"[[[[{{{{\"[["}`, `{"a":"[[[[{{{{\"[["}`, nil},
		{`{"a":"` + strings.Repeat("x", drawer.MaxValue) + `"}`, "", drawer.ErrLargeValue},
	} {
		in := jsontext.Value(c.in)
		out, err := drawer.Object(in)
		if string(out) != c.out || !errors.Is(err, c.err) {
			t.Errorf("%.60s = %.60s, %v", c.in, out, err)
		}
		if string(in) != c.in {
			t.Errorf("%.60s was changed in place", c.in)
		}
	}
}
