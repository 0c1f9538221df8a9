package kv

import (
	"bytes"
	"testing"

	json "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/jotgate/jotgate/internal/engine/drawer"
	"github.com/jotgate/jotgate/internal/storage/record"
)

func TestMergePatchExamplesOfTheStandard(t *testing.T) {
	for _, c := range []struct{ target, patch, want string }{ // RFC 7396, appendix A
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"e":null,"a":1}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		got, err := mergePatch(jsontext.Value(c.target), jsontext.Value(c.patch))
		if err != nil || string(got) != c.want {
			t.Errorf("%s + %s = %s, %v; want %s", c.target, c.patch, got, err, c.want)
		}
	}
}

// slow is the merge of the standard, on decoded values.
func slow(target, patch any) any {
	p, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
	}
	for k, v := range p {
		if v == nil {
			delete(t, k)
		} else {
			t[k] = slow(t[k], v)
		}
	}
	return t
}

func FuzzMergePatch(f *testing.F) {
	f.Add([]byte(`{"a":{"b":1}}`), []byte(`{"a":{"b":null,"c":[]}}`))
	f.Fuzz(func(t *testing.T, target, patch []byte) {
		var tv, pv any
		if json.Unmarshal(target, &tv) != nil || json.Unmarshal(patch, &pv) != nil {
			return
		}
		if drawer.Depth(patch) > drawer.MaxDepth {
			return
		}
		got, err := mergePatch(target, patch)
		if err != nil {
			t.Fatalf("%s + %s: %v", target, patch, err)
		}
		var gv any
		if err := json.Unmarshal(got, &gv); err != nil {
			t.Fatalf("result %s: %v", got, err)
		}
		want, _ := json.Marshal(slow(tv, pv), json.Deterministic(true))
		have, _ := json.Marshal(gv, json.Deterministic(true))
		if !bytes.Equal(want, have) {
			t.Errorf("%s + %s = %s, want %s", target, patch, have, want)
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add((&secret{current: 1, versions: []version{{number: 1, data: jsontext.Value(`{}`)}, {number: 2, data: jsontext.Value(`{"k":1}`)}}}).encode())
	f.Add([]byte{0, 0, 0, 1, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := decode(raw)
		if err != nil {
			return
		}
		again, err := decode(s.encode())
		if err != nil || !bytes.Equal(again.encode(), s.encode()) {
			t.Errorf("%x does not survive a round trip: %v", raw, err)
		}
	})
}

func TestDamagedRecordsAreRefused(t *testing.T) {
	good := (&secret{current: 1, versions: []version{{number: 1}}}).encode()
	for _, raw := range [][]byte{nil, {0}, good[:len(good)-1], append([]byte{0, 0, 1, 0}, good[4:]...), {0, 0, 0, 1, 9}} {
		if _, err := decode(raw); err == nil {
			t.Errorf("%x was read", raw)
		}
	}
	if _, err := decode(good); err != nil {
		t.Error(err, record.ErrDamaged)
	}
}
