package migrations

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
)

// ErrPooled is that a pooler stands before the database. The lock that keeps
// rivals apart belongs to a session, and a pooler hands sessions on.
var ErrPooled = errors.New("the connection goes through a pooler, whose sessions cannot hold the lock of a migration: use the database's direct address")

// direct fails with ErrPooled unless the server at the other end is the one
// that runs the statements: a pooler introduces itself by a number of its own.
func direct(ctx context.Context, conn *pgx.Conn) error {
	var backend uint32
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&backend); err != nil {
		return err
	}
	if backend != conn.PgConn().PID() {
		return ErrPooled
	}
	return nil
}
