package config

import (
	"testing"
	"time"
)

func TestTheBuildDateIsADateWhateverTheBuildKnows(t *testing.T) {
	for want, texts := range map[string][]string{
		"2026-11-22T04:00:00Z": {"2026-11-22T05:00:00+01:00", "2020-01-01T00:00:00Z"},
		"2020-01-01T00:00:00Z": {"", "2020-01-01T00:00:00Z"},
		noBuildDate:            {"yesterday", ""},
	} {
		if got := firstDate(texts...); got != want {
			t.Errorf("firstDate(%q) = %q, want %q", texts, got, want)
		}
	}
	if _, err := time.Parse(time.RFC3339, BuildDate()); err != nil {
		t.Error(err)
	}
}
