package main

import (
	"runtime/metrics"
	"testing"
)

func TestTheCollectorKeepsToItsAllowance(t *testing.T) {
	for _, c := range []struct {
		live uint64 // MiB
		want int
	}{{0, 400}, {1, 800}, {2, 800}, {4, 400}, {8, 200}, {16, 100}, {400, 100}} {
		if got := gcPercent(c.live << 20); got != c.want {
			t.Errorf("%d MiB live: %d, want %d", c.live, got, c.want)
		}
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	if metrics.Read(live); live[0].Value.Kind() != metrics.KindUint64 {
		t.Error("the runtime does not tell what is live")
	}
}
