package vaultapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/mount"
)

// FuzzDecodeJSON: whatever comes in, the answer is data or a bad request, and
// what is accepted means the same to Go's own decoder.
func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, `{"a":{"b":[1,2.50,1e3,"x",null,true]}}`, `{"a":1,"a":2}`, `[]`, `{"a":"\ud800"}`, ` {"a" : [ ] } `, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := decodeJSON(in)
		if err != nil {
			if k := fault.Of(err); k != fault.Invalid {
				t.Fatalf("kind %v: %v", k, err)
			}
			return
		}
		if len(d.m) == 0 {
			return
		}
		var want map[string]any
		dec := json.NewDecoder(strings.NewReader(string(in)))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("accepted what encoding/json refuses: %v", err)
		}
		if !reflect.DeepEqual(d.m, want) {
			t.Fatalf("%v, encoding/json reads %v", d.m, want)
		}
		for name, raw := range d.raw {
			var v any
			dec := json.NewDecoder(strings.NewReader(string(raw)))
			dec.UseNumber()
			if err := dec.Decode(&v); err != nil || !reflect.DeepEqual(v, want[name]) {
				t.Fatalf("raw text of %q is %q", name, raw)
			}
		}
	})
}

// FuzzCleanPath: what passes has one reading.
func FuzzCleanPath(f *testing.F) {
	for _, s := range []string{"/v1/a/b", "/v1/../a", "/v1/a//b", "/v1/a/./b", "/v1/a/%2e", "/v1/", "/v2/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		p, err := cleanPath(&http.Request{URL: &url.URL{Path: in}})
		if err != nil {
			return
		}
		if !utf8.ValidString(p) || len(p) > maxPath || strings.Contains("/"+p+"/", "/../") || strings.Contains("/"+p+"/", "/./") || strings.Contains(p, "//") || strings.HasPrefix(p, "/") {
			t.Fatalf("%q passes", p)
		}
		for _, op := range []string{Read, List, Update, Delete, Patch} {
			s, err := settlePath(p, op, &mount.Table{})
			if err == nil && strings.HasSuffix(s, "/") != (op == List) {
				t.Fatalf("%s settles to %q", op, s)
			}
		}
	})
}
