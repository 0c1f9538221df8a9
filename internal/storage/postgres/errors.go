package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATE codes and classes (PostgreSQL manual, appendix A).
const (
	serializationFailure = "40001"
	outcomeUnknown       = "40003"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03"
	notNullViolation     = "23502"
	undefinedTable       = "42P01"
	readOnlyTransaction  = "25006" // a standby, or a primary that became one
	idleTimeout          = "25P03"

	classConnection = "08"
	classResources  = "53" // disk full, out of memory, too many connections
	classIntervene  = "57" // shutting down, starting up, query cancelled
	classSystem     = "58"
	classInternal   = "XX"
)

// errNodeGone is met when others have written this node off and its changes
// would not be read any more.
var errNodeGone = errors.New("storage: this node was taken off the list of nodes")

// retryable reports that the database rolled the transaction back and that it
// may go through when it is run again.
func retryable(err error) bool {
	if errors.Is(err, errNodeGone) {
		return true
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return pg.Code == serializationFailure || pg.Code == deadlockDetected || pg.Code == lockNotAvailable
}

// broken reports that the database cannot work now, or that the way to it is
// interrupted.
func broken(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return true // the network, a time-out, the pool
	}
	if pg.Code == readOnlyTransaction || pg.Code == idleTimeout || pg.Code == outcomeUnknown {
		return true
	}
	switch pg.Code[:min(2, len(pg.Code))] {
	case classConnection, classResources, classIntervene, classSystem, classInternal:
		return true
	}
	return false
}

// inDoubt reports that a commit which was answered with err may have been kept.
// A plain refusal by the database was not.
func inDoubt(err error) bool { return broken(err) && !isResources(err) }

func isResources(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && strings.HasPrefix(pg.Code, classResources)
}

// sessionLimits makes the server itself end what a vanished node has left
// open, so that no lock outlives its node for long.
func sessionLimits(timeout time.Duration) func(context.Context, *pgx.Conn) error {
	limit := (2 * timeout).Milliseconds()
	return func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.PgConn().Exec(ctx, limitSQL(limit)).ReadAll()
		var pg *pgconn.PgError
		if errors.As(err, &pg) {
			return nil // a relative that has no such setting
		}
		return err
	}
}
