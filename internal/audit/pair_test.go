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

// TestTheSecondEntryRepeatsTheFirst: what is kept of the first entry is what
// the second would say itself, for each device in its own words.
func TestTheSecondEntryRepeatsTheFirst(t *testing.T) {
	request, response := sample(), sample()
	request.Type, request.Resp = Request, nil
	one, other := newBroker(t, fileDevice("discard")), newBroker(t, fileDevice("discard", "log_raw", "true"))
	text := func(b *Broker, e *Entry) string {
		n := (*b.devices.Load())[0].format.encode(e)
		defer n.release()
		return string(n.b)
	}
	want, raw := text(one, response), text(other, response)
	r := new(Repeat)
	request.Repeat, response.Repeat = r, r
	for range 2 { // also with a Repeat that was used before
		_ = text(one, request)
		response.Req.Path = "elsewhere"
		if got := text(one, response); got != want {
			t.Errorf("repeated:\n%s\nwant:\n%s", got, want)
		}
		response.Req.Path = request.Req.Path
		if got := text(other, response); got != raw {
			t.Errorf("another device:\n%s\nwant:\n%s", got, raw)
		}
		r.Reset()
	}
}

func TestSeveralDevicesShareNoWords(t *testing.T) {
	dir := t.TempDir()
	a, c := fileDevice(filepath.Join(dir, "a")), fileDevice(filepath.Join(dir, "c"), "log_raw", "true")
	c.Path = "other"
	b := newBroker(t, a, c)
	r := new(Repeat)
	for _, typ := range []Type{Request, Response} {
		e := sample()
		e.Type, e.Repeat = typ, r
		if err := b.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.ReadFile(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(log), "hunter") {
		t.Error("one device has written what another may show")
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
