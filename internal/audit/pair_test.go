package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAPairIsWhatTwoRecordsAre: the shorter way writes the same bytes.
func TestAPairIsWhatTwoRecordsAre(t *testing.T) {
	request, response := sample(), sample()
	request.Type, request.Resp, request.Error = Request, nil, ""
	for _, prefix := range []string{"", "@cee: "} {
		dir := t.TempDir()
		one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
		pairs, singles := newBroker(t, fileDevice(one, "prefix", prefix)), newBroker(t, fileDevice(two, "prefix", prefix))
		for range 3 {
			if err := pairs.RecordPair(t.Context(), request, response); err != nil {
				t.Fatal(err)
			}
			for _, e := range []*Entry{request, response} {
				if err := singles.Record(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
		}
		a, err := os.ReadFile(one)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(two)
		if err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) || strings.Count(string(a), "\n") != 6 {
			t.Errorf("a pair:\n%s\ntwo records:\n%s", a, b)
		}
		if got, want := pairs.Stats(), singles.Stats(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

func TestAPairIsRefusedAsAWhole(t *testing.T) {
	b := New(Options{Log: quiet()})
	if err := b.RecordPair(t.Context(), sample(), sample()); err == nil {
		t.Error("a pair without a device")
	}
	b = newBroker(t, fileDevice(filepath.Join(t.TempDir(), "log")))
	disk := &limited{room: 4000} // the first line fits, the second does not
	(*b.devices.Load())[0].queue.sink = &lineSink{w: disk}
	if err := b.RecordPair(t.Context(), sample(), sample()); !errors.Is(err, ErrRefused) {
		t.Errorf("half a pair was taken: %v", err)
	}
}
