// Package earlier reads the tables of the system that Interlock takes over
// from. It owns one read-only transaction on that system's database, which may
// stand behind a transaction-mode pooler, and says of every table which columns
// it reads and which it lacks. It writes nothing, and refuses to know what the
// rows mean.
package earlier

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/handover"
)

// Options say how to read.
type Options struct {
	Schema  string
	Columns Mapping
	Zone    string // of timestamps that bear none; empty refuses them
}

// Source is one snapshot of the earlier system's tables.
type Source struct {
	conn   *pgx.Conn
	tx     pgx.Tx
	opts   Options
	tables map[string]Table
}

// ErrUnusable is that the tables cannot be read as they are; its text says what
// to name or to change.
var ErrUnusable = errors.New("the earlier system's tables cannot be used")

// Open looks at the tables in url and keeps a snapshot of them. ErrUnusable,
// with every problem by name, when there is anything that it cannot read.
func Open(ctx context.Context, url string, opts Options) (*Source, error) {
	if err := opts.Columns.check(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	if _, err := time.LoadLocation(opts.Zone); err != nil {
		return nil, fmt.Errorf("%w: --time-zone: %q is not a time zone like Europe/Amsterdam", ErrUnusable, opts.Zone)
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("%w: --from: is not a PostgreSQL URL; write it like postgres://user:password@host:5432/database", ErrUnusable)
	}
	// Named statements belong to a session, and a pooler hands sessions on.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.ConnectTimeout = 10 * time.Second
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("earlier system: %w", err)
	}
	s := &Source{conn: conn, opts: opts, tables: map[string]Table{}}
	if err := s.begin(ctx); err != nil {
		s.Close()
		return nil, fmt.Errorf("earlier system: %w", err)
	}
	return s, nil
}

// Close ends the snapshot.
func (s *Source) Close() { s.conn.Close(context.Background()) }

func (s *Source) begin(ctx context.Context) (err error) {
	s.tx, err = s.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	var problems []error
	for _, name := range sorted(needs) {
		table, there, err := s.inspect(ctx, name)
		switch {
		case errors.Is(err, ErrUnusable):
			problems = append(problems, err)
		case err != nil:
			return err
		case there:
			s.tables[name] = table
		}
	}
	for _, name := range []string{handover.TradeHistory, handover.TradeExecutions} {
		if _, there := s.tables[name]; !there && len(problems) == 0 {
			problems = append(problems, fmt.Errorf("%w: there is no table %s.%s; name its schema with --schema", ErrUnusable, s.opts.Schema, name))
		}
	}
	return errors.Join(problems...)
}

const columnsSQL = `
	SELECT c.column_name::text, c.data_type::text,
		coalesce(i.indnatts = 1 AND i.indkey[0] = c.ordinal_position, false) AS is_key
	FROM information_schema.columns c
	LEFT JOIN pg_index i ON i.indisprimary AND i.indrelid = format('%I.%I', c.table_schema, c.table_name)::regclass
	WHERE c.table_schema = $1 AND c.table_name = $2 ORDER BY c.ordinal_position`

// inspect looks at one table. Rows that a security policy hides would look like
// rows that are not there, so such a table is refused.
func (s *Source) inspect(ctx context.Context, name string) (Table, bool, error) {
	rows, err := s.tx.Query(ctx, columnsSQL, s.opts.Schema, name)
	if err != nil {
		return Table{}, false, err
	}
	columns, err := pgx.CollectRows(rows, pgx.RowToStructByName[column])
	if err != nil || len(columns) == 0 {
		return Table{}, false, err
	}
	var hidden bool
	if err := s.tx.QueryRow(ctx, `SELECT row_security_active(format('%I.%I', $1::text, $2::text))`, s.opts.Schema, name).Scan(&hidden); err != nil {
		return Table{}, false, err
	}
	if hidden {
		return Table{}, false, fmt.Errorf("%w: row-level security hides rows of %s from this login; use the table's owner", ErrUnusable, name)
	}
	table, err := plan(name, columns, s.opts.Columns)
	if err == nil {
		err = s.checkZone(table)
	}
	if err != nil {
		return Table{}, false, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return table, true, nil
}

func (s *Source) checkZone(t Table) error {
	for _, what := range sorted(t.Reads) {
		if column := t.Reads[what]; t.types[column] == instants[1] && s.opts.Zone == "" {
			return fmt.Errorf("%s.%s: column %s bears no time zone; name it with --time-zone, such as UTC", t.Name, what, column)
		}
	}
	return nil
}

// Tables lists how each table that is there is read.
func (s *Source) Tables() []Table {
	var all []Table
	for _, name := range sorted(s.tables) {
		all = append(all, s.tables[name])
	}
	return all
}

// batch is how many rows are handed on at once.
const batch = 500

// Now is the clock of the earlier system's database.
func (s *Source) Now(ctx context.Context) (now time.Time, err error) {
	err = s.tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now)
	return now, err
}

// Rows hands all rows of a table to each, in batches; none when the table is
// not there.
func (s *Source) Rows(ctx context.Context, table string, each func([]handover.Row) error) error {
	t, there := s.tables[table]
	if !there {
		return nil
	}
	whats := sorted(t.Reads)
	declare := "DECLARE handover NO SCROLL CURSOR FOR " + s.selection(t, whats)
	if _, err := s.tx.Exec(ctx, declare); err != nil {
		return fmt.Errorf("earlier system: read %s: %w", table, err)
	}
	for {
		rows, err := s.fetch(ctx, whats)
		if err != nil {
			return fmt.Errorf("earlier system: read %s: %w", table, err)
		}
		if len(rows) == 0 {
			_, err := s.tx.Exec(ctx, "CLOSE handover")
			return err
		}
		if err := each(rows); err != nil {
			return err
		}
	}
}

func (s *Source) fetch(ctx context.Context, whats []string) ([]handover.Row, error) {
	rows, err := s.tx.Query(ctx, fmt.Sprintf("FETCH %d FROM handover", batch))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (handover.Row, error) {
		cells := make([]*string, len(whats))
		into := make([]any, len(whats))
		for i := range cells {
			into[i] = &cells[i]
		}
		err := r.Scan(into...)
		row := handover.Row{}
		for i, cell := range cells {
			if cell != nil {
				row[whats[i]] = *cell
			}
		}
		return row, err
	})
}

// selection reads everything as text, and instants in one form.
func (s *Source) selection(t Table, whats []string) string {
	sql := "SELECT "
	for i, what := range whats {
		if i > 0 {
			sql += ", "
		}
		column := pgx.Identifier{t.Reads[what]}.Sanitize()
		switch t.types[t.Reads[what]] {
		case instants[0]:
			column = instantText(column)
		case instants[1]:
			column = instantText("(" + column + " AT TIME ZONE " + literal(s.opts.Zone) + ")")
		default:
			column += "::text"
		}
		sql += column
	}
	return sql + " FROM " + pgx.Identifier{s.opts.Schema, t.Name}.Sanitize()
}

// instantText leaves infinity as the word it is.
func instantText(column string) string {
	return "coalesce(to_char(" + column + " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), " + column + "::text)"
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func values(m map[string]string) []string { return slices.Collect(maps.Values(m)) }

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
