// Package migrations carries the database schema and moves a database between
// its versions. It owns every table, constraint, function and grant of the
// schema interlock, and knows nothing of what they are used for.
package migrations

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/tern/v2/migrate"

	"interlock/internal/pooler"
)

//go:embed *.sql
var files embed.FS

// ErrPooled is that a pooler stands before the database. The lock that keeps
// rivals apart belongs to a session, and a pooler hands sessions on.
var ErrPooled = errors.New("a pooler stands before the database, and its sessions cannot hold the lock of a migration: use the database's direct address")

// granted lists what each group role may do once every migration is applied.
// It says what the migrations come to, and a test keeps it so.
//
//go:embed grants.txt
var granted string

const versionTable = "interlock.schema_version"

// Latest is the newest version that this program knows.
func Latest() int32 {
	entries, err := files.ReadDir(".")
	if err != nil {
		return 0 // embedded: cannot happen
	}
	return int32(len(entries))
}

// Granted lists what the group role may do at the newest version, and nothing
// else, each like "INSERT trade_executions". It is empty for any other role.
func Granted(group string) []string {
	var list []string
	for line := range strings.Lines(granted) {
		if name, privilege, _ := strings.Cut(strings.TrimSpace(line), " "); name == group {
			list = append(list, privilege)
		}
	}
	return list
}

// Up brings the database to the newest version, one transaction per step,
// under an advisory lock. A database that is newer than this program is left
// alone and reported.
func Up(ctx context.Context, url string) error {
	return with(ctx, url, func(m *migrate.Migrator) error {
		current, err := m.GetCurrentVersion(ctx)
		if err != nil {
			return err
		}
		if latest := int32(len(m.Migrations)); current > latest {
			return fmt.Errorf("the database is at schema version %d, this program knows %d: use a newer one", current, latest)
		}
		return m.Migrate(ctx)
	})
}

// To brings the database to the given version, up or down. Down is refused with
// ErrInFlight while an execution is EXECUTING or UNRESOLVED.
func To(ctx context.Context, url string, version int32) error {
	return with(ctx, url, func(m *migrate.Migrator) error { return m.MigrateTo(ctx, version) })
}

// Version reports the version of the database and the newest one known.
func Version(ctx context.Context, url string) (current, latest int32, err error) {
	err = with(ctx, url, func(m *migrate.Migrator) error {
		latest = int32(len(m.Migrations))
		current, err = m.GetCurrentVersion(ctx)
		return err
	})
	return current, latest, err
}

// ensureSchemaSQL is one transaction. IF NOT EXISTS alone is no protection from
// a rival that creates the schema at the same moment.
const ensureSchemaSQL = `
	SELECT pg_advisory_xact_lock(hashtextextended('interlock schema', 0));
	CREATE SCHEMA IF NOT EXISTS interlock`

func with(ctx context.Context, url string, do func(*migrate.Migrator) error) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	pooled, err := pooler.Between(ctx, conn)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if pooled {
		return fmt.Errorf("migrate: %w", ErrPooled)
	}
	if _, err := conn.Exec(ctx, ensureSchemaSQL); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	m, err := migrate.NewMigrator(ctx, conn, versionTable)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := m.LoadMigrations(files); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	refuseInFlight(m)
	if err := do(m); err != nil {
		return fmt.Errorf("migrate: %w", inFlight(err))
	}
	return nil
}
