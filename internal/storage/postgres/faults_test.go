package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/postgres/pgtest"
)

// breaker makes one of the reads or writes of all its connections fail.
type breaker struct {
	mode  string
	count atomic.Int64
}

func (b *breaker) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &brittle{c, b}, nil
}

func (b *breaker) arm(at int64) { b.count.Store(at) }

func (b *breaker) hit(mode string) bool { return b.mode == mode && b.count.Add(-1) == 0 }

type brittle struct {
	net.Conn
	b *breaker
}

var errCut = errors.New("the wire was cut")

func (c *brittle) Read(p []byte) (int, error) {
	if c.b.hit("before read") {
		_ = c.Close()
		return 0, errCut
	}
	return c.Conn.Read(p)
}

func (c *brittle) Write(p []byte) (int, error) {
	if c.b.hit("before write") {
		_ = c.Close()
		return 0, errCut
	}
	n, err := c.Conn.Write(p)
	if c.b.hit("after write") {
		_ = c.Close()
		return 0, errCut
	}
	return n, err
}

func count(tx storage.ReadTx, key string) (int, error) {
	v, err := tx.Get([]byte(key))
	if errors.Is(err, storage.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(v))
}

func increment(key string) func(storage.Tx) error {
	return func(tx storage.Tx) error {
		n, err := count(tx, key)
		if err != nil {
			return err
		}
		return tx.Put([]byte(key), []byte(strconv.Itoa(n+1)), time.Time{})
	}
}

func read(t *testing.T, s storage.Store, key string) (n int) {
	t.Helper()
	err := s.View(ctx, func(tx storage.ReadTx) (err error) {
		n, err = count(tx, key)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// However the wire breaks, also between COMMIT and its answer, an Update that
// reports success happened exactly once; and with the database well it does
// report success.
func TestABrokenWireNeverDoublesOrLosesAnUpdate(t *testing.T) {
	dsn := pgtest.DSN(t)
	witness := open(t, dsn, Options{})
	for _, mode := range []string{"before read", "before write", "after write"} {
		t.Run(mode, func(t *testing.T) {
			b := &breaker{mode: mode}
			s := open(t, dsn, Options{dial: b.dial, MaxConns: 2, PollEvery: time.Hour})
			want := read(t, witness, "n")
			unbroken := false
			for n := int64(1); !unbroken; n++ {
				b.arm(n)
				if err := s.Update(ctx, increment("n")); err != nil {
					t.Fatalf("break %d: %v", n, err)
				}
				unbroken = b.count.Load() > 0
				b.arm(0)
				want++
				if got := read(t, witness, "n"); got != want {
					t.Fatalf("break %d: the counter is %d, want %d", n, got, want)
				}
				// Writes without a read go out with BEGIN and COMMIT at once.
				key := fmt.Sprintf("%s/%d", mode, n)
				b.arm(n)
				if err := s.Update(ctx, func(tx storage.Tx) error { return tx.Put([]byte(key), []byte("1"), time.Time{}) }); err != nil {
					t.Fatalf("break %d: %v", n, err)
				}
				b.arm(0)
				if got := read(t, witness, key); got != 1 {
					t.Fatalf("break %d: the write is not there", n)
				}
			}
		})
	}
}

func TestABrokenWireDoesNotReachTheFirstRead(t *testing.T) {
	b := &breaker{mode: "before read"}
	s := open(t, pgtest.DSN(t), Options{dial: b.dial, PollEvery: time.Hour})
	if err := s.Update(ctx, increment("n")); err != nil {
		t.Fatal(err)
	}
	b.arm(1)
	if n := read(t, s, "n"); n != 1 {
		t.Fatalf("got %d", n)
	}
}

// The server dies again and again under writers: what was acknowledged is
// there, and what was refused for good is not.
func TestServerDyingUnderLoadLosesNothing(t *testing.T) {
	server := pgtest.New(t)
	s := open(t, server.DSN(t), Options{Timeout: 30 * time.Second})
	const writers, each = 4, 150
	var done atomic.Int64
	var wg sync.WaitGroup
	kept := make([]map[int]bool, writers)
	for w := range writers {
		kept[w] = map[int]bool{}
		wg.Go(func() {
			for i := range each {
				key := fmt.Appendf(nil, "k/%d/%d", w, i)
				err := s.Update(ctx, func(tx storage.Tx) error {
					if _, err := tx.Get(key); !errors.Is(err, storage.ErrNotFound) {
						return fmt.Errorf("%s is there before it was written: %w", key, err)
					}
					return tx.Put(key, key, time.Time{})
				})
				switch {
				case err == nil:
					kept[w][i] = true
				case !errors.Is(err, storage.ErrUnavailable):
					t.Error(err)
				}
				done.Add(1)
			}
		})
	}
	for round := range int64(3) {
		for done.Load() < (round+1)*writers*each/5 {
			time.Sleep(time.Millisecond) // progress has no event
		}
		server.Kill()
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	total := 0
	for w := range writers {
		for i := range kept[w] {
			if err := s.View(ctx, func(tx storage.ReadTx) error { _, err := tx.Get(fmt.Appendf(nil, "k/%d/%d", w, i)); return err }); err != nil {
				t.Errorf("writer %d, number %d was acknowledged: %v", w, i, err)
			}
			total++
		}
	}
	t.Logf("%d of %d writes acknowledged over three crashes", total, writers*each)
	if total < writers*each/2 {
		t.Error("most writes were refused")
	}
}

func TestADeadServerIsUnavailableAndComesBack(t *testing.T) {
	server := pgtest.New(t)
	dsn := server.DSN(t)
	s := open(t, dsn, Options{Timeout: 10 * time.Second})
	server.Kill()
	for name, err := range map[string]error{
		"Update": s.Update(ctx, increment("n")),
		"View":   s.View(ctx, func(tx storage.ReadTx) error { _, err := count(tx, "n"); return err }),
		"Open":   openErr(dsn),
	} {
		if !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(ctx, increment("n")); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}

func openErr(dsn string) error {
	s, err := Open(ctx, dsn, Options{})
	if err == nil {
		_ = s.Close()
	}
	return err
}

// hung is a connection on which no answer ever comes.
type hung struct {
	net.Conn
	hang *atomic.Bool
}

func (h *hung) Read(p []byte) (int, error) {
	for {
		n, err := h.Conn.Read(p)
		if err != nil || !h.hang.Load() {
			return n, err
		}
	}
}

func TestAHungServerIsUnavailableInTime(t *testing.T) {
	var hang atomic.Bool
	s := open(t, pgtest.DSN(t), Options{Timeout: 2 * time.Second, dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, network, addr)
		return &hung{c, &hang}, err
	}})
	hang.Store(true)
	defer hang.Store(false)
	begin := time.Now()
	err := s.View(ctx, func(tx storage.ReadTx) error { _, err := count(tx, "n"); return err })
	if !errors.Is(err, storage.ErrUnavailable) || time.Since(begin) > time.Minute {
		t.Errorf("View: %v after %v", err, time.Since(begin))
	}
	begin = time.Now()
	if err = s.Update(ctx, increment("n")); !errors.Is(err, storage.ErrUnavailable) || time.Since(begin) > time.Minute {
		t.Errorf("Update: %v after %v", err, time.Since(begin))
	}
}

func TestACallerWhoGoesAwayGetsItsOwnError(t *testing.T) {
	s := open(t, pgtest.DSN(t), Options{})
	gone, cancel := context.WithCancel(ctx)
	err := s.Update(gone, func(tx storage.Tx) error {
		cancel()
		_, err := tx.Get([]byte("k"))
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestEndlessContentionEndsInErrConflict(t *testing.T) {
	dsn := pgtest.DSN(t)
	one, two := open(t, dsn, Options{}), open(t, dsn, Options{})
	attempts := 0
	err := one.Update(ctx, func(tx storage.Tx) error {
		attempts++
		if err := increment("n")(tx); err != nil {
			return err
		}
		return two.Update(ctx, increment("n")) // always in the way
	})
	if !errors.Is(err, storage.ErrConflict) || attempts != maxAttempts {
		t.Errorf("after %d attempts: %v", attempts, err)
	}
	if n := read(t, one, "n"); n != attempts {
		t.Errorf("the counter is %d after %d increments by the other", n, attempts)
	}
}

func TestAFunctionCannotHideThatItsReadFailed(t *testing.T) {
	dsn := pgtest.DSN(t)
	one, two := open(t, dsn, Options{}), open(t, dsn, Options{})
	attempts := 0
	err := one.Update(ctx, func(tx storage.Tx) error {
		attempts++
		if attempts > 1 {
			return tx.Put([]byte("done"), []byte("1"), time.Time{})
		}
		if _, err := count(tx, "n"); err != nil {
			return err
		}
		if err := two.Update(ctx, increment("n")); err != nil {
			return err
		}
		for i := range 3 { // what fails here is swallowed
			_ = increment("n")(tx)
			_, _ = tx.Scan(nil, nil, i+1)
		}
		return nil
	})
	if err != nil || attempts != 2 || read(t, one, "n") != 1 || read(t, one, "done") != 1 {
		t.Errorf("attempts %d, %v", attempts, err)
	}
}

func TestNoWordOfTheConnectionStringIsInAnError(t *testing.T) {
	for _, dsn := range []string{
		"postgres://user:s3cr3t@127.0.0.1:1/db?connect_timeout=1",
		"postgres://user:s3cr3t@[bad/db",
		"postgres://user:s3cr3t%zz@host/db",
		"postgres://user:s3c#r3t@host:port/db",
		"host=127.0.0.1 port=1 user=u password=s3cr3t connect_timeout=1",
		"host=127.0.0.1 port=x password='s3cr3t",
		"password = s3cr3t port=x",
		"s3cr3t",
		"postgres://user:s3cr3t@127.0.0.1/db?sslmode=s3cr3t",
		"postgres://user:s3cr3t@127.0.0.1/db?pool_max_conns=s3cr3t",
	} {
		limited, cancel := context.WithTimeout(ctx, 2*time.Second)
		s, err := Open(limited, dsn, Options{})
		cancel()
		if err == nil {
			_ = s.Close()
			t.Errorf("%q was taken", dsn)
			continue
		}
		if strings.Contains(err.Error(), "s3c") || strings.Contains(fmt.Sprintf("%+v", err), "s3c") {
			t.Errorf("%q: %v", dsn, err)
		}
	}
}
