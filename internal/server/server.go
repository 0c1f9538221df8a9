package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotgate/jotgate/internal/api/pvaultapi"
	"github.com/jotgate/jotgate/internal/api/vaultapi"
	"github.com/jotgate/jotgate/internal/audit"
	"github.com/jotgate/jotgate/internal/config"
	"github.com/jotgate/jotgate/internal/jwks"
	"github.com/jotgate/jotgate/internal/metrics"
	"github.com/jotgate/jotgate/internal/seal"
	"github.com/jotgate/jotgate/internal/storage"
)

// Options are what a test or an embedding program sets. The zero value is what
// the command uses.
type Options struct {
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: discards
	LogLevel *slog.LevelVar   // what sys/loggers and the pvault door's log_level set; nil: nothing

	DatabaseTimeout time.Duration // for one transaction of a database; 0: the driver's own
}

// Server is one node. Build it with New, start it with Run.
type Server struct {
	cfg     *config.Config
	now     func() time.Time
	log     *slog.Logger
	level   *slog.LevelVar
	driver  storage.Store
	barrier *seal.Barrier

	// unsealKey is kept only by a node that unseals itself, to initialise a
	// store that has no root key yet.
	unsealKey []byte
	devRoot   string // root token that development mode made

	metrics *metrics.Metrics
	counted atomic.Pointer[audit.Broker] // audit, for the metrics
	fetched atomic.Pointer[jwks.Client]  // the sources of keys, for the metrics

	vault  *vaultapi.Door
	pvault atomic.Pointer[pvaultapi.Door] // nil while sealed

	mu      sync.Mutex // one change of the seal at a time
	open    *unsealed  // nil while sealed
	copying sync.Mutex // one snapshot at a time

	audit *audit.Broker // of the last unseal; open until the next

	listeners []*listener
	certs     []*certificate
}

// New opens the store and, where the node has the key, unseals it. It listens
// on its addresses, but answers only once Run is called. On an error nothing is
// left open.
func New(ctx context.Context, cfg *config.Config, o Options) (*Server, error) {
	s := &Server{cfg: cfg, now: o.Now, log: o.Log, level: o.LogLevel}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.metrics = metrics.New(metrics.Options{Version: config.Version, Sealed: s.Sealed, Audit: s.auditStats, Keys: s.keyStats})
	if err := s.start(ctx, o.DatabaseTimeout); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, databaseTimeout time.Duration) (err error) {
	if err := s.listen(); err != nil {
		return err
	}
	if s.driver, err = openStorage(ctx, s.cfg.Storage, databaseTimeout, s.now, s.log); err != nil {
		return err
	}
	if s.unsealKey, err = unsealKey(s.cfg.Seal); err != nil {
		return err
	}
	s.barrier, err = seal.Open(ctx, s.driver, seal.Options{Key: s.unsealKey, Now: s.now, Logger: s.log})
	if err != nil {
		return s.sealProblem(err)
	}
	s.vault = vaultapi.New(vaultapi.Options{
		Sealer: sealer{s}, Log: s.log, Now: s.now,
		Emergency: s.cfg.Vault.OpenGenerateRoot,
		LogLevel:  s.level, Settings: vaultSettings(s.cfg),
		Info: vaultapi.Info{Version: config.Version, BuildDate: config.BuildDate(), StorageType: s.cfg.Storage.Type},
	})
	return s.begin(ctx)
}

// begin initialises and unlocks a node that may do both by itself.
func (s *Server) begin(ctx context.Context) error {
	st, err := s.barrier.Status(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !st.Initialized && s.cfg.Dev {
		if _, err := s.barrier.Init(ctx, seal.InitOptions{Key: s.unsealKey}); err != nil {
			return err
		}
		st.Sealed = false
	}
	if st.Sealed || s.barrier.Sealed() {
		return nil // an operator brings the shares, or initialises over the API
	}
	if s.cfg.Dev {
		if err := s.beginDev(ctx); err != nil {
			return err
		}
	}
	return s.unlock(ctx)
}

// unsealKey returns the key that the node brings itself, or nil.
func unsealKey(c config.Seal) ([]byte, error) {
	switch c.Type {
	case config.SealEnv:
		key, err := seal.KeyFromEnvironment(c.KeyEnv)
		if err == nil && key == nil {
			err = fmt.Errorf("the environment variable %s holds no unseal key: set it, or choose another seal", c.KeyEnv)
		}
		return key, err
	case config.SealKeyFile:
		if c.CreateKey {
			return devKey(c.KeyFile)
		}
		return seal.ReadKeyFile(c.KeyFile)
	}
	return nil, nil
}

func (s *Server) sealProblem(err error) error {
	if errors.Is(err, seal.ErrWrongKey) {
		from := "environment variable " + s.cfg.Seal.KeyEnv
		if s.cfg.Seal.Type == config.SealKeyFile {
			from = s.cfg.Seal.KeyFile
		}
		return fmt.Errorf("the unseal key in %s belongs to another store: bring the key that was used when this store was initialised (nothing was changed)", from)
	}
	return err
}

func (s *Server) listen() error {
	for _, l := range s.cfg.Listeners {
		var cert *certificate
		if l.TLS() {
			var err error
			if cert, err = loadCertificate(l.CertFile, l.KeyFile); err != nil {
				return err
			}
			s.certs = append(s.certs, cert)
		}
		var d doors
		if l.Vault {
			d.vault = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.vault.ServeHTTP(w, r) })
		}
		if l.Pvault {
			d.pvault = http.HandlerFunc(s.servePvault)
		}
		ln, err := listen(l, s.cfg.Limits, d, cert, s.log)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, ln)
	}
	return nil
}

// servePvault answers for the pvault door while the server is sealed.
func (s *Server) servePvault(w http.ResponseWriter, r *http.Request) {
	if d := s.pvault.Load(); d != nil {
		d.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte(`{"error_code":"PV1010","message":"The vault is sealed.","context":{}}` + "\n"))
}

// URLs returns where the server listens, such as "http://127.0.0.1:8200".
func (s *Server) URLs() []string {
	var out []string
	for _, l := range s.listeners {
		out = append(out, l.url)
	}
	return out
}

// Sealed reports whether the doors are closed.
func (s *Server) Sealed() bool { return s.vault.Runtime() == nil }

// auditStats are the counts of the audit devices since the last unseal.
func (s *Server) auditStats() audit.Stats {
	if b := s.counted.Load(); b != nil {
		return b.Stats()
	}
	return audit.Stats{}
}

// keyStats are the sources of keys since the last unseal.
func (s *Server) keyStats() jwks.Stats {
	if c := s.fetched.Load(); c != nil {
		return c.Stats()
	}
	return jwks.Stats{}
}

// Run answers requests until the context ends or a listener fails, lets running
// requests finish, and closes everything.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make(chan error, len(s.listeners))
	for _, l := range s.listeners {
		go func() { errs <- l.serve(ctx, s.cfg.Limits.ShutdownTimeout) }()
	}
	var all error
	for range s.listeners {
		if err := <-errs; err != nil && !errors.Is(err, http.ErrServerClosed) {
			all = errors.Join(all, err)
		}
		cancel() // one listener down: the others follow
	}
	return errors.Join(all, s.Close())
}

// Reload reads certificates and the IAM file anew and opens the audit files
// again, as after a log rotation. What cannot be read stays as it was, and the
// error says why.
func (s *Server) Reload(ctx context.Context) error {
	var all error
	for _, c := range s.certs {
		all = errors.Join(all, c.reload())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil {
		all = errors.Join(all, s.open.reload(ctx))
	}
	return all
}

// Close ends everything that New opened. It may be called more than once.
func (s *Server) Close() error {
	var all error
	for _, l := range s.listeners {
		all = errors.Join(all, l.close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil {
		s.vault.Lock()
		s.pvault.Store(nil)
		s.open.close()
		s.open = nil
	}
	s.closeAudit()
	switch {
	case s.barrier != nil:
		all = errors.Join(all, s.barrier.Close())
	case s.driver != nil:
		all = errors.Join(all, s.driver.Close())
	}
	s.barrier, s.driver = nil, nil
	return all
}
