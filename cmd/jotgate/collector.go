package main

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The collector may let this much garbage gather before it runs, whatever is
// live: a small heap would otherwise be collected many times a second, and a
// large one would be held several times over.
const (
	garbageAllowance = 16 << 20
	minGCPercent     = 100
	maxGCPercent     = 800
	startGCPercent   = 400 // until the first collection has told what is live
)

// gcPercent is how much garbage may gather, as a share of what is live.
func gcPercent(live uint64) int {
	if live == 0 {
		return startGCPercent
	}
	return int(min(max(garbageAllowance*100/live, minGCPercent), maxGCPercent))
}

// tuneCollector keeps the collector at the allowance until ctx ends. The
// variables that Go programs are tuned by come first.
func tuneCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(startGCPercent)
	go func() {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for last := startGCPercent; ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			metrics.Read(live)
			p := gcPercent(live[0].Value.Uint64())
			if p*8 < last*7 || p*7 > last*8 { // a change worth a stop of the world
				last = p
				debug.SetGCPercent(p)
			}
		}
	}()
}
