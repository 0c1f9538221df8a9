package vaultapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

// limit is the time that a request of these tests has.
const limit = time.Second

// streaming answers every request with what write does, on a connection whose
// time is limited.
func streaming(t *testing.T, h2 bool, write func(ctx context.Context, w io.Writer) error) *http.Response {
	t.Helper()
	d := New(Options{Log: slog.New(slog.DiscardHandler)})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// As the server's own limits are, but without the time that connecting takes.
		for _, set := range []func(time.Time) error{http.NewResponseController(w).SetReadDeadline, http.NewResponseController(w).SetWriteDeadline} {
			if err := set(time.Now().Add(limit)); err != nil {
				t.Error(err)
			}
		}
		c := &Call{Door: d, http: r, w: w}
		if err := c.stream(&Reply{ContentType: "application/octet-stream", Stream: write}); err != nil {
			d.fail(c, err)
		}
	}))
	s.EnableHTTP2 = h2
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if h2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	resp, err := s.Client().Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestAStreamOutlivesTheLimitsOfOtherRequests(t *testing.T) {
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // waits for real time
			resp := streaming(t, h2, func(ctx context.Context, w io.Writer) error {
				for range 2 {
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(limit * 3 / 2):
					}
					if _, err := io.WriteString(w, "piece"); err != nil {
						return err
					}
				}
				return nil
			})
			b, err := io.ReadAll(resp.Body)
			if err != nil || string(b) != "piecepiece" || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/octet-stream" {
				t.Errorf("%d %q %v", resp.StatusCode, b, err)
			}
		})
	}
}

func TestAStreamThatFailsIsNeverTakenForAWhole(t *testing.T) {
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		resp := streaming(t, h2, func(_ context.Context, w io.Writer) error {
			_, err := w.Write(make([]byte, 1<<16))
			return errors.Join(err, errors.New("the disk is gone"))
		})
		if b, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%s: %d bytes read without an error", name, len(b))
		}
		resp = streaming(t, h2, func(context.Context, io.Writer) error { return fault.New(fault.TooMany, "wait") })
		if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 429 || string(b) != "{\"errors\":[\"wait\"]}\n" || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: before the first byte: %d %q %v", name, resp.StatusCode, b, err)
		}
	}
}
