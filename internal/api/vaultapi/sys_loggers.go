package vaultapi

import (
	"context"
	"log/slog"
	"strings"

	"github.com/jotgate/jotgate/internal/api/route"
	"github.com/jotgate/jotgate/internal/fault"
	"github.com/jotgate/jotgate/internal/gate"
)

// sysLoggerRows read and change how much the server logs. A change holds for
// this node until it restarts.
var sysLoggerRows = []Row{
	{Verbs: []string{Read}, Pattern: "loggers", Auth: route.Authenticated, Action: "loggers-read-verbosity-level", Help: "Read the level of the one logger, core.",
		Handler: Action{Do: readLogger}},
	{Verbs: []string{Update}, Pattern: "loggers", Auth: route.Authenticated, Sudo: true, Action: "loggers-update-verbosity-level", Body: SmallBody, Help: "Change the level of the log of this node.",
		Handler: Action{Do: writeLogger, Fields: levelFields, ClearKeys: []string{"level"}}},
	{Verbs: []string{Delete}, Pattern: "loggers", Auth: route.Authenticated, Sudo: true, Action: "loggers-revert-verbosity-level", Help: "Go back to the level that the node started with.",
		Handler: Action{Do: resetLogger}},
	{Verbs: []string{Read}, Pattern: "loggers/{name...}", Auth: route.Authenticated, Action: "loggers-read-verbosity-level-for", Help: "Read the level of a logger.",
		Handler: Action{Do: readLogger}},
	{Verbs: []string{Update}, Pattern: "loggers/{name...}", Auth: route.Authenticated, Sudo: true, Action: "loggers-update-verbosity-level-for", Body: SmallBody, Help: "Change the level of the logger core.",
		Handler: Action{Do: writeLogger, Fields: levelFields, ClearKeys: []string{"level"}}},
	{Verbs: []string{Delete}, Pattern: "loggers/{name...}", Auth: route.Authenticated, Sudo: true, Action: "loggers-revert-verbosity-level-for", Help: "Set the logger core back to the level that the node started with.",
		Handler: Action{Do: resetLogger}},
}

var levelFields = []Field{{Name: "level", Help: "\"trace\", \"debug\", \"info\", \"warn\" or \"error\"."}}

// coreLogger is the only logger, by a name that clients of the reference know.
const coreLogger = "core"

// levelTrace is below all that this server logs: it shows what debug shows.
const levelTrace = slog.LevelDebug - 4

func levelName(l slog.Level) string {
	switch {
	case l <= levelTrace:
		return "trace"
	case l <= slog.LevelDebug:
		return "debug"
	case l <= slog.LevelInfo:
		return "info"
	case l <= slog.LevelWarn:
		return "warn"
	}
	return "error"
}

// parseLevel reads a level in the spellings of the reference.
func parseLevel(text string) (slog.Level, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "":
		return 0, fault.New(fault.Invalid, "level is required")
	case "trace":
		return levelTrace, nil
	case "debug":
		return slog.LevelDebug, nil
	case "info", "notice":
		return slog.LevelInfo, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "err", "error":
		return slog.LevelError, nil
	}
	return 0, fault.New(fault.Invalid, "invalid level provided: it is trace, debug, info, warn or error")
}

// logger returns the level that the path names.
func (c *Call) logger() (*slog.LevelVar, error) {
	if c.Door.level == nil {
		return nil, fault.New(fault.NotImplemented, "the level of this server's log cannot be changed")
	}
	if name := c.Param("name"); name != "" && name != coreLogger {
		return nil, fault.Newf(fault.Invalid, "logger %q not found", clip(name))
	}
	return c.Door.level, nil
}

func readLogger(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	level, err := c.logger()
	if fault.Is(err, fault.Invalid) {
		return &Reply{Data: map[string]any{}}, nil // as the reference answers for a name that it does not know
	}
	if err != nil {
		return nil, err
	}
	return &Reply{Data: map[string]any{coreLogger: levelName(level.Level())}}, nil
}

func writeLogger(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	to, err := parseLevel(c.String("level"))
	if err != nil {
		return nil, err
	}
	return c.setLevel(to)
}

func resetLogger(_ context.Context, c *Call, _ gate.Pass) (*Reply, error) {
	return c.setLevel(c.Door.atStart)
}

// setLevel also leaves a line that every level shows: a log that falls silent
// must say who silenced it.
func (c *Call) setLevel(to slog.Level) (*Reply, error) {
	level, err := c.logger()
	if err != nil {
		return nil, err
	}
	from := level.Level()
	level.Set(to)
	c.Door.log.Error("vault door: the level of the log was changed", "from", levelName(from), "to", levelName(to), "request_id", c.id())
	return nil, nil
}
