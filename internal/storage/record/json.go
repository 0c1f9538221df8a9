package record

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// JSON is how settings are stored, which are read rarely and want names:
// durations as nanoseconds, keys sorted, so that equal values are equal bytes.
var JSON = json.JoinOptions(
	json.Deterministic(true),
	json.WithMarshalers(json.MarshalFunc(func(d time.Duration) ([]byte, error) {
		return strconv.AppendInt(nil, int64(d), 10), nil
	})),
	json.WithUnmarshalers(json.UnmarshalFunc(func(b []byte, d *time.Duration) error {
		n, err := strconv.ParseInt(string(b), 10, 64)
		*d = time.Duration(n)
		return err
	})),
)
