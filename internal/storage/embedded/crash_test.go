package embedded

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/jotgate/jotgate/internal/storage"
)

const crashDir = "JOTGATE_TEST_CRASH_DIR"

// TestMain turns this test binary into the victim of TestKillLosesNothing.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		victim(dir)
	}
	os.Exit(m.Run())
}

const crashWriters = 8

// victim writes until it is killed and says on standard output what it was told
// is kept: writer and number. Each transaction writes two keys, one of which
// expires, and removes what it wrote sixteen transactions ago.
func victim(dir string) {
	s, err := Open(dir, Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for w := range uint32(crashWriters) {
		wg.Go(func() {
			first, err := lastNumber(s, w)
			for n := first + 1; err == nil; n++ {
				if err = s.Update(context.Background(), func(tx storage.Tx) error { return writePair(tx, w, n) }); err == nil {
					ack := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, w), n)
					_, err = os.Stdout.Write(ack) // one write: lines of writers do not mix
				}
			}
			fmt.Fprintln(os.Stderr, err)
		})
	}
	wg.Wait()
	os.Exit(1)
}

func pairKeys(w, n uint32) (lasting, expiring []byte) {
	return fmt.Appendf(nil, "l/%d/%010d", w, n), fmt.Appendf(nil, "e/%d/%010d", w, n)
}

func writePair(tx storage.Tx, w, n uint32) error {
	lasting, expiring := pairKeys(w, n)
	value := make([]byte, 1000)
	binary.BigEndian.PutUint32(value[996:], n)
	err := errors.Join(
		tx.Put(lasting, value, time.Time{}),
		tx.Put(expiring, value, tx.Now().Add(time.Hour)),
	)
	if n > 16 {
		old, oldExpiring := pairKeys(w, n-16)
		err = errors.Join(err, tx.Delete(old), tx.Delete(oldExpiring))
	}
	return err
}

func lastNumber(s storage.Store, w uint32) (last uint32, err error) {
	err = s.View(context.Background(), func(tx storage.ReadTx) error {
		items, err := tx.Scan(fmt.Appendf(nil, "l/%d/", w), nil, 100)
		for _, i := range items {
			last = binary.BigEndian.Uint32(i.Value[996:])
		}
		return err
	})
	return last, err
}

func TestKillLosesNothingThatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	total := 0
	for round := range 6 {
		acked := crash(t, dir, 200+100*round)
		s := open(t, dir, Options{SweepEvery: -1})
		for w := range uint32(crashWriters) {
			last, err := lastNumber(s, w)
			if err != nil {
				t.Fatal(err)
			}
			// One more than acknowledged may have been kept: its answer was on the way.
			if last < acked[w] || acked[w] > 0 && last > acked[w]+1 {
				t.Fatalf("round %d: writer %d was told %d, the store holds %d", round, w, acked[w], last)
			}
			total += int(acked[w])
			checkPairs(t, s, w, last)
		}
		checkIndex(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged transactions over all rounds", total)
}

// crash runs a victim, kills it after so many acknowledgements, and returns
// the last number that each writer was told is kept.
func crash(t *testing.T, dir string, after int) map[uint32]uint32 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0]) //nolint:gosec // this very binary
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked := map[uint32]uint32{}
	r := bufio.NewReader(out)
	var ack [8]byte
	for n := 0; ; n++ {
		if n == after {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		// What was written before the kill is still read: it was acknowledged.
		if _, err := readFull(r, ack[:]); err != nil {
			break
		}
		acked[binary.BigEndian.Uint32(ack[:])] = binary.BigEndian.Uint32(ack[4:])
	}
	_ = cmd.Wait()
	if len(acked) == 0 {
		t.Fatal("the victim wrote nothing")
	}
	return acked
}

func readFull(r *bufio.Reader, b []byte) (int, error) {
	for i := range b {
		c, err := r.ReadByte()
		if err != nil {
			return i, err
		}
		b[i] = c
	}
	return len(b), nil
}

// checkPairs: transactions are there as a whole, and only the newest sixteen.
func checkPairs(t *testing.T, s storage.Store, w, last uint32) {
	t.Helper()
	err := s.View(context.Background(), func(tx storage.ReadTx) error {
		for n := last; n > 0 && n+20 > last; n-- {
			lasting, expiring := pairKeys(w, n)
			for _, k := range [][]byte{lasting, expiring} {
				v, err := tx.Get(k)
				switch gone := n+16 <= last; {
				case gone && !errors.Is(err, storage.ErrNotFound):
					t.Errorf("%s was removed and is back: %v", k, err)
				case !gone && err != nil:
					t.Errorf("%s: %v", k, err)
				case !gone && binary.BigEndian.Uint32(v[996:]) != n:
					t.Errorf("%s holds another value", k)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// checkIndex: the expiry index names exactly the keys that expire.
func checkIndex(t *testing.T, s *Store) {
	t.Helper()
	tx, err := s.db.Begin(false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	for err := range tx.Check() {
		t.Errorf("bbolt: %v", err)
	}
	want := map[string]bool{}
	values := tx.Bucket(bucketValues).Cursor()
	for k, v := values.First(); k != nil; k, v = values.Next() {
		expires, _, err := decode(v)
		if err != nil {
			t.Fatal(err)
		}
		if expires != 0 {
			want[string(indexKey(expires, k))] = true
		}
	}
	index := tx.Bucket(bucketExpiry).Cursor()
	for k, _ := index.First(); k != nil; k, _ = index.Next() {
		if !want[string(k)] {
			t.Errorf("the index names %q, which does not expire then", k)
		}
		delete(want, string(k))
	}
	if len(want) > 0 {
		t.Errorf("the index lacks %d keys", len(want))
	}
}
