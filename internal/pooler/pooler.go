// Package pooler tells whether a connection reaches the database itself or a
// pooler before it, which hands sessions on: what belongs to a session, such as
// a named statement or a session's lock, must not be left to one.
package pooler

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Between reports whether the process that greeted conn is another than the
// one that runs its statements. A pooler greets with a number of its own.
func Between(ctx context.Context, conn *pgx.Conn) (bool, error) {
	var backend uint32
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&backend); err != nil {
		return false, fmt.Errorf("look for a pooler: %w", err)
	}
	return backend != conn.PgConn().PID(), nil
}
