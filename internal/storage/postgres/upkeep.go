package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jotgate/jotgate/internal/storage/driver"
)

const (
	touchNode    = "UPDATE jotgate_nodes SET seen = $2 WHERE node = $1"
	pruneOwn     = "DELETE FROM jotgate_changes WHERE node = $1 AND seq > $2 AND seq <= $3"
	selectDead   = "SELECT node FROM jotgate_nodes WHERE seen < $1 LIMIT 1"
	pruneDead    = "DELETE FROM jotgate_changes WHERE node = $1 AND seq IN (SELECT seq FROM jotgate_changes WHERE node = $1 ORDER BY seq LIMIT $2)"
	removeDead   = "DELETE FROM jotgate_nodes WHERE node = $1 AND seen < $2 AND NOT EXISTS (SELECT 1 FROM jotgate_changes WHERE node = $1)"
	sweepExpired = "DELETE FROM jotgate_kv WHERE expires <= $1 AND k IN (SELECT k FROM jotgate_kv WHERE expires <= $1 ORDER BY expires LIMIT $2)"
	selectClock  = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
)

const (
	// heartbeatEvery is the pause between two signs of life.
	heartbeatEvery = 10 * time.Second
	// keepChanges is how long a change stays readable after it was decided. A
	// node that did not read for half of it tells its watchers that anything
	// may have changed.
	keepChanges = 2 * time.Minute
	// deadAfter is how long a node may be silent before others remove it.
	deadAfter = time.Hour
	// pruneBatch and sweepBatch keep each removal short.
	pruneBatch = 5000
	sweepBatch = 256
)

// mark remembers that all numbers up to low were decided at an instant.
type mark struct {
	at  time.Time
	low int64
}

// pruner removes this node's old changes. One goroutine uses it.
type pruner struct {
	node  int64
	done  int64 // everything up to it is removed
	marks []mark
}

// heartbeat tells that this node is alive, follows the database's clock and
// removes what nobody needs any more.
func (s *Store) heartbeat(ctx context.Context) (more bool, err error) {
	if err := s.clock.sample(ctx, s.pool); err != nil {
		return false, err
	}
	j := s.journal.Load()
	tag, err := s.pool.Exec(ctx, touchNode, j.node, s.clock.now().UnixMicro())
	if err != nil {
		return false, err
	}
	if tag.RowsAffected() == 0 { // written off while it slept
		return false, s.registerAgain(ctx, j)
	}
	if err := s.prune(ctx, j); err != nil {
		return false, err
	}
	return s.removeDead(ctx)
}

// prune removes those of this node's changes that were decided long enough
// ago for every reader to have seen them.
func (s *Store) prune(ctx context.Context, j *journal) error {
	p := &s.pruner
	if p.node != j.node {
		*p = pruner{node: j.node}
	}
	now := s.clock.now()
	p.marks = append(p.marks, mark{now, j.low()})
	for len(p.marks) > 0 && now.Sub(p.marks[0].at) > keepChanges {
		for p.done < p.marks[0].low {
			to := min(p.done+pruneBatch, p.marks[0].low)
			if _, err := s.pool.Exec(ctx, pruneOwn, p.node, p.done, to); err != nil {
				return err
			}
			p.done = to
		}
		p.marks = p.marks[1:]
	}
	return nil
}

// removeDead removes the traces of one node that was silent for long. The last
// step is serializable: a node that wakes up at this very moment and writes
// either comes first and stays, or finds itself written off.
func (s *Store) removeDead(ctx context.Context) (more bool, err error) {
	cutoff := s.clock.now().Add(-deadAfter).UnixMicro()
	var node int64
	err = s.pool.QueryRow(ctx, selectDead, cutoff).Scan(&node)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	tag, err := s.pool.Exec(ctx, pruneDead, node, pruneBatch)
	if err != nil {
		return false, err
	}
	if tag.RowsAffected() == pruneBatch {
		return true, nil
	}
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.Serializable}, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, removeDead, node, cutoff)
		return err
	})
	if retryable(err) {
		return false, nil // another node was faster, or the dead one lives
	}
	return err == nil, err
}

// Sweep removes up to 256 expired keys and returns how many. The store calls
// it by itself; tests that own the clock call it at will. Any number of nodes
// may sweep at once: the outer condition looks again at a key that was renewed
// in between.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	tag, err := s.pool.Exec(ctx, sweepExpired, driver.Expiry(s.now()), sweepBatch)
	if retryable(err) {
		return 0, nil // others sweep or renew the same keys
	}
	if err != nil {
		return 0, err
	}
	return int(tag.RowsAffected()), nil
}

// clock follows the database's clock without asking it each time: a sample is
// carried on by this machine's monotonic clock, which no adjustment moves.
type clock struct {
	mu   sync.Mutex
	base time.Time // the database's time at local
	at   time.Time // with the monotonic reading
	trip time.Duration
	last time.Time // the latest answer: small corrections never go back
}

// maxStep is how far a correction may turn the clock back before it is
// believed to be the database's own clock that was set back.
const maxStep = time.Second

// sampleAge is when a sample is replaced even by one with a longer round trip.
const sampleAge = 5 * time.Minute

func (c *clock) sample(ctx context.Context, pool *pgxpool.Pool) error {
	sent := time.Now()
	var micros int64
	if err := pool.QueryRow(ctx, selectClock).Scan(&micros); err != nil {
		return err
	}
	trip := time.Since(sent)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() || trip <= c.trip || sent.Sub(c.at) > sampleAge {
		c.base, c.at, c.trip = time.UnixMicro(micros).UTC(), sent.Add(trip/2), trip
	}
	return nil
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.base.Add(time.Since(c.at))
	if back := c.last.Sub(now); back > 0 && back < maxStep {
		return c.last
	}
	c.last = now
	return now
}
