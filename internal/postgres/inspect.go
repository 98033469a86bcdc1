package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Inspection is what a login finds out about its server and itself.
type Inspection struct {
	Login      string
	Above      bool              // superuser, owner of the schema, or may make roles: no grant binds it
	Groups     []string          // group roles of the schema that it is a member of
	Privileges []string          // all that it may do in the schema, like "INSERT trade_executions"
	Settings   map[string]string // what commits rest on, as this login has it
	Schema     int32             // version; 0 when there is none
	Serves     int32             // version of the oldest program that the schema serves
	Ahead      time.Duration     // of the server's clock to this machine's
	Took       time.Duration     // to ask for it: Ahead is known to half of that
}

// durability are the settings without which a commit may be lost.
var durability = []string{"synchronous_commit", "fsync", "full_page_writes"}

// Inspect looks at a database as url's login sees it, and changes nothing. It
// fails when the database cannot be reached before ctx ends.
func Inspect(ctx context.Context, url string) (Inspection, error) {
	var found Inspection
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return found, errors.New("is not a PostgreSQL URL; write it like postgres://user:password@host:5432/database")
	}
	cfg.RuntimeParams["application_name"] = "interlock doctor"
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return found, lastTry(err)
	}
	defer func() {
		// A frozen server does not say goodbye.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
	for _, look := range []func(context.Context, *pgx.Conn) error{
		found.lookAtLogin, found.lookAtPrivileges, found.lookAtSettings, found.lookAtSchema, found.lookAtClock,
	} {
		if err := look(ctx, conn); err != nil {
			return found, fmt.Errorf("inspect database: %w", err)
		}
	}
	return found, nil
}

// lastTry is the end of what pgx says of each way it tried, which is long and
// says the same of all.
func lastTry(err error) error {
	lines := strings.FieldsFunc(err.Error(), func(c rune) bool { return c == '\n' })
	return errors.New(strings.TrimSpace(lines[len(lines)-1]))
}

// loginSQL counts what makes grants pointless: who is the owner, or may become
// one, is bound by none.
const loginSQL = `
	SELECT current_user::text,
		r.rolsuper OR r.rolcreaterole OR r.rolbypassrls OR r.rolreplication OR r.rolcreatedb
			OR coalesce((SELECT pg_has_role(current_user, nspowner, 'MEMBER') FROM pg_namespace WHERE nspname = 'interlock'), false),
		ARRAY(SELECT g::text FROM unnest(@groups::text[]) g JOIN pg_roles p ON p.rolname = g
			WHERE pg_has_role(current_user, p.oid, 'MEMBER') ORDER BY g)
	FROM pg_roles r WHERE r.rolname = current_user`

func (i *Inspection) lookAtLogin(ctx context.Context, conn *pgx.Conn) error {
	return conn.QueryRow(ctx, loginSQL, pgx.StrictNamedArgs{"groups": groupRoles}).Scan(&i.Login, &i.Above, &i.Groups)
}

// privilegesSQL lists what a role may do in the schema, however it came to it:
// by its own grants, by membership, or because everybody may.
const privilegesSQL = `
	WITH tables AS (
		SELECT c.oid, c.relname FROM pg_class c WHERE c.relnamespace = to_regnamespace('interlock') AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
	SELECT p || ' ' || relname FROM tables, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
	WHERE has_table_privilege(@role::name, oid, p)
	UNION ALL SELECT p || ' ' || relname || '.' || attname
	FROM tables JOIN pg_attribute a ON a.attrelid = oid AND a.attnum > 0 AND NOT a.attisdropped, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) p
	WHERE has_column_privilege(@role::name, oid, a.attnum, p) AND NOT has_table_privilege(@role::name, oid, p)
	UNION ALL SELECT p || ' ' || c.relname FROM pg_class c, unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) p
	WHERE c.relnamespace = to_regnamespace('interlock') AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(@role::name, c.oid, p) ELSE false END
	UNION ALL SELECT 'EXECUTE ' || f.proname || '(' || pg_get_function_identity_arguments(f.oid) || ')' FROM pg_proc f
	WHERE f.pronamespace = to_regnamespace('interlock') AND has_function_privilege(@role::name, f.oid, 'EXECUTE')
	UNION ALL SELECT p || ' schema' FROM pg_namespace n, unnest(ARRAY['USAGE', 'CREATE']) p
	WHERE n.nspname = 'interlock' AND has_schema_privilege(@role::name, n.oid, p)
	UNION ALL SELECT 'CREATE database' WHERE has_database_privilege(@role::name, current_database(), 'CREATE')`

func (i *Inspection) lookAtPrivileges(ctx context.Context, conn *pgx.Conn) (err error) {
	i.Privileges, err = privilegesOf(ctx, conn, i.Login)
	return err
}

func privilegesOf(ctx context.Context, conn *pgx.Conn, role string) ([]string, error) {
	rows, err := conn.Query(ctx, privilegesSQL, pgx.StrictNamedArgs{"role": role})
	if err != nil {
		return nil, err
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	slices.Sort(list) // the database's collation is anybody's
	return list, err
}

func (i *Inspection) lookAtSettings(ctx context.Context, conn *pgx.Conn) error {
	i.Settings = map[string]string{}
	for _, name := range durability {
		var value string
		if err := conn.QueryRow(ctx, `SELECT current_setting($1)`, name).Scan(&value); err != nil {
			return err
		}
		i.Settings[name] = value
	}
	return nil
}

func (i *Inspection) lookAtSchema(ctx context.Context, conn *pgx.Conn) (err error) {
	i.Schema, i.Serves, err = schema(ctx, conn)
	return err
}

// Schema reads the version of the database's schema, 0 when there is none that
// this login may see, and the version of the oldest program that it serves.
func (s *Store) Schema(ctx context.Context) (version, oldest int32, err error) {
	version, oldest, err = schema(ctx, s.pool)
	if err != nil {
		return 0, 0, fmt.Errorf("read schema version: %w", classify(err))
	}
	return version, oldest, nil
}

// schema takes a table that is not there, or not for this login, for one that
// says nothing: the grants say which. A schema that says nothing of others
// serves those that know it.
func schema(ctx context.Context, q querier) (version, oldest int32, err error) {
	err = q.QueryRow(ctx, `SELECT version FROM interlock.schema_version`).Scan(&version)
	if hidden(err) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	err = q.QueryRow(ctx, `SELECT oldest FROM interlock.schema_serves WHERE version = $1`, version).Scan(&oldest)
	if hidden(err) || errors.Is(err, pgx.ErrNoRows) {
		return version, version, nil
	}
	return version, oldest, err
}

func hidden(err error) bool {
	var refusal *pgconn.PgError
	return errors.As(err, &refusal) && (refusal.Code == "42P01" || refusal.Code == "3F000" || refusal.Code == "42501")
}

// lookAtClock takes the middle of the question's way for the moment of its
// answer.
func (i *Inspection) lookAtClock(ctx context.Context, conn *pgx.Conn) error {
	var server time.Time
	asked := time.Now()
	if err := conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&server); err != nil {
		return err
	}
	i.Took = time.Since(asked)
	i.Ahead = server.Sub(asked.Add(i.Took / 2))
	return nil
}
