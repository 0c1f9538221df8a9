package mount

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// codec is how values are stored: durations as nanoseconds, keys sorted, so
// that equal values are equal bytes.
var codec = json.JoinOptions(
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
