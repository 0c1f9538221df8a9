package config

import (
	"runtime/debug"
	"time"
)

// Version and Commit say what was built, and Built of when that commit is, in
// RFC 3339. The build sets them with -ldflags -X.
var (
	Version = "0.0.0-dev"
	Commit  = "unknown"
	Built   = ""
)

// noBuildDate stands for a date that the build does not know.
const noBuildDate = "1970-01-01T00:00:00Z"

// BuildDate returns the date of what was built. It is always a date in
// RFC 3339, since clients that read it into a date refuse anything else: the
// one that the build set, else the one that Go noted, else 1970.
func BuildDate() string {
	noted := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.time" {
				noted = s.Value
			}
		}
	}
	return firstDate(Built, noted)
}

func firstDate(texts ...string) string {
	for _, text := range texts {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return t.UTC().Format(time.RFC3339)
		}
	}
	return noBuildDate
}
