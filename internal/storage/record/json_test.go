package record_test

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/storage/record"
)

func TestSettingsAreStoredTheSameWayEachTime(t *testing.T) {
	type settings struct {
		TTL  time.Duration     `json:"ttl"`
		Tags map[string]string `json:"tags"`
	}
	in := settings{TTL: 90 * time.Second, Tags: map[string]string{"b": "2", "a": "1", "c": "3"}}
	for range 20 {
		b, err := json.Marshal(in, record.JSON)
		if err != nil {
			t.Fatal(err)
		}
		if want := `{"ttl":90000000000,"tags":{"a":"1","b":"2","c":"3"}}`; string(b) != want {
			t.Fatalf("%s, want %s", b, want)
		}
		var out settings
		if err := json.Unmarshal(b, &out, record.JSON); err != nil || out.TTL != in.TTL || len(out.Tags) != 3 {
			t.Fatalf("%+v %v", out, err)
		}
	}
	var out settings
	if err := json.Unmarshal([]byte(`{"ttl":"1h"}`), &out, record.JSON); err == nil {
		t.Error("a duration that we never write was read")
	}
}
