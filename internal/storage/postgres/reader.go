package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	selectNodes = "SELECT node FROM jotgate_nodes"
	selectLow   = "SELECT low FROM jotgate_changes WHERE node = $1 ORDER BY seq DESC LIMIT 1"
	selectAbove = "SELECT seq, low, ks FROM jotgate_changes WHERE node = $1 AND seq > $2 ORDER BY seq LIMIT $3"
)

// pollLimit bounds how many changes of one node one poll takes.
const pollLimit = 5000

// reader follows the changes of the other nodes. One goroutine uses it.
type reader struct {
	at   map[int64]*place
	last time.Time // of the last complete poll, by the database's clock
}

// place is how far one node's changes were read: all up to low, and those in
// had above it.
type place struct {
	low int64
	had map[int64]struct{}
}

// position starts at the present: nothing that is decided by now is told.
func (r *reader) position(ctx context.Context, s *Store) error {
	r.at = map[int64]*place{}
	r.last = s.clock.now()
	nodes, err := r.others(ctx, s)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		rows, err := s.pool.Query(ctx, selectLow, node)
		if err != nil {
			return err
		}
		lows, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		p := &place{had: map[int64]struct{}{}}
		if len(lows) > 0 {
			p.low = lows[0]
		}
		r.at[node] = p
	}
	return nil
}

func (r *reader) others(ctx context.Context, s *Store) ([]int64, error) {
	rows, err := s.pool.Query(ctx, selectNodes)
	if err != nil {
		return nil, err
	}
	nodes, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, err
	}
	self := s.journal.Load().node
	others := nodes[:0]
	for _, n := range nodes {
		if n != self {
			others = append(others, n)
		}
	}
	return others, nil
}

// poll tells the watchers what the other nodes have changed. more is true when
// it left some for the next call.
func (r *reader) poll(ctx context.Context, s *Store) (more bool, err error) {
	if err := s.settle(ctx); err != nil {
		return false, err
	}
	now := s.clock.now()
	if now.Sub(r.last) > keepChanges/2 {
		// This node slept for so long that rows may be gone which it never saw.
		s.watchers.ChangedUnknown()
	}
	nodes, err := r.others(ctx, s)
	if err != nil {
		return false, err
	}
	r.follow(nodes)
	if len(nodes) == 0 {
		r.last = now
		return false, nil
	}
	var batch pgx.Batch
	for _, n := range nodes {
		batch.Queue(selectAbove, n, r.at[n].low, pollLimit)
	}
	results := s.pool.SendBatch(ctx, &batch)
	defer func() { _ = results.Close() }()
	for _, n := range nodes {
		rows, err := results.Query()
		if err != nil {
			return false, err
		}
		full, err := r.at[n].read(rows, s)
		if err != nil {
			return false, err
		}
		more = more || full
	}
	r.last = now
	return more, nil
}

// follow keeps a place for each node on the list and for no other. A node that
// was not there before began with number 1.
func (r *reader) follow(nodes []int64) {
	listed := make(map[int64]bool, len(nodes))
	for _, n := range nodes {
		listed[n] = true
		if r.at[n] == nil {
			r.at[n] = &place{had: map[int64]struct{}{}}
		}
	}
	for n := range r.at {
		if !listed[n] {
			delete(r.at, n)
		}
	}
}

// read takes one node's rows in order of their numbers.
func (p *place) read(rows pgx.Rows, s *Store) (full bool, err error) {
	defer rows.Close()
	low, count, last := p.low, 0, p.low
	for rows.Next() {
		var seq, rowLow int64
		var packed []byte
		if err := rows.Scan(&seq, &rowLow, &packed); err != nil {
			return false, err
		}
		count, last, low = count+1, seq, max(low, rowLow)
		if _, had := p.had[seq]; had || packed == nil {
			continue
		}
		p.had[seq] = struct{}{}
		if keys := unpack(packed); len(keys) > 0 {
			s.watchers.Changed(keys)
		} else {
			s.watchers.ChangedUnknown()
		}
	}
	if err := rows.Err(); err != nil {
		return false, err
	}
	full = count == pollLimit
	if full {
		low = min(low, last) // what is above last was not in this answer
	}
	p.low = low
	for seq := range p.had {
		if seq <= low {
			delete(p.had, seq)
		}
	}
	return full, nil
}
