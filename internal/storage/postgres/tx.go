package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/jotgate/jotgate/internal/storage"
	"github.com/jotgate/jotgate/internal/storage/driver"
)

const (
	beginView   = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
	beginUpdate = "BEGIN ISOLATION LEVEL SERIALIZABLE"

	selectOne = "SELECT v FROM jotgate_kv WHERE k = $1 AND (expires IS NULL OR expires > $2)"

	// Three bounds: greater than after, not less than the prefix, less than
	// what follows the prefix. The last is left out where nothing follows.
	selectRange = "SELECT k, v FROM jotgate_kv WHERE k > $1 AND k >= $2 AND k < $3 AND (expires IS NULL OR expires > $4) ORDER BY k LIMIT $5"
	selectRest  = "SELECT k, v FROM jotgate_kv WHERE k > $1 AND k >= $2 AND (expires IS NULL OR expires > $3) ORDER BY k LIMIT $4"

	upsert = "INSERT INTO jotgate_kv (k, v, expires) VALUES ($1, $2, $3) ON CONFLICT (k) DO UPDATE SET v = excluded.v, expires = excluded.expires"
	remove = "DELETE FROM jotgate_kv WHERE k = $1"

	commit   = "COMMIT"
	rollback = "ROLLBACK"
)

func limitSQL(milliseconds int64) string {
	ms := strconv.FormatInt(milliseconds, 10)
	return "SET idle_in_transaction_session_timeout = " + ms + "; SET statement_timeout = " + ms
}

// finishTime bounds the end of a transaction, which is done whether or not
// its caller is still there.
const finishTime = 5 * time.Second

var errEnded = errors.New("storage: transaction used after its function returned")

// errMoved makes a View run again: see tx.peek.
var errMoved = errors.New("storage: the first key changed before the second read")

// tx implements storage.ReadTx and storage.Tx. It takes a connection and
// begins with the first read; writes stay in buf until the commit.
type tx struct {
	store    *Store
	journal  *journal // numbers the changes; nil in a View
	ctx      context.Context
	begin    string
	now      time.Time
	writable bool
	ended    bool
	retries  int // how often the first read may move to another connection

	peeks bool     // the first Get may do without a transaction
	first *oneRead // what it saw

	conn  *pgxpool.Conn
	begun bool
	err   error // the first failure that was not ErrNotFound or a limit
	buf   driver.Buffer
}

// Now implements storage.ReadTx.
func (t *tx) Now() time.Time { return t.now }

func (t *tx) nowNS() int64 { return driver.Expiry(t.now) }

// Get implements storage.ReadTx.
func (t *tx) Get(key []byte) ([]byte, error) {
	if t.ended {
		return nil, errEnded
	}
	if err := driver.CheckKey(key); err != nil {
		return nil, err
	}
	if w, ok := t.buf.Get(key); ok {
		if w.Deleted || driver.Expired(w.Expires, t.nowNS()) {
			return nil, storage.ErrNotFound
		}
		return bytes.Clone(w.Value), nil
	}
	one := &oneRead{key: key}
	if t.peeks && t.first == nil && !t.begun {
		return t.peek(one)
	}
	if err := t.read(one.take, selectOne, key, t.nowNS()); err != nil {
		return nil, err
	}
	return one.answer()
}

// oneRead is one key with what was found under it.
type oneRead struct {
	key, value []byte
	found      bool
}

func (o *oneRead) take(rows pgx.Rows) error {
	o.found, o.value = false, nil
	for rows.Next() {
		o.found = true
		if err := rows.Scan(&o.value); err != nil {
			return err
		}
	}
	return nil
}

func (o *oneRead) answer() ([]byte, error) {
	if !o.found {
		return nil, storage.ErrNotFound
	}
	return o.value, nil
}

// peek answers the first Get of a View with a statement of its own, which for
// most Views is all they read: no BEGIN, no ROLLBACK. A second read begins the
// transaction and asks for the first key again in it; if the answer is another
// by then, the View runs once more, in a transaction from the start.
func (t *tx) peek(one *oneRead) ([]byte, error) {
	one.key = bytes.Clone(one.key)
	err := t.attempts(func() error {
		if err := t.connect(); err != nil {
			return err
		}
		rows, err := t.conn.Query(t.ctx, selectOne, one.key, t.nowNS())
		return consume(rows, err, one.take)
	})
	if err != nil {
		return nil, err
	}
	t.first = &oneRead{key: one.key, value: bytes.Clone(one.value), found: one.found}
	return one.answer()
}

// Scan implements storage.ReadTx.
func (t *tx) Scan(prefix, after []byte, limit int) ([]storage.Item, error) {
	if t.ended {
		return nil, errEnded
	}
	if limit <= 0 {
		return nil, fmt.Errorf("storage: scan with limit %d", limit)
	}
	return t.buf.Scan(prefix, after, limit, t.nowNS(), func(after []byte, limit int) ([]storage.Item, error) {
		return t.scan(prefix, after, limit)
	})
}

func (t *tx) scan(prefix, after []byte, limit int) ([]storage.Item, error) {
	if prefix == nil {
		prefix = []byte{} // nil would be NULL
	}
	if after == nil {
		after = []byte{}
	}
	sql, args := selectRest, []any{after, prefix, t.nowNS(), limit}
	if end := driver.PrefixEnd(prefix); end != nil {
		sql, args = selectRange, []any{after, prefix, end, t.nowNS(), limit}
	}
	var items []storage.Item
	err := t.read(func(rows pgx.Rows) error {
		items = nil
		for rows.Next() {
			var item storage.Item
			if err := rows.Scan(&item.Key, &item.Value); err != nil {
				return err
			}
			items = append(items, item)
		}
		return nil
	}, sql, args...)
	return items, err
}

// read runs a query, in one round trip with BEGIN if it is the first, and has
// take read the rows.
func (t *tx) read(take func(pgx.Rows) error, sql string, args ...any) error {
	return t.attempts(func() error {
		if t.begun {
			rows, err := t.conn.Query(t.ctx, sql, args...)
			return consume(rows, err, take)
		}
		return t.beginWith(take, sql, args...)
	})
}

// attempts calls once, and again on another connection if it fails before the
// function of a View has been shown anything. Other failures end the
// transaction.
func (t *tx) attempts(once func() error) error {
	if t.err != nil {
		return t.err
	}
	shown := t.begun || t.first != nil
	for {
		err := once()
		if err == nil {
			return nil
		}
		if shown || t.retries == 0 || t.ctx.Err() != nil || !broken(err) && !retryable(err) {
			t.err = err
			return err
		}
		t.retries--
		t.rollback()
	}
}

func (t *tx) beginWith(take func(pgx.Rows) error, sql string, args ...any) error {
	if err := t.connect(); err != nil {
		return err
	}
	var batch pgx.Batch
	batch.Queue(t.begin)
	if t.first != nil {
		batch.Queue(selectOne, t.first.key, t.nowNS())
	}
	batch.Queue(sql, args...)
	t.begun = true
	results := t.conn.SendBatch(t.ctx, &batch)
	_, err := results.Exec()
	if err == nil && t.first != nil {
		err = t.compareFirst(results)
	}
	if err == nil {
		var rows pgx.Rows
		rows, err = results.Query()
		err = consume(rows, err, take)
	}
	return errors.Join(err, results.Close())
}

// compareFirst returns errMoved unless the first key is still what peek saw.
func (t *tx) compareFirst(results pgx.BatchResults) error {
	var again oneRead
	rows, err := results.Query()
	if err := consume(rows, err, again.take); err != nil {
		return err
	}
	if again.found != t.first.found || !bytes.Equal(again.value, t.first.value) {
		return errMoved
	}
	return nil
}

func consume(rows pgx.Rows, err error, take func(pgx.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := take(rows); err != nil {
		return err
	}
	return rows.Err()
}

func (t *tx) connect() (err error) {
	if t.conn == nil {
		t.conn, err = t.store.pool.Acquire(t.ctx)
	}
	return err
}

// Put implements storage.Tx.
func (t *tx) Put(key, value []byte, expires time.Time) error {
	if err := t.mayWrite(); err != nil {
		return err
	}
	return t.buf.Put(key, value, expires)
}

// Delete implements storage.Tx.
func (t *tx) Delete(key []byte) error {
	if err := t.mayWrite(); err != nil {
		return err
	}
	return t.buf.Delete(key)
}

func (t *tx) mayWrite() error {
	switch {
	case t.ended:
		return errEnded
	case !t.writable:
		return storage.ErrReadOnly
	}
	return t.err
}

// rollback ends what is open and gives the connection back. One that does not
// answer is closed, which rolls back too.
func (t *tx) rollback() {
	conn, begun := t.conn, t.begun
	t.conn, t.begun = nil, false
	if conn == nil {
		return
	}
	defer conn.Release() // the pool drops a connection that is closed
	if !begun || conn.Conn().IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), finishTime)
	defer cancel()
	if _, err := conn.Exec(ctx, rollback); err != nil {
		_ = conn.Conn().Close(ctx)
	}
}

// commit sends the writes with the note of what they change and COMMIT, in one
// round trip. again is true when nothing was kept and another attempt may go
// better.
func (t *tx) commit() (again bool, err error) {
	if t.buf.Len() == 0 {
		return t.commitReads()
	}
	if err := t.connect(); err != nil {
		return broken(err) && t.ctx.Err() == nil, err
	}
	// From here on the outcome matters more than the caller's patience.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), t.store.timeout)
	defer cancel()
	j := t.journal
	entry := j.open(t.buf.Keys())
	err = t.send(ctx, entry)
	switch {
	case err == nil:
		j.decide(entry)
		t.store.watchers.Changed(entry.keys())
		return false, nil
	case !inDoubt(err):
		j.decide(entry)
		return retryable(err), err
	}
	t.rollback()
	kept, known := t.store.inquire(ctx, entry)
	switch {
	case !known:
		return false, fmt.Errorf("%w: the outcome of a commit is unknown: %w", storage.ErrUnavailable, err)
	case kept:
		t.store.watchers.Changed(entry.keys())
		return false, nil
	}
	return true, err
}

// commitReads ends a transaction that only read: whether what it read was
// serializable is known only then.
func (t *tx) commitReads() (again bool, err error) {
	if !t.begun {
		return false, nil
	}
	t.begun = false
	if _, err = t.conn.Exec(t.ctx, commit); err != nil {
		t.begun = true
		return retryable(err) || broken(err) && t.ctx.Err() == nil, err
	}
	return false, nil
}

func (t *tx) send(ctx context.Context, e *entry) error {
	var batch pgx.Batch
	if !t.begun {
		batch.Queue(t.begin)
	}
	_ = t.buf.Each(func(key string, w driver.Write) error {
		switch {
		case w.Deleted || driver.Expired(w.Expires, t.nowNS()):
			batch.Queue(remove, []byte(key))
		case w.Expires == driver.Never:
			batch.Queue(upsert, []byte(key), w.Value, nil)
		default:
			batch.Queue(upsert, []byte(key), w.Value, w.Expires)
		}
		return nil
	})
	batch.Queue(insertChange, e.node, e.seq, e.low, e.packed)
	batch.Queue(commit)
	t.begun = true
	results := t.conn.SendBatch(ctx, &batch)
	var err error
	for range batch.Len() {
		if _, err = results.Exec(); err != nil {
			break
		}
	}
	err = errors.Join(err, results.Close())
	if err == nil {
		t.begun = false
		return nil
	}
	return nodeGone(err)
}
