package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/jotgate/jotgate/internal/cli"
	"github.com/jotgate/jotgate/internal/config"
	"github.com/jotgate/jotgate/internal/server"
)

type serverFlags struct {
	env     *cli.Env
	dev     bool
	config  string
	noStore bool
	opts    config.DevOptions
}

// newServerCommand returns the command that runs the server.
func newServerCommand(env *cli.Env) *cobra.Command {
	f := serverFlags{env: env}
	c := &cobra.Command{
		Use:   "server",
		Short: "Run the server",
		Long: `Runs the server until it gets SIGINT or SIGTERM. SIGHUP makes it read the IAM
file and its TLS certificates again and open its audit files again; what cannot
be read stays as it was, and the log says why.

-dev starts a server for trying things out: plain HTTP on loopback, a store that
unseals itself with a key file, a KV version 2 engine at secret/, a root token,
and the pvault admin key "pvaultauth". Do not use it for anything of value.`,
		Example: `  jotgate server -dev -dev-root-token-id=root
  jotgate server -dev -dev-listen-address=127.0.0.1:8300 -dev-dir=./data -iam=iam.toml
  jotgate server -config=/etc/jotgate/jotgate.toml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	fl := c.Flags()
	fl.StringVar(&f.config, "config", "", "settings `FILE` (TOML); see docs/configuration.md")
	fl.BoolVar(&f.dev, "dev", false, "run in development mode")
	fl.StringVar(&f.opts.RootToken, "dev-root-token-id", "", "root `TOKEN` in development mode (default: a random one) [JOTGATE_DEV_ROOT_TOKEN_ID, VAULT_DEV_ROOT_TOKEN_ID]")
	fl.StringVar(&f.opts.ListenAddress, "dev-listen-address", "", "the one `HOST:PORT` to listen on in development mode (default: 127.0.0.1:8200 and 127.0.0.1:8123) [JOTGATE_DEV_LISTEN_ADDRESS, VAULT_DEV_LISTEN_ADDRESS]")
	fl.BoolVar(&f.opts.KVv1, "dev-kv-v1", false, "mount version 1 of the KV engine at secret/ in development mode")
	fl.BoolVar(&f.noStore, "dev-no-store-token", false, "accepted; the root token is never stored in the token helper")
	fl.StringVar(&f.opts.Directory, "dev-dir", "", "`DIRECTORY` to keep data in between development runs (default: a temporary one)")
	fl.StringVar(&f.opts.IAMFile, "iam", "", "IAM `FILE` (TOML) in development mode (default: a built-in one)")
	fl.StringVar(&f.opts.AuditFile, "audit-file", "", "audit log `FILE` in development mode (default: audit.log beside the data)")
	fl.BoolVar(&f.opts.Debug, "debug", false, "log more in development mode")
	return c
}

// settings returns the settings that the flags ask for.
func (f *serverFlags) settings() (*config.Config, error) {
	switch {
	case f.dev && f.config != "":
		return nil, errors.New("-dev and -config exclude each other: development mode has its own settings")
	case f.dev:
		return config.Dev(f.fromEnv())
	case f.config == "":
		return nil, errors.New("no settings: give -config=FILE, or -dev to try things out")
	case f.opts != config.DevOptions{}:
		return nil, errors.New("-dev-root-token-id, -dev-listen-address, -dev-kv-v1, -dev-dir, -iam, -audit-file and -debug belong to -dev: write these settings into the file of -config")
	}
	return config.Load(f.config)
}

// fromEnv returns the options of development mode, with variables in place of
// flags that were not given.
func (f *serverFlags) fromEnv() config.DevOptions {
	o := f.opts
	if o.RootToken == "" {
		o.RootToken, _ = f.env.Get(names("DEV_ROOT_TOKEN_ID")...)
	}
	if o.ListenAddress == "" {
		o.ListenAddress, _ = f.env.Get(names("DEV_LISTEN_ADDRESS")...)
	}
	return o
}

func (f *serverFlags) run(ctx context.Context, out, errOut io.Writer) error {
	cfg, err := f.settings()
	if err != nil {
		return err
	}
	if cfg.Storage.Temporary {
		defer func() { _ = os.RemoveAll(cfg.Storage.Directory) }()
	}
	level := new(slog.LevelVar)
	level.Set(cfg.Log.Level)
	log := newLog(errOut, cfg.Log.JSON, level)
	for _, w := range cfg.Warnings {
		log.Warn(w)
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	tuneCollector(ctx)
	// A reader of standard output or error that goes away must not end the
	// server: an audit line that cannot be written is refused like any other.
	signal.Ignore(syscall.SIGPIPE)
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // from here on SIGHUP no longer ends the process
	defer signal.Stop(hup)
	s, err := server.New(ctx, cfg, server.Options{Log: log, LogLevel: level})
	if err != nil {
		return err
	}
	go reloadOnHangup(ctx, hup, s, log)
	greet(out, cfg, s)
	return s.Run(ctx)
}

func newLog(w io.Writer, asJSON bool, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if asJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// reloadOnHangup reloads on each SIGHUP until the context ends.
func reloadOnHangup(ctx context.Context, hup <-chan os.Signal, s *server.Server, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
		}
		if err := s.Reload(ctx); err != nil {
			log.Error("reload: what could not be read stays as it was", "error", err)
			continue
		}
		log.Info("reloaded")
	}
}

// greet says where the server is and, in development mode, what to paste next.
func greet(w io.Writer, cfg *config.Config, s *server.Server) {
	urls := s.URLs()
	fmt.Fprintf(w, "jotgate %s listens on %s\n", config.Version, strings.Join(urls, " and "))
	if s.Sealed() {
		fmt.Fprintln(w, "It is sealed: run \"jotgate operator init\" once, then \"jotgate operator unseal\" on each node.")
	}
	if !cfg.Dev {
		return
	}
	vault, pvault := fromHere(urls[0]), fromHere(urls[len(urls)-1])
	token := s.DevRootToken()
	if token == "" {
		token = "<the root token of the first start>"
	}
	fmt.Fprintf(w, `
Development mode: plain HTTP, well-known keys. Data is in %s
Root Token: %s

Paste this into another terminal:

    export PATH="$PWD/bin:$PATH"
    export VAULT_ADDR=%s VAULT_TOKEN=%s
    export PVAULT_ADDR=%s PVAULT_AUTH_TOKEN=%s

    jotgate status
    jotgate kv put secret/hello answer=42
    jotgate kv get secret/hello
    pvault version
`, cfg.Storage.Directory, token, vault, token, pvault, config.DevAdminKey)
}

// fromHere is the URL by which a client on this machine reaches a server that
// listens on every address: "[::]" is nowhere to connect to.
func fromHere(url string) string {
	for _, every := range []string{"//[::]:", "//0.0.0.0:"} {
		url = strings.Replace(url, every, "//127.0.0.1:", 1)
	}
	return url
}
