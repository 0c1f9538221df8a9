package main

import (
	"context"
	"fmt"
	"time"
)

// Live is what many live tokens cost.
type Live struct {
	Tokens        int     `json:"tokens"`
	LoginsPerSec  float64 `json:"logins_per_second"`
	RSSMiB        float64 `json:"rss_mib"`
	AnonMiB       float64 `json:"rss_anon_mib"`
	StoreMiB      float64 `json:"store_mib"`
	StorePerToken float64 `json:"store_bytes_per_token"`
	RestartMS     float64 `json:"restart_ready_ms"`
	RestartRSSMiB float64 `json:"restart_rss_mib"`
	LookupMS      float64 `json:"first_lookup_ms"`
}

// measureLive makes -live client tokens by logging in and restarts the server
// with them.
func measureLive(ctx context.Context, srv *child, b *bench, o options) (*Live, error) {
	before := srv.size()
	ts, err := b.many(min(o.live, 2000), false)
	if err != nil {
		return nil, err
	}
	// Signing is far dearer than logging in, so each JWT logs in several times:
	// every login makes a client token of its own.
	next := once(o.live, func(i int) call {
		return call{method: "POST", url: b.base + "/v1/auth/jwt/login", want: 200, body: []byte(`{"role":"svc","jwt":"` + ts[i%len(ts)] + `"}`)}
	})
	long := o
	long.duration = time.Hour
	f, err := measure(ctx, srv, long, next)
	if err != nil {
		return nil, err
	}
	if f.Errors > 0 {
		return nil, fmt.Errorf("%d logins failed", f.Errors)
	}
	l := &Live{Tokens: o.live, LoginsPerSec: f.RPS, RSSMiB: srv.rss(), AnonMiB: srv.anon(), StoreMiB: srv.size()}
	l.StorePerToken = (l.StoreMiB - before) * (1 << 20) / float64(o.live)
	if err := srv.restart(ctx); err != nil {
		return nil, err
	}
	l.RestartMS = srv.ready.Seconds() * 1000
	began := time.Now()
	if _, err := b.do(ctx, "GET", "/v1/auth/token/lookup-self", b.root, nil, 200); err != nil {
		return nil, err
	}
	l.LookupMS = time.Since(began).Seconds() * 1000
	l.RestartRSSMiB = srv.rss()
	return l, nil
}
