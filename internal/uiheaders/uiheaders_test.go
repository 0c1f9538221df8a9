package uiheaders

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage/embedded"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	st, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return NewStore(st)
}

func TestHeadersAreKeptUnderOneName(t *testing.T) {
	ctx, s := context.Background(), newStore(t)
	if err := s.Set(ctx, "x-custom", []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Set(ctx, "X-CUSTOM", []string{"c", "d"}); err != nil {
		t.Fatal(err)
	}
	if names, err := s.Names(ctx); err != nil || !slices.Equal(names, []string{"X-Custom"}) {
		t.Errorf("%q %v", names, err)
	}
	if v, err := s.Get(ctx, "x-Custom"); err != nil || !slices.Equal(v, []string{"c", "d"}) {
		t.Errorf("%q %v", v, err)
	}
	if err := s.Delete(ctx, "X-cusTOM"); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Get(ctx, "X-Custom"); err != nil || v != nil {
		t.Errorf("%q %v", v, err)
	}
}

func TestWhatNoServerCouldSendIsRefused(t *testing.T) {
	ctx, s := context.Background(), newStore(t)
	for name, c := range map[string]struct {
		header string
		values []string
	}{
		"no name": {"", []string{"a"}}, "no value": {"A", nil}, "a name with a blank": {"A B", []string{"a"}}, "a name with a line end": {"A\r\nB", []string{"a"}},
		"ours": {"x-VAULT-token", []string{"a"}}, "a value with a line end": {"A", []string{"fine", "a\r\nSet-Cookie: b"}}, "no ASCII": {"A", []string{"ü"}},
		"a long value": {"A", []string{strings.Repeat("x", maxText+1)}}, "many values": {"A", slices.Repeat([]string{"a"}, maxValues+1)},
	} {
		if err := s.Set(ctx, c.header, c.values); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range maxHeaders {
		if err := s.Set(ctx, "H-"+strconv.Itoa(i), []string{"a"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Set(ctx, "One-More", []string{"a"}); !fault.Is(err, fault.Invalid) {
		t.Errorf("%v", err)
	}
	if err := s.Set(ctx, "H-0", []string{"b"}); err != nil {
		t.Errorf("a header that is there cannot be changed: %v", err)
	}
}
