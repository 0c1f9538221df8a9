package vaultapi

import (
	stdjson "encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// TestAnswersAreEncodedAsTheLibraryWould compares the spelled-out types with
// the library.
func TestAnswersAreEncodedAsTheLibraryWould(t *testing.T) {
	leaf := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.String(), func(s string) any { return strings.ToValidUTF8(s, "") }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }), rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.Int(), func(n int) any { return n }), rapid.Map(rapid.Float64Range(-1e9, 1e9), func(f float64) any { return f }),
		rapid.SampledFrom([]any{
			stdjson.Number("9007199254740993"), stdjson.Number("1.50"), jsontext.Value(`{"a":[1,2.50]}`), jsontext.Value("{\n\t\"a\": 1\r\n}"),
			[]string(nil), []string{}, []string{"a", "<&>"}, map[string]string(nil), map[string]string{"b": "x", "a": "y"},
			[]any(nil), map[string]any(nil), map[string][]string{"a": {"b"}}, []int{1}, uint64(1 << 63),
		}),
	)
	var value *rapid.Generator[any]
	value = rapid.Custom(func(t *rapid.T) any {
		switch rapid.IntRange(0, 5).Draw(t, "kind") {
		case 0:
			return rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[any] { return value }), 0, 3).Draw(t, "list")
		case 1:
			return rapid.MapOfN(rapid.StringMatching(`[a-zü"\\ ]{0,4}`), rapid.Deferred(func() *rapid.Generator[any] { return value }), 0, 4).Draw(t, "map")
		}
		return leaf.Draw(t, "leaf")
	})
	rapid.Check(t, func(t *rapid.T) {
		v := value.Draw(t, "value")
		want, err := json.Marshal(v, jsonOptions)
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendJSON([]byte("x"), v)
		if err != nil || string(got) != "x"+string(want) {
			t.Fatalf("%s, the library says %s (%v)", got, want, err)
		}
	})
}

func TestBadTextNeverFailsAnAnswer(t *testing.T) {
	got, err := appendJSON(nil, map[string]any{"a\xff": "b\xff"})
	if err != nil || string(got) != "{\"a\uFFFD\":\"b\uFFFD\"}" {
		t.Errorf("%s %v", got, err)
	}
	if _, err := appendJSON(nil, map[string]any{"d": time.Second}); err == nil {
		t.Error("a duration goes out without being made seconds")
	}
}
