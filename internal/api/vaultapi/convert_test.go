package vaultapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
)

func TestParametersAreReadAsTheReferenceReadsThem(t *testing.T) {
	n := func(s string) any { return json.Number(s) }
	for _, tc := range []struct {
		typ  FieldType
		in   any
		want any // an error when nil
	}{
		{String, "x", "x"}, {String, n("5"), "5"}, {String, true, "1"}, {String, false, "0"}, {String, []any{}, nil},
		{String, []any{"x"}, nil}, {String, map[string]any{}, nil},
		{LowerString, "AbC", "abc"},
		{Bool, true, true}, {Bool, "true", true}, {Bool, "0", false}, {Bool, "", false}, {Bool, n("1"), true}, {Bool, n("0"), false}, {Bool, n("5"), nil}, {Bool, n("1.5"), nil}, {Bool, n("-1"), nil}, {Bool, "x", nil}, {Bool, []any{}, nil},
		{Int, n("5"), int64(5)}, {Int, "7", int64(7)}, {Int, "", int64(0)}, {Int, n("1e3"), int64(1000)}, {Int, n("5.0"), int64(5)}, {Int, true, int64(1)},
		{Int, n("1.5"), nil}, {Int, n("1e30"), nil}, {Int, "x", nil}, {Int, []any{}, nil},
		{Seconds, n("90"), 90 * time.Second}, {Seconds, "90", 90 * time.Second}, {Seconds, "1h30m", 90 * time.Minute}, {Seconds, "2d", 48 * time.Hour}, {Seconds, "", time.Duration(0)}, {Seconds, n("90.0"), 90 * time.Second}, {Seconds, "1500ms", time.Second}, {Seconds, "-500ms", time.Duration(0)}, {Seconds, n("1.5"), nil},
		{Seconds, n("-1"), nil}, {Seconds, "-1s", nil}, {Seconds, "x", nil}, {Seconds, "xd", nil}, {Seconds, n("1e30"), nil}, {Seconds, n("9223372036854775807"), nil}, {Seconds, true, nil},
		{SignedSecs, n("-1"), -time.Second}, {SignedSecs, "-5m", -5 * time.Minute}, {SignedSecs, "99999999999d", nil},
		{CommaList, "a, b,c", []string{"a", "b", "c"}}, {CommaList, "", []string{}}, {CommaList, []any{" a ", n("1"), true}, []string{"a", "1", "1"}}, {CommaList, n("5"), []string{"5"}},
		{CommaList, []any{map[string]any{}}, nil}, {CommaList, []any{[]any{}}, nil}, {CommaList, []any{nil}, nil}, {CommaList, map[string]any{}, nil},
		{StringList, "a,b", []string{"a,b"}}, {StringList, []any{"a"}, []string{"a"}},
		{KVPairs, map[string]any{"a": "b", "c": n("1")}, map[string]string{"a": "b", "c": "1"}}, {KVPairs, []any{"a=b", "c=d=e"}, map[string]string{"a": "b", "c": "d=e"}},
		{KVPairs, "a=b", map[string]string{"a": "b"}}, {KVPairs, "a", nil}, {KVPairs, []any{"=b"}, nil}, {KVPairs, map[string]any{"a": []any{}}, nil}, {KVPairs, map[string]any{"a": []any{"x"}}, nil},
		{Object, map[string]any{"a": n("1")}, map[string]any{"a": n("1")}}, {Object, `{"a":"b"}`, nil}, {Object, []any{}, map[string]any{}}, {Object, []any{"a"}, nil},
		{Any, n("1"), n("1")},
	} {
		f := Field{Name: "x", Type: tc.typ}
		got, err := f.convert(tc.in)
		if tc.want == nil {
			if err == nil {
				t.Errorf("%s of %#v is %#v, want an error", tc.typ, tc.in, got)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s of %#v is %#v (%v), want %#v", tc.typ, tc.in, got, err, tc.want)
		}
	}
	if v, err := (&Field{Type: Seconds}).convert(nil); v != nil || err != nil {
		t.Errorf("null counts as given: %v %v", v, err)
	}
	for typ, want := range map[FieldType]any{
		String: "", Bool: false, Int: int64(0), SignedSecs: time.Duration(0), CommaList: []string(nil), KVPairs: map[string]string(nil), Object: map[string]any(nil),
	} {
		if v, err := (&Field{Type: typ, Clears: true}).convert(nil); err != nil || !reflect.DeepEqual(v, want) {
			t.Errorf("%s: null is %#v (%v), want %#v", typ, v, err, want)
		}
	}
}

// TestKindsAndStatuses: every kind has a status, and a storage that is down is
// nobody's mistake: the caller may try again and learns nothing.
func TestKindsAndStatuses(t *testing.T) {
	for k := fault.Internal; k <= fault.NotImplemented; k++ {
		if statusOf[k] < 400 {
			t.Errorf("%v has status %d", k, statusOf[k])
		}
	}
	for err, want := range map[error]int{
		fmt.Errorf("x: %w", storage.ErrUnavailable):                            http.StatusServiceUnavailable,
		fmt.Errorf("x: %w", storage.ErrFailed):                                 http.StatusServiceUnavailable,
		fmt.Errorf("x: %w", storage.ErrClosed):                                 http.StatusServiceUnavailable,
		fmt.Errorf("x: %w", storage.ErrConflict):                               http.StatusServiceUnavailable,
		fmt.Errorf("x: %w", storage.ErrTooLarge):                               http.StatusRequestEntityTooLarge,
		fmt.Errorf("x: %w", context.DeadlineExceeded):                          http.StatusServiceUnavailable,
		errors.New("s3cr3t"):                                                   http.StatusInternalServerError,
		fault.Wrap(fault.Denied, storage.ErrUnavailable, "no").WithReason("x"): http.StatusForbidden,
	} {
		c := classify(err)
		if got := statusOf[fault.Of(c)]; got != want {
			t.Errorf("%v: status %d, want %d", err, got, want)
		}
		for _, text := range wireText(c, false) {
			if text == "s3cr3t" || text == err.Error() {
				t.Errorf("%v reaches the caller as %q", err, text)
			}
		}
	}
}
