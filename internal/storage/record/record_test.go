package record

import (
	"errors"
	"maps"
	"math"
	"slices"
	"testing"
	"time"
)

func sample() *Writer {
	w := NewWriter(7, 64)
	w.Uint(math.MaxUint64)
	w.Int(math.MinInt64)
	w.Text("héllo")
	w.Blob([]byte{0, 1, 2})
	w.Time(time.Unix(1, 5))
	w.Time(time.Time{})
	w.Duration(time.Hour)
	w.Texts([]string{"a", ""})
	w.Map(map[string]string{"k": "v", "": "x"})
	w.Map(nil)
	w.Map(map[string]string{})
	return w
}

func read(b []byte) error {
	_, r := NewReader(b)
	r.Uint()
	r.Int()
	r.Text()
	var blob [3]byte
	r.Blob(blob[:])
	r.Time()
	r.Time()
	r.Duration()
	r.Texts()
	r.Map()
	r.Map()
	r.Map()
	return r.Close()
}

func TestEveryFieldComesBackAsWritten(t *testing.T) {
	v, r := NewReader(sample().Bytes())
	if v != 7 {
		t.Fatal(v)
	}
	var blob [3]byte
	ok := r.Uint() == math.MaxUint64 && r.Int() == math.MinInt64 && r.Text() == "héllo"
	r.Blob(blob[:])
	ok = ok && blob == [3]byte{0, 1, 2} && r.Time().Equal(time.Unix(1, 5)) && r.Time().IsZero() &&
		r.Duration() == time.Hour && slices.Equal(r.Texts(), []string{"a", ""})
	ok = ok && maps.Equal(r.Map(), map[string]string{"k": "v", "": "x"}) && r.Map() == nil
	m := r.Map()
	if !ok || m == nil || len(m) != 0 || r.More() || r.Close() != nil {
		t.Fatal("a field changed on the way")
	}
}

func TestEveryTruncationIsDamage(t *testing.T) {
	b := sample().Bytes()
	for n := range b {
		if err := read(b[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if err := read(append(slices.Clone(b), 0)); !errors.Is(err, ErrDamaged) {
		t.Fatal("a byte left over must be damage")
	}
}

func FuzzReader(f *testing.F) {
	f.Add(sample().Bytes())
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, b []byte) { _ = read(b) })
}
