package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// DevOptions are the flags of development mode. The zero value works.
type DevOptions struct {
	RootToken     string // -dev-root-token-id; "" = one is made up
	ListenAddress string // -dev-listen-address; "" = 127.0.0.1:8200 and 127.0.0.1:8123
	Directory     string // -dev-dir; "" = a temporary one
	IAMFile       string // -iam; "" = the built-in one
	AuditFile     string // -audit-file; "" = audit.log in the directory, "stdout", "discard"
	KVv1          bool   // -dev-kv-v1: version 1 of the KV engine at secret/
	Debug         bool   // log more
}

// DevAdminKey is the pvault door's admin key in development mode.
const DevAdminKey = "pvaultauth"

// Dev returns the settings of development mode. Its error says what is wrong
// with a flag and what to do.
func Dev(o DevOptions) (c *Config, err error) {
	c = defaults()
	c.Dev, c.DevRootToken, c.DevKVv1 = true, o.RootToken, o.KVv1
	if o.Debug {
		c.Log.Level = slog.LevelDebug
	}
	if strings.ContainsFunc(o.RootToken, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, errors.New("-dev-root-token-id: a token is plain text without blanks: choose another one")
	}
	if err := c.devListeners(o.ListenAddress); err != nil {
		return nil, err
	}
	if err := c.devDirectory(o.Directory); err != nil {
		return nil, err
	}
	c.Seal = Seal{Type: SealKeyFile, KeyFile: filepath.Join(c.Storage.Directory, "root.key"), CreateKey: true}
	file := o.AuditFile
	if file == "" {
		file = filepath.Join(c.Storage.Directory, "audit.log")
	}
	c.Audit = Audit{
		Devices: []AuditDevice{{Path: "file/", Type: "file", Description: "development mode", Options: map[string]string{"file_path": file}}},
	}
	if c.Audit.APIDirectory, err = devAuditDirectory(c.Storage.Directory); err != nil {
		return nil, err
	}
	if o.IAMFile != "" {
		if _, err := os.Stat(o.IAMFile); err != nil {
			return nil, fmt.Errorf("-iam: cannot find %s: name a readable IAM file", o.IAMFile)
		}
		c.IAM.File = o.IAMFile
	}
	c.Keys.AllowLoopbackHTTP = true
	c.Pvault.AdminKey, c.Pvault.AdminMayReadData = DevAdminKey, true
	return c, nil
}

func (c *Config) devListeners(address string) error {
	addresses := []string{"127.0.0.1:8200", "127.0.0.1:8123"}
	if address != "" {
		addresses = []string{address}
	}
	for _, a := range addresses {
		loopback, err := checkAddress(a)
		if err != nil {
			return fmt.Errorf("-dev-listen-address: %w: write host:port, such as 127.0.0.1:8200", err)
		}
		if !loopback {
			c.Warnings = append(c.Warnings, "development mode listens on "+a+", in clear and with well-known keys: keep it off networks that you do not trust")
		}
		c.Listeners = append(c.Listeners, Listener{Address: a, Vault: true, Pvault: true})
	}
	return nil
}

// devAuditDirectory makes the one directory in which devices that are enabled
// over the API may write. The root token is well known, so it must hold
// nothing else.
func devAuditDirectory(data string) (string, error) {
	dir, err := filepath.Abs(filepath.Join(data, "audit"))
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", fmt.Errorf("-dev-dir: %w: name a directory that can be written to", err)
	}
	return dir, nil
}

func (c *Config) devDirectory(dir string) (err error) {
	if dir != "" {
		c.Storage.Directory = dir
		return nil
	}
	c.Storage.Temporary = true
	if c.Storage.Directory, err = os.MkdirTemp("", "jotgate-dev-"); err != nil {
		return fmt.Errorf("-dev-dir: no temporary directory can be made: %w: name a directory", err)
	}
	return nil
}
