package server

import (
	"log/slog"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/jotgate/jotgate/internal/config"
)

// pvaultView is what get-configuration of the pvault door shows: those of the
// reference's settings that this server has, under the reference's names.
// Secrets are masked, and settings that name secrets are left out.
type pvaultView struct {
	DevMode  bool   `toml:"devmode"`
	Store    string `toml:"backing_store"`
	Features struct {
		Encryption        bool `toml:"encryption"`
		APIKeyHashing     bool `toml:"api_key_hashing"`
		PolicyEnforcement bool `toml:"policy_enforcement"`
		NoJavaScript      bool `toml:"disable_javascript"`
	} `toml:"features"`
	KMS struct {
		AllowLocal bool `toml:"allow_local"`
	} `toml:"kms"`
	Log struct {
		Level string `toml:"level"`
		Audit bool   `toml:"audit_enable"`
	} `toml:"log"`
	Service struct {
		AdminKey    string  `toml:"admin_api_key"`
		AdminReads  bool    `toml:"admin_may_read_data"`
		PageSize    int     `toml:"default_page_size"`
		ForceReason bool    `toml:"force_access_reason"`
		Listen      string  `toml:"listen_addr"`
		MaxPage     int     `toml:"max_page_size"`
		IAMFromFile bool    `toml:"set_iam_on_start_only"`
		TimeoutSecs float64 `toml:"timeout_seconds"`
	} `toml:"service"`
	TLS struct {
		Enable bool `toml:"enable"`
	} `toml:"tls"`
}

// masked stands for a secret that is set.
const masked = "********"

func pvaultConfiguration(c *config.Config, level *slog.LevelVar) func() []byte {
	var v pvaultView
	v.DevMode, v.Store = c.Dev, c.Storage.Type
	v.Features.Encryption, v.Features.APIKeyHashing, v.Features.PolicyEnforcement, v.Features.NoJavaScript = true, true, true, true
	v.KMS.AllowLocal = true
	v.Log.Audit = len(c.Audit.Devices) > 0 || !c.Audit.None
	v.Service.AdminReads, v.Service.ForceReason = c.Pvault.AdminMayReadData, c.Pvault.ForceReason
	v.Service.PageSize, v.Service.MaxPage = c.Pvault.DefaultPageSize, c.Pvault.MaxPageSize
	v.Service.IAMFromFile = c.IAM.File != ""
	v.Service.TimeoutSecs = 30
	if c.Pvault.AdminKey != "" {
		v.Service.AdminKey = masked
	}
	var at []string
	for _, l := range c.Listeners {
		if l.Pvault {
			at = append(at, l.Address)
			v.TLS.Enable = v.TLS.Enable || l.TLS()
		}
	}
	v.Service.Listen = strings.Join(at, ",")
	return func() []byte {
		v := v
		now := c.Log.Level
		if level != nil { // the confvar log_level may have changed it
			now = max(level.Level(), slog.LevelDebug) // sys/loggers of the Vault door knows a level below
		}
		v.Log.Level = strings.ToLower(now.String())
		b, err := toml.Marshal(v)
		if err != nil {
			return nil // plain fields: it cannot fail
		}
		return b
	}
}
