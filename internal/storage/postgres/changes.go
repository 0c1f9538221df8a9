package postgres

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// How a change reaches the watchers of other nodes.
//
// Each transaction that writes also inserts one row into jotgate_changes: the
// node's id, the next of the node's own numbers, and the keys. Transactions
// commit in another order than they take numbers in, so a reader that only
// remembered the highest number would miss the late ones. But a node knows
// which of its numbers are decided, kept or not, and writes into each row the
// number up to which all are: low. A reader reads everything above the highest
// low that it has seen and skips what it had before. Nothing is missed however
// late a commit is, no clock is trusted, and writers do not queue for a
// counter.
//
// A number whose commit got no answer stays undecided until the node has tried
// to insert an empty row under it. The primary key makes that wait for the
// lost transaction and then says whether it was kept.

const (
	// The subselect turns a node that was written off into a NULL, which the
	// column refuses, so that the commit behind it fails too.
	insertChange = "INSERT INTO jotgate_changes (node, seq, low, ks) VALUES ((SELECT node FROM jotgate_nodes WHERE node = $1), $2, $3, $4)"
	insertEmpty  = "INSERT INTO jotgate_changes (node, seq, low, ks) VALUES ($1, $2, $3, NULL) ON CONFLICT (node, seq) DO NOTHING"
	insertNode   = "INSERT INTO jotgate_nodes (node, seen) VALUES ($1, $2)"
)

// maxPacked is how many bytes of keys one row names. A larger change names
// none and tells the watchers that anything may have changed.
const maxPacked = 64 << 10

// journal numbers the changes of this node.
type journal struct {
	node int64

	mu        sync.Mutex
	next      int64
	undecided map[int64]*entry
	doubtful  []*entry // undecided, and their transaction is gone
}

// entry is one numbered change. It is undecided until decide is called.
type entry struct {
	node, seq, low int64
	packed         []byte // empty: too many keys to name
	names          []string
}

// open takes the next number for a change of the keys.
func (j *journal) open(keys []string) *entry {
	names := slices.Clone(keys)
	packed := pack(names)
	j.mu.Lock()
	defer j.mu.Unlock()
	e := &entry{node: j.node, seq: j.next, low: j.lowLocked(), packed: packed, names: names}
	j.next++
	j.undecided[e.seq] = e
	return e
}

// decide says that the outcome of the entry's transaction is settled.
func (j *journal) decide(e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.undecided, e.seq)
}

// low returns the number up to which all are decided.
func (j *journal) low() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lowLocked()
}

func (j *journal) lowLocked() int64 {
	low := j.next - 1
	for seq := range j.undecided {
		low = min(low, seq-1)
	}
	return low
}

func (j *journal) doubt(e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.doubtful = append(j.doubtful, e)
}

func (j *journal) takeDoubtful() []*entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := j.doubtful
	j.doubtful = nil
	return list
}

func (e *entry) keys() [][]byte {
	out := make([][]byte, len(e.names))
	for i, n := range e.names {
		out[i] = []byte(n)
	}
	return out
}

// pack writes each key with its length before it.
func pack(keys []string) []byte {
	out := []byte{} // not nil: that is NULL, an entry that was not kept
	for _, k := range keys {
		out = binary.AppendUvarint(out, uint64(len(k)))
		out = append(out, k...)
		if len(out) > maxPacked {
			return []byte{}
		}
	}
	return out
}

// unpack is the inverse of pack. It returns nil for a row that it cannot read.
func unpack(packed []byte) (keys [][]byte) {
	for len(packed) > 0 {
		n, size := binary.Uvarint(packed)
		if size <= 0 || n > uint64(len(packed)-size) {
			return nil
		}
		end := size + int(n) // bounded by the line above
		keys = append(keys, bytes.Clone(packed[size:end]))
		packed = packed[end:]
	}
	return keys
}

func nodeGone(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == notNullViolation && pg.TableName == "jotgate_changes" {
		return errNodeGone
	}
	return err
}

// register puts this node on the list under a fresh id.
func (s *Store) register(ctx context.Context) error {
	var id [8]byte
	_, _ = rand.Read(id[:])
	j := &journal{
		node:      int64(binary.BigEndian.Uint64(id[:]) >> 1), // 63 bits
		next:      1,
		undecided: map[int64]*entry{},
	}
	if _, err := s.pool.Exec(ctx, insertNode, j.node, s.clock.now().UnixMicro()); err != nil {
		return err
	}
	s.journal.Store(j)
	return nil
}

// registerAgain replaces the journal of a node that was written off. The one
// that is given is the one that failed: another caller may have been faster.
func (s *Store) registerAgain(ctx context.Context, gone *journal) error {
	s.enrol.Lock()
	defer s.enrol.Unlock()
	if s.journal.Load() != gone {
		return nil
	}
	// While this node was off the list it may have missed what others did too.
	s.watchers.ChangedUnknown()
	return s.register(ctx)
}

// inquireTime bounds the question whether a commit was kept.
const inquireTime = 3 * time.Second

// inquire finds out whether the entry's transaction was kept. If that cannot
// be learnt now, the background asks on.
func (s *Store) inquire(ctx context.Context, e *entry) (kept, known bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), inquireTime)
	defer cancel()
	for attempt := 1; ; attempt++ {
		tag, err := s.pool.Exec(ctx, insertEmpty, e.node, e.seq, e.low)
		if err == nil {
			s.decided(e)
			return tag.RowsAffected() == 0, true
		}
		if !pause(ctx, attempt+4) {
			s.journal.Load().doubt(e)
			return false, false
		}
	}
}

// decided settles the entry with the journal it came from, if that is still
// the one in use.
func (s *Store) decided(e *entry) {
	if j := s.journal.Load(); j.node == e.node {
		j.decide(e)
	}
}

// settle asks again about commits whose outcome is unknown.
func (s *Store) settle(ctx context.Context) error {
	j := s.journal.Load()
	list := j.takeDoubtful()
	for i, e := range list {
		tag, err := s.pool.Exec(ctx, insertEmpty, e.node, e.seq, e.low)
		if err != nil {
			for _, rest := range list[i:] {
				j.doubt(rest)
			}
			return err
		}
		s.decided(e)
		if tag.RowsAffected() == 0 {
			s.watchers.Changed(e.keys())
		}
	}
	return nil
}
