package server

import (
	"strings"

	"github.com/jotgate/jotgate/internal/config"
	"github.com/jotgate/jotgate/internal/mount"
)

// vaultSettings is what sys/config/state/sanitized of the Vault door shows:
// those of the reference's settings that this server has, under the
// reference's names. Nothing that holds or names a secret is among them: no
// connection string, no key file, no file of a certificate.
func vaultSettings(c *config.Config) map[string]any {
	var listeners []any
	for _, l := range c.Listeners {
		if l.Vault {
			listeners = append(listeners, map[string]any{
				"type": "tcp", "config": map[string]any{"address": l.Address, "tls_disable": !l.TLS()},
			})
		}
	}
	format := "standard"
	if c.Log.JSON {
		format = "json"
	}
	return map[string]any{
		"cluster_name": c.Vault.ClusterName, "api_addr": "", "cluster_addr": "", "disable_clustering": true,
		"default_lease_ttl": int64(mount.SystemTTL.Seconds()), "max_lease_ttl": int64(mount.SystemTTL.Seconds()),
		"enable_ui": false, "raw_storage_endpoint": false, "introspection_endpoint": false, "disable_cache": false, "plugin_directory": "",
		"listeners": listeners, "log_level": strings.ToLower(c.Log.Level.String()), "log_format": format,
		"storage": map[string]any{"type": c.Storage.Type}, "seals": []any{map[string]any{"type": c.Seal.Type, "disabled": false}},
	}
}
