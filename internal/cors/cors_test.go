package cors

import (
	"context"
	"testing"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage/embedded"
	"github.com/jotgate/jotgate/internal/storage/storagetest"
)

func TestOnlyNamedOriginsMayCall(t *testing.T) {
	raw, err := embedded.Open(t.TempDir(), embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	st := storagetest.Twice(raw)
	ctx := context.Background()
	s, err := Open(ctx, st, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Config().Allows("https://a.example") || s.Config().Allows("") {
		t.Error("an origin may call although nothing was set up")
	}
	if err := s.Set(ctx, Config{Enabled: true, Origins: []string{"https://a.example", "http://localhost:3000"}, Headers: []string{"X-Own"}}); err != nil {
		t.Fatal(err)
	}
	for origin, want := range map[string]bool{
		"https://a.example": true, "http://localhost:3000": true, "http://a.example": false, "https://a.example.evil": false,
		"https://a.example:443": false, "null": false, "": false, "https://A.example": false,
	} {
		if got := s.Config().Allows(origin); got != want {
			t.Errorf("%q may call: %v", origin, got)
		}
	}
	if err := s.Set(ctx, Config{Enabled: true, Origins: []string{"*"}}); err != nil || !s.Config().Allows("https://any.example") {
		t.Errorf("the wildcard: %v", err)
	}
	for _, c := range []Config{
		{Enabled: true}, {Enabled: true, Origins: []string{"*", "https://a.example"}}, {Origins: []string{"a.example"}},
		{Origins: []string{"https://a.example/"}}, {Origins: []string{"https://a.example/x"}}, {Origins: []string{"https://u@a.example"}},
		{Origins: []string{"https://a.example\r\nX: y"}}, {Origins: []string{"*"}, Headers: []string{"X: y"}}, {Origins: []string{"*"}, Headers: []string{""}},
	} {
		if err := s.Set(ctx, c); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := s.Clear(ctx); err != nil || s.Config().Allows("https://any.example") {
		t.Errorf("after clearing: %v", err)
	}
}
