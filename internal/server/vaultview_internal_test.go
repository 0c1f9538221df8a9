package server

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/jotgate/jotgate/internal/config"
)

func TestShownSettingsHoldNoSecret(t *testing.T) {
	c := &config.Config{
		DevRootToken: "SECRET", Storage: config.Storage{Type: config.StoragePostgres, DSN: "postgres://u:SECRET@h/d"},
		Seal:   config.Seal{Type: config.SealEnv, KeyEnv: "SECRET", KeyFile: "/SECRET"},
		Pvault: config.Pvault{AdminKey: "SECRET"},
		Listeners: []config.Listener{
			{Address: "127.0.0.1:8200", Vault: true, CertFile: "/SECRET", KeyFile: "/SECRET"}, {Address: "127.0.0.1:8123", Pvault: true},
		},
	}
	v := vaultSettings(c)
	if text := fmt.Sprint(v); strings.Contains(text, "SECRET") {
		t.Error(text)
	}
	l := v["listeners"].([]any)
	if len(l) != 1 || fmt.Sprint(l[0]) != "map[config:map[address:127.0.0.1:8200 tls_disable:false] type:tcp]" {
		t.Errorf("%v", l)
	}
	if fmt.Sprintln(v["storage"], v["seals"], v["log_level"]) != "map[type:postgres] [map[disabled:false type:env]] info\n" {
		t.Error(v["storage"], v["seals"], v["log_level"])
	}
}

// The Vault door can set a level for which the pvault door has no name.
func TestLevelBelowDebugIsShownAsDebug(t *testing.T) {
	level := new(slog.LevelVar)
	level.Set(slog.LevelDebug - 4)
	if text := string(pvaultConfiguration(&config.Config{}, level)()); !strings.Contains(text, "level = 'debug'") {
		t.Error(text)
	}
}
