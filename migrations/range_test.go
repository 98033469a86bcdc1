package migrations

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
)

// rangedSQL lists every column that can hold what Go, JSON or arithmetic
// cannot: endless times and numbers, and years beyond four digits.
const rangedSQL = `
	SELECT c.relname, a.attname, format_type(a.atttypid, NULL)
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE c.relnamespace = 'interlock'::regnamespace AND c.relkind = 'r'
		AND a.atttypid IN ('timestamptz'::regtype, 'numeric'::regtype, 'interval'::regtype, 'double precision'::regtype, 'timestamp'::regtype)
	ORDER BY 1, 2`

type rangedColumn struct{ Table, Column, Type string }

// endless are columns of functions of ours, which no role and no other program
// writes, and in which an endless time means never.
var endless = map[string]bool{"request_budgets.reset_at": true, "request_budgets.banned_until": true}

var outOfRange = map[string][]string{
	"timestamp with time zone": {"infinity", "-infinity", "9999-01-01 00:00:00+00", "294276-12-31", "0001-12-31 BC"},
	"numeric":                  {"NaN", "Infinity", "-Infinity", "1e36", "-1e36"},
	"interval":                 {"1000 years"},
}

var inRange = map[string][]string{
	"timestamp with time zone": {"0001-01-01 00:00:00+00", "9998-12-31 23:59:59+00"},
	"numeric":                  {"0.5"},
	"interval":                 {"30 seconds"},
}

func TestNoColumnTakesATimeOrANumberThatNobodyCanRead(t *testing.T) {
	t.Parallel()
	conn := migrated(t)
	rows, err := conn.Query(ctx, rangedSQL)
	require.NoError(t, err)
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByPos[rangedColumn])
	require.NoError(t, err)
	require.NotEmpty(t, columns)
	var open []string
	for _, c := range columns {
		if endless[c.Table+"."+c.Column] {
			continue
		}
		require.Contains(t, outOfRange, c.Type, "%s.%s", c.Table, c.Column)
		for _, value := range outOfRange[c.Type] {
			if refused := c.refuses(t, conn, value); refused != c.constraint() {
				open = append(open, fmt.Sprintf("%s.%s takes %s %s", c.Table, c.Column, value, refused))
			}
		}
		for _, value := range inRange[c.Type] {
			require.NotEqual(t, c.constraint(), c.refuses(t, conn, value), value)
		}
	}
	require.Empty(t, open)
}

func (c rangedColumn) constraint() string { return c.Table + "_" + c.Column + "_range" }

// refuses puts the value into a copy of the table that has its checks and
// nothing else, and returns the check of the column that stops it.
func (c rangedColumn) refuses(t *testing.T, conn *pgx.Conn, value string) string {
	t.Helper()
	tx, err := conn.Begin(ctx)
	require.NoError(t, err)
	defer func() { require.NoError(t, tx.Rollback(ctx)) }()
	_, err = tx.Exec(ctx, fmt.Sprintf(`CREATE TEMP TABLE copy ON COMMIT DROP AS SELECT %s FROM interlock.%s WITH NO DATA`, c.Column, c.Table))
	require.NoError(t, err)
	checks, err := tx.Query(ctx, `SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = ('interlock.' || $1)::regclass AND conname = $2`, c.Table, c.constraint())
	require.NoError(t, err)
	defs, err := pgx.CollectRows(checks, pgx.RowTo[string])
	require.NoError(t, err)
	for _, def := range defs {
		_, err = tx.Exec(ctx, fmt.Sprintf(`ALTER TABLE copy ADD CONSTRAINT %s %s`, c.constraint(), strings.TrimSuffix(def, " NOT VALID")))
		require.NoError(t, err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO copy VALUES ('`+value+`')`)
	var refusal *pgconn.PgError
	if errors.As(err, &refusal) {
		return refusal.ConstraintName
	}
	require.NoError(t, err)
	return ""
}

func migrated(t *testing.T) *pgx.Conn {
	t.Helper()
	url := devtest.Postgres(t)
	require.NoError(t, Up(ctx, url))
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(ctx) })
	return conn
}

const (
	accountSQL = `INSERT INTO interlock.accounts (id, venue, rest_url) VALUES ('paper', 'paper', 'http://127.0.0.1:1/v2');`

	unreadableSQL = accountSQL + `
		INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount, expires_at)
			VALUES ('p', 'anna', 'paper', 'BTC-EUR', 'buy', 1, 'infinity'), ('q', 'anna', 'paper', 'BTC-EUR', 'buy', 1, now());
		INSERT INTO interlock.trade_history (user_id, asset, side, executed_at, fee)
			VALUES ('anna', 'BTC', 'buy', '-infinity', 'NaN'), ('anna', 'BTC', 'buy', 'infinity', 1)`

	readableSQL = `
		UPDATE interlock.trade_proposals SET expires_at = now() WHERE NOT isfinite(expires_at);
		UPDATE interlock.trade_history SET executed_at = recorded_at WHERE NOT isfinite(executed_at);
		UPDATE interlock.trade_history SET fee = NULL WHERE fee = 'NaN'`
)

// beforeRanges is the last version that took every time and number.
func beforeRanges(t *testing.T) int32 {
	t.Helper()
	entries, err := files.ReadDir(".")
	require.NoError(t, err)
	for i, entry := range entries {
		text, err := files.ReadFile(entry.Name())
		require.NoError(t, err)
		if strings.Contains(string(text), "_range'") {
			return int32(i)
		}
	}
	require.Fail(t, "no migration limits times and numbers")
	return 0
}

// What such a value meant only its writer knows: nothing is guessed, and
// nothing is half migrated.
func TestValuesThatNobodyCanReadAreNamedAndStopTheMigration(t *testing.T) {
	t.Parallel()
	url := devtest.Postgres(t)
	before := beforeRanges(t)
	require.NoError(t, To(ctx, url, before))
	execute(t, url, unreadableSQL)
	err := Up(ctx, url)
	require.ErrorContains(t, err, "1 of trade_proposals.expires_at")
	require.ErrorContains(t, err, "1 of trade_history.fee, 2 of trade_history.executed_at")
	require.ErrorContains(t, err, "correct these rows")
	current, latest, err := Version(ctx, url)
	require.NoError(t, err)
	require.Equal(t, before, current)
	execute(t, url, readableSQL)
	require.NoError(t, Up(ctx, url))
	current, _, err = Version(ctx, url)
	require.NoError(t, err)
	require.Equal(t, latest, current)
}
