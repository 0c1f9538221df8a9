package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/driver"
)

// Defaults of Options.
const (
	DefaultMaxConns = 16
	DefaultTimeout  = 10 * time.Second
	DefaultPoll     = 500 * time.Millisecond
	DefaultSweep    = 5 * time.Second
)

// Options are the settings of a store. The zero value is what production uses.
type Options struct {
	// Now is the clock that expiry is judged by; nil is the database's.
	Now func() time.Time
	// MaxConns bounds the connections of this node; 0 is pool_max_conns of the
	// connection string, or DefaultMaxConns.
	MaxConns int32
	// Timeout bounds one transaction with all its attempts; 0 is DefaultTimeout.
	Timeout time.Duration
	// PollEvery is the pause between looks at what other nodes changed; 0 is
	// DefaultPoll.
	PollEvery time.Duration
	// SweepEvery is the pause between removals of expired keys; 0 is
	// DefaultSweep, negative leaves it to calls of Sweep.
	SweepEvery time.Duration
	// Logger takes what happens in the background; nil discards it.
	Logger *slog.Logger

	dial pgconn.DialFunc // a field so that tests can break connections
}

// Store is an open database. It implements storage.Store and
// storage.Versioned.
type Store struct {
	pool     *pgxpool.Pool
	now      func() time.Time
	log      *slog.Logger
	timeout  time.Duration
	life     driver.Life
	watchers driver.Watchers
	clock    clock
	journal  atomic.Pointer[journal]
	enrol    sync.Mutex // one registration at a time
	crowd    crowd
	reader   reader
	pruner   pruner

	stop    context.CancelFunc
	running sync.WaitGroup
}

// Compile-time proof of the contracts.
var (
	_ storage.Store     = (*Store)(nil)
	_ storage.Versioned = (*Store)(nil)
)

// Open connects to the database that dsn names, as a URL or as key=value
// words, and brings its schema up to date. It returns storage.ErrUnavailable
// when the database does not answer.
func Open(ctx context.Context, dsn string, o Options) (*Store, error) {
	s := &Store{now: o.Now, log: o.Logger, timeout: o.Timeout}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.timeout <= 0 {
		s.timeout = DefaultTimeout
	}
	if s.now == nil {
		s.now = s.clock.now
	}
	config, err := poolConfig(dsn, o, s.timeout)
	if err != nil {
		return nil, err
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, s.translate(ctx, err)
	}
	if err := s.prepare(ctx, config); err != nil {
		s.pool.Close()
		return nil, err
	}
	s.startLoops(o)
	return s, nil
}

// prepare does what has to be done before the first transaction.
func (s *Store) prepare(ctx context.Context, config *pgxpool.Config) error {
	if err := s.pool.Ping(ctx); err != nil {
		return s.translate(ctx, err)
	}
	if err := migrate(ctx, config.ConnConfig); err != nil {
		return s.translate(ctx, err)
	}
	if err := s.clock.sample(ctx, s.pool); err != nil {
		return s.translate(ctx, err)
	}
	if err := s.register(ctx); err != nil {
		return s.translate(ctx, err)
	}
	if err := s.reader.position(ctx, s); err != nil {
		return s.translate(ctx, err)
	}
	return nil
}

// poolConfig never lets a word of dsn into an error: it may hold a password.
func poolConfig(dsn string, o Options, timeout time.Duration) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fault.New(fault.Invalid,
			"the PostgreSQL connection string cannot be read: write postgres://user:password@host:5432/database?sslmode=verify-full")
	}
	switch {
	case o.MaxConns > 0:
		config.MaxConns = o.MaxConns
	case !strings.Contains(dsn, "pool_max_conns"):
		config.MaxConns = DefaultMaxConns
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "jotgate"
	}
	config.ConnConfig.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {}
	config.MaxConnLifetimeJitter = config.MaxConnLifetime / 10
	if o.dial != nil {
		config.ConnConfig.DialFunc = o.dial
	}
	config.AfterConnect = sessionLimits(timeout)
	return config, nil
}

// View implements storage.Store.
func (s *Store) View(ctx context.Context, fn func(storage.ReadTx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.Leave()
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.view(limited, true, fn)
	if errors.Is(err, errMoved) {
		err = s.view(limited, false, fn)
	}
	if err == nil || isOwn(err) {
		return unwrapOwn(err)
	}
	return s.translate(ctx, err)
}

// view runs fn once.
func (s *Store) view(ctx context.Context, peeks bool, fn func(storage.ReadTx) error) error {
	t := &tx{store: s, ctx: ctx, begin: beginView, now: s.now(), retries: firstReadRetries, peeks: peeks}
	defer s.finishView(t) // also after a panic
	err := fn(t)
	if t.err != nil { // whatever fn made of it
		return t.err
	}
	if err != nil {
		return &ownError{err}
	}
	return nil
}

// finishView ends the transaction, if one was begun behind the caller's back:
// nothing that it read depends on how that goes.
func (s *Store) finishView(t *tx) {
	t.ended = true
	if !t.begun {
		t.rollback() // gives the connection back
		return
	}
	s.running.Go(t.rollback)
}

// Update implements storage.Store.
func (s *Store) Update(ctx context.Context, fn func(storage.Tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.life.Leave()
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var err error
	for attempt := range maxAttempts {
		if attempt > 0 && !pause(limited, attempt) {
			break
		}
		var again bool
		j := s.journal.Load()
		if again, err = s.among(limited, attempt, j, fn); !again {
			break
		}
		if errors.Is(err, errNodeGone) {
			if err := s.registerAgain(limited, j); err != nil {
				return s.translate(ctx, err)
			}
		}
	}
	if err == nil || isOwn(err) {
		return unwrapOwn(err)
	}
	return s.translate(ctx, err)
}

// ownError marks an error of the caller's function, which is returned as it is.
type ownError struct{ err error }

func (e *ownError) Error() string { return e.err.Error() }

func isOwn(err error) bool { _, ok := err.(*ownError); return ok } //nolint:errorlint // never wrapped

func unwrapOwn(err error) error {
	if own, ok := err.(*ownError); ok { //nolint:errorlint // never wrapped
		return own.err
	}
	return err
}

// firstReadRetries is how often a read-only transaction that has shown its
// function nothing yet is begun again on another connection.
const firstReadRetries = 2

// among is attempt, beside others of this node or, for one that keeps
// colliding, without them.
func (s *Store) among(ctx context.Context, attempt int, j *journal, fn func(storage.Tx) error) (again bool, err error) {
	defer s.crowd.enter(attempt)() // also after a panic
	return s.attempt(ctx, j, fn)
}

// attempt runs the transaction once. again is true when nothing was kept and
// another attempt may go better.
func (s *Store) attempt(ctx context.Context, j *journal, fn func(storage.Tx) error) (again bool, err error) {
	t := &tx{store: s, journal: j, ctx: ctx, begin: beginUpdate, now: s.now(), writable: true}
	defer func() {
		t.ended = true
		t.rollback() // whatever is still open, also after a panic
	}()
	err = fn(t)
	if t.err != nil { // whatever fn made of it
		return retryable(t.err) || broken(t.err), t.err
	}
	if err != nil {
		return false, &ownError{err}
	}
	return t.commit()
}

// Watch implements storage.Store. Changes by this node are told at once, those
// by others when the next poll sees them.
func (s *Store) Watch(prefix []byte, notify func(keys [][]byte)) (stop func()) {
	return s.watchers.Watch(prefix, notify)
}

// Close implements storage.Store. A second call returns storage.ErrClosed.
func (s *Store) Close() error {
	if !s.life.Close() {
		return storage.ErrClosed
	}
	s.stop()
	s.running.Wait()
	s.watchers.Close()
	s.pool.Close()
	return nil
}

func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.life.Enter() {
		return storage.ErrClosed
	}
	return nil
}

// startLoops starts the background work, each piece with a clock of its own.
func (s *Store) startLoops(o Options) {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	poll, sweep := o.PollEvery, o.SweepEvery
	if poll <= 0 {
		poll = DefaultPoll
	}
	if sweep == 0 {
		sweep = DefaultSweep
	}
	s.loop(ctx, poll, "reading the changes of other nodes", func(ctx context.Context) (bool, error) {
		return s.reader.poll(ctx, s)
	})
	s.loop(ctx, heartbeatEvery, "telling that this node is alive", s.heartbeat)
	if sweep > 0 {
		s.loop(ctx, sweep, "removing expired keys", func(ctx context.Context) (bool, error) {
			n, err := s.Sweep(ctx)
			return n == sweepBatch, err
		})
	}
}

// loop calls work with pauses around every, or at once while it says that
// there is more to do.
func (s *Store) loop(ctx context.Context, every time.Duration, what string, work func(context.Context) (more bool, err error)) {
	s.running.Go(func() {
		timer := time.NewTimer(every)
		defer timer.Stop()
		failing := false
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			limited, cancel := context.WithTimeout(ctx, s.timeout)
			more, err := work(limited)
			cancel()
			if err != nil && !failing && ctx.Err() == nil {
				s.log.Warn(what+" failed", "error", s.translate(ctx, err))
			}
			failing = err != nil
			if more && err == nil {
				timer.Reset(time.Millisecond)
			} else {
				timer.Reset(every*3/4 + rand.N(every/2)) //nolint:gosec // no secret
			}
		}
	})
}

// translate turns a failure of the driver or the database into one that the
// storage package names.
func (s *Store) translate(ctx context.Context, err error) error {
	var pg *pgconn.PgError
	var known *fault.Error
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("storage: %w", ctx.Err())
	case errors.As(err, &known):
		return err
	case retryable(err):
		return fmt.Errorf("%w: %w", storage.ErrConflict, err)
	case broken(err):
		return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	case errors.As(err, &pg) && pg.Code == undefinedTable:
		return fmt.Errorf("%w: %w", storage.ErrDamaged, err)
	}
	return fmt.Errorf("storage: %w", err)
}
