package server

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/config"
	"github.com/jotgate/jotgate/internal/session"
	"github.com/jotgate/jotgate/internal/storage"
)

// BenchmarkRestart is a start with nobody logged in, and with very many who
// are: the time until requests are served must be the same.
//
//	go test ./internal/server -run=- -bench=Restart -benchtime=10x
func BenchmarkRestart(b *testing.B) {
	for _, tokens := range []int{0, 1_000_000} {
		b.Run(fmt.Sprintf("tokens=%d", tokens), func(b *testing.B) {
			cfg, err := config.Dev(config.DevOptions{RootToken: "root", ListenAddress: "127.0.0.1:0", Directory: filepath.Join(b.TempDir(), "data")})
			if err != nil {
				b.Fatal(err)
			}
			logIn(b, cfg, tokens)
			b.ResetTimer()
			for range b.N {
				s, err := New(b.Context(), cfg, Options{})
				b.StopTimer()
				if err != nil {
					b.Fatal(err)
				}
				if s.Sealed() {
					b.Fatal("not ready")
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// logIn fills a new store with live tokens.
func logIn(b *testing.B, cfg *config.Config, tokens int) {
	b.Helper()
	s, err := New(b.Context(), cfg, Options{})
	if err != nil {
		b.Fatal(err)
	}
	sessions := s.open.runtime.Sessions
	for tokens > 0 {
		n := min(tokens, 2000)
		err := s.barrier.Update(b.Context(), func(tx storage.Tx) error {
			for range n {
				_, err := sessions.Issue(tx, session.IssueOptions{
					Path: "auth/jwt/login", Mount: "auth/jwt/", Role: "demo", DisplayName: "jwt-alice",
					Policies: []string{"demo"}, Meta: map[string]string{"role": "demo"}, Limits: session.Limits{TTL: time.Hour},
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		tokens -= n
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
