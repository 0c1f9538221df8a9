package pvaultapi

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/jotgate/jotgate/internal/fault"
)

type doFunc = func(ctx context.Context, c *call) (reply, error)

func asError[T error](err error, target *T) bool { return errors.As(err, target) }

// versionReply renders the answer of get-vault-version once.
func versionReply(v Version) reply {
	b := quote([]byte(`{"vault_id":`), v.VaultID)
	b = quote(append(b, `,"vault_version":`...), v.Vault)
	b = strconv.AppendInt(append(b, `,"db_schema_version":`...), v.Schema, 10)
	return reply{media: mediaJSON, body: append(b, '}')}
}

func getVersion(_ context.Context, c *call) (reply, error) { return c.door.version, nil }

func getHealth(ctx context.Context, c *call) (reply, error) {
	if check := c.door.o.Healthy; check != nil {
		if err := check(ctx); err != nil {
			return reply{}, fault.Wrap(fault.Unavailable, err, "The vault cannot serve requests now.")
		}
	}
	return c.door.health, nil
}

type clusterInfo struct {
	Vault   generation `json:"vault"`
	Workers []worker   `json:"workers"`
}

type generation struct {
	Number   int64  `json:"generation_number"`
	Modified string `json:"modified_at"`
}

type worker struct {
	ID        int64  `json:"worker_id"`
	Number    int64  `json:"generation_number"`
	Checked   string `json:"generation_checked_at"`
	Refresh   int64  `json:"refresh_interval_seconds"`
	Priority  string `json:"priority"`
	Component string `json:"component"`
}

// getCluster lists the node that answers: nodes know of each other only
// through storage, and none leads.
func getCluster(_ context.Context, c *call) (reply, error) {
	n, at := c.door.o.IAM.Generation()
	return encode(clusterInfo{
		Vault: generation{n, stamp(at)},
		Workers: []worker{{
			ID: 1, Number: n, Checked: stamp(c.door.o.Now()), Priority: "normal", Component: "all",
		}},
	})
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func getConfiguration(_ context.Context, c *call) (reply, error) {
	var b []byte
	if f := c.door.o.Configuration; f != nil {
		b = f()
	}
	return reply{media: mediaTOML, body: b}, nil
}

func getLicense(context.Context, *call) (reply, error) {
	return jsonReply(`{"key":"","expiration":"9999-12-31T23:59:59Z"}`), nil
}

func getKMS(context.Context, *call) (reply, error) {
	return jsonReply(`{"kms":{"status":"pass","type":"LOCAL"}}`), nil
}

func rotateKeys(ctx context.Context, c *call) (reply, error) {
	if c.door.o.RotateKeys == nil {
		return reply{}, fault.New(fault.NotImplemented, "This server cannot rotate its key.")
	}
	return reply{}, c.door.o.RotateKeys(ctx)
}

// logLevels are the values of the only configuration variable, log_level.
var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

const logLevel = "log_level"

func knownConfVar(c *call) error {
	if c.params.Get("name") != logLevel {
		return fault.New(fault.NotFound, "There is no such configuration variable; the only one is log_level.")
	}
	return nil
}

type confVar struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Default string `json:"default_value"`
}

func getConfVar(_ context.Context, c *call) (reply, error) {
	if err := knownConfVar(c); err != nil {
		return reply{}, err
	}
	level := max(c.door.o.LogLevel.Level(), slog.LevelDebug) // the other door knows a level below
	return encode(confVar{Name: logLevel, Value: strings.ToLower(level.String()), Default: "info"})
}

func setConfVar(_ context.Context, c *call) (reply, error) {
	if err := knownConfVar(c); err != nil {
		return reply{}, err
	}
	var in struct {
		Value *string `json:"value"`
	}
	if err := c.decode(&in); err != nil {
		return reply{}, err
	}
	if in.Value == nil {
		return reply{}, missing("value")
	}
	level, ok := logLevels[*in.Value]
	if !ok {
		return reply{}, fault.New(fault.Invalid, "The log level must be one of debug, info, warn, error.").WithDetail("field", "value")
	}
	c.door.o.LogLevel.Set(level)
	return reply{}, nil
}

func clearConfVars(_ context.Context, c *call) (reply, error) {
	c.door.o.LogLevel.Set(slog.LevelInfo)
	return reply{}, nil
}
