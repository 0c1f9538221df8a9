package cli

import "runtime/debug"

// version is set when a release is linked, with
// -ldflags "-X github.com/jotgate/jotgate/internal/cli.version=v1.2.3".
var version string

// Version returns the program's version, such as "v1.2.3": the linked one, else
// the module's or the commit that the build was made from.
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "v0.0.0-dev"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 10 {
			return "v0.0.0-g" + s.Value[:10]
		}
	}
	return "v0.0.0-dev"
}
