package objects

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func FuzzParseSchema(f *testing.F) {
	f.Add("buyers PERSONS (email EMAIL UNIQUE NOT NULL COMMENT 'it''s', n NAME INDEX NULL);")
	f.Add("c DATA ();")
	f.Fuzz(func(t *testing.T, src string) {
		c, err := ParseSchema([]byte(src))
		if err != nil {
			return
		}
		again, err := ParseSchema(FormatSchema(c))
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Fatalf("%q does not come back: %v\n%+v\n%+v", src, err, c, again)
		}
	})
}

func FuzzDecodeObject(f *testing.F) {
	o := &object{created: 1, modified: 2, expires: 3, tenant: "t", ownerName: "o", ownerMade: 4, fields: []field{{16, []byte(`"x"`)}, {17, []byte(`5`)}}}
	f.Add(o.encode())
	f.Add((&object{}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := decodeObject(id{}, b)
		if err != nil {
			return
		}
		again, err := decodeObject(id{}, o.encode())
		if err != nil || !bytes.Equal(again.encode(), o.encode()) {
			t.Fatalf("%x does not come back: %v", b, err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add((&sealed{tags: []string{"a"}, fields: []field{{16, []byte(`1`)}}}).pack())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := unpack(b, Randomized, defaultScope); ok && len(s.tags) > maxTags {
			t.Fatal("too many tags")
		}
	})
}

func FuzzGlob(f *testing.F) {
	f.Add("*abc?", "xabcd")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		g, rule := compileGlob(pattern)
		if rule != "" || !g.match(fold(text)) {
			return
		}
		// Whatever matches must hold every run that the index is asked for.
		for _, gram := range g.grams {
			if !strings.Contains(fold(text), gram) {
				t.Fatalf("%q matches %q without %q", pattern, text, gram)
			}
		}
	})
}
