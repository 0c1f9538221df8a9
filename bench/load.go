package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// call is one request to send.
type call struct {
	method, url string
	header      [2]string // one name and value
	body        []byte
	want        int // status
}

// process is a server whose CPU time we can read.
type process interface {
	cpu() (time.Duration, error)
}

// measure sends what next returns over o.concurrency connections for
// o.duration, or until next is exhausted, and returns the figures.
func measure(ctx context.Context, srv process, o options, next func(worker, i int) (call, bool)) (Figure, error) {
	client := &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: o.concurrency, DisableCompression: true},
		Timeout:   30 * time.Second,
	}
	defer client.CloseIdleConnections()
	before, err := srv.cpu()
	if err != nil {
		return Figure{}, err
	}
	start := time.Now()
	deadline := start.Add(o.duration)
	lat := make([][]time.Duration, o.concurrency)
	bad := make([]error, o.concurrency)
	failed := make([]int, o.concurrency)
	var wg sync.WaitGroup
	for w := range o.concurrency {
		wg.Go(func() {
			for i := 0; time.Now().Before(deadline) && ctx.Err() == nil; i++ {
				c, ok := next(w, i)
				if !ok {
					return
				}
				t := time.Now()
				if err := send(ctx, client, c); err != nil {
					failed[w]++
					bad[w] = err
					continue
				}
				lat[w] = append(lat[w], time.Since(t))
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	after, err := srv.cpu()
	if err != nil {
		return Figure{}, err
	}
	all := slices.Concat(lat...)
	f := Figure{Requests: len(all)}
	for _, n := range failed {
		f.Errors += n
	}
	if len(all) == 0 {
		return f, fmt.Errorf("no request succeeded: %w", errors.Join(bad...))
	}
	slices.Sort(all)
	us := func(p float64) float64 { return float64(all[int(p*float64(len(all)-1))].Nanoseconds()) / 1000 }
	f.RPS = float64(len(all)) / took.Seconds()
	f.P50, f.P95, f.P99 = us(.5), us(.95), us(.99)
	f.CPU = float64((after - before).Microseconds()) / float64(len(all)+f.Errors)
	return f, ctx.Err()
}

func send(ctx context.Context, client *http.Client, c call) error {
	_, err := fetch(ctx, client, c)
	return err
}

// fetch sends c and returns the body of the expected answer.
func fetch(ctx context.Context, client *http.Client, c call) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, c.url, bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	if c.header[0] != "" {
		req.Header.Set(c.header[0], c.header[1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != c.want {
		return nil, fmt.Errorf("%s %s: status %d, want %d: %.300s", c.method, c.url, resp.StatusCode, c.want, b)
	}
	return b, nil
}
