package server_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/jotgate/jotgate/internal/config"
	"github.com/jotgate/jotgate/internal/server"
	"github.com/jotgate/jotgate/internal/storage/postgres/pgtest"
)

// childEnv turns the test binary into a server process that can be killed.
const childEnv = "JOTGATE_TEST_SERVER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := serveChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	pgtest.Main(m)
}

// serveChild runs a development server on dir until it is killed, or until the
// test that holds its standard input is gone, and prints where it listens.
func serveChild(dir string) error {
	cfg, err := config.Dev(config.DevOptions{RootToken: "root", ListenAddress: "127.0.0.1:0", Directory: dir})
	if err != nil {
		return err
	}
	s, err := server.New(context.Background(), cfg, server.Options{})
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	fmt.Println(s.URLs()[0])
	return s.Run(context.Background())
}
