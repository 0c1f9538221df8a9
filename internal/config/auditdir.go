package config

import (
	"fmt"
	"path/filepath"
)

// auditDirectory refuses a directory for devices of the API that holds what
// the server itself depends on: such a device could write into it.
func (r *reader) auditDirectory(top *table) {
	dir := r.c.Audit.APIDirectory
	if dir == "" {
		return
	}
	own := append(r.own, ownFile{"settings file", r.c.File}, ownFile{"storage.directory", r.c.Storage.Directory}, ownFile{"iam.file", r.c.IAM.File})
	for _, l := range r.c.Listeners {
		own = append(own, ownFile{"listener.tls_cert_file", l.CertFile})
	}
	for _, o := range own {
		if o.path != "" && inside(dir, o.path) {
			top.problem("audit_api_directory", fmt.Sprintf("holds what %s names, so that an audit device could write into it", o.setting),
				`name a directory for audit files alone, such as "/var/log/jotgate"`)
			return
		}
	}
}

// inside reports whether path is dir or lies in it, whatever links lead there.
func inside(dir, path string) bool {
	rel, err := filepath.Rel(resolved(dir), resolved(path))
	return err != nil || filepath.IsLocal(rel)
}

// resolved follows the links of a path as far as it exists.
func resolved(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(resolved(parent), filepath.Base(path))
	}
	return path
}
