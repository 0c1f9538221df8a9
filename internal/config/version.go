package config

// Version and Commit say what was built. The build sets them with -ldflags -X.
var (
	Version = "0.0.0-dev"
	Commit  = "unknown"
)
