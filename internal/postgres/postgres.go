// Package postgres keeps what Interlock knows, in the schema that package
// migrations owns. Each method is one transaction that holds one rule; what
// may run twice converges, and what two may do at once is settled by a
// constraint, never by a read before a write. It decides nothing about
// trading: it reads facts, asks package trade, and writes the answer.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	pgxdecimal "github.com/jackc/pgx-shopspring-decimal"

	"interlock/internal/pooler"
	"interlock/internal/trade"
)

// Sentinel errors, the only ones callers need to tell apart. Everything else
// is a fault that may be tried again.
var (
	ErrNotFound = trade.ErrNotFound
	ErrConflict = trade.ErrConflict
	ErrInvalid  = trade.ErrInvalid
)

// Store is a database handle of one role. Which methods work depends on the
// role's grants.
type Store struct {
	pool *pgxpool.Pool
}

// Option changes how Open connects.
type Option func(*pgxpool.Config)

// WithTracer shows t every statement before and after it runs, BEGIN and
// COMMIT included.
func WithTracer(t pgx.QueryTracer) Option {
	return func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = t }
}

// Open connects to url, directly or through a transaction-mode pooler. It fails
// when the database cannot be reached within ten seconds. Frozen processes hold
// nobody up: locks, statements and idle time of every transaction are bounded
// on the server's side.
func Open(ctx context.Context, url string, options ...Option) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("DATABASE_URL: is not a PostgreSQL URL; write it like postgres://user:password@host:5432/database")
	}
	for name, value := range map[string]string{
		"application_name": "interlock", "timezone": "UTC", // a pooler carries these two with the client
	} {
		if _, given := cfg.ConnConfig.RuntimeParams[name]; !given {
			cfg.ConnConfig.RuntimeParams[name] = value
		}
	}
	cfg.ConnConfig.ConnectTimeout = 5 * time.Second
	for _, change := range options {
		change(cfg)
	}
	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		pgxdecimal.Register(conn.TypeMap())
		return nil
	}
	first, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := nameless(first, cfg.ConnConfig); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return &Store{pool: pool}, nil
}

// Connect is one connection of its own to url, directly or through a
// transaction-mode pooler, for what no method of Store does.
func Connect(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	return pgx.ConnectConfig(ctx, cfg)
}

// nameless stops cfg from naming statements when a pooler stands before the
// database: a name would stay in a session that others get. Directly, a named
// statement saves the server its planning.
func nameless(ctx context.Context, cfg *pgx.ConnConfig) error {
	look := cfg.Copy()
	look.Tracer = nil
	conn, err := pgx.ConnectConfig(ctx, look)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	pooled, err := pooler.Between(ctx, conn)
	if pooled && cfg.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return err
}

// Close waits for running transactions and closes every connection.
func (s *Store) Close() { s.pool.Close() }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.pool.Ping(ctx) }

// bounds hold for one transaction. Set for a session they would stay in it, and
// a pooler gives that session to others; as startup parameters a pooler refuses
// them, or drops them silently.
const bounds = `; SET LOCAL statement_timeout = '5s'; SET LOCAL lock_timeout = '4s'; SET LOCAL idle_in_transaction_session_timeout = '5s'`

// inTx runs do in one READ COMMITTED transaction: each statement sees what was
// committed before it, so facts read after a lock are not older than the lock.
func (s *Store) inTx(ctx context.Context, do func(pgx.Tx) error) error {
	return classify(pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{BeginQuery: "BEGIN ISOLATION LEVEL READ COMMITTED" + bounds}, do))
}

// dataException begins the codes of values that cannot be kept: a NUL in a
// text, a number or a time out of range. They stay so when asked again.
const dataException = "22"

// classify maps the database's refusals to the sentinels, once.
func classify(err error) error {
	var refusal *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pgx.ErrNoRows):
		return ErrNotFound
	case !errors.As(err, &refusal):
		return err
	}
	switch code := refusal.Code; {
	case code == "23505", code == "23P01":
		return fmt.Errorf("%w: %s", ErrConflict, refusal.Message)
	case strings.HasPrefix(code, "23"), strings.HasPrefix(code, dataException):
		return fmt.Errorf("%w: %s", ErrInvalid, refusal.Message)
	}
	return err
}

// querier is what both a pool and a transaction can do.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// one collects the only row of a query, by column name.
func one[T any](ctx context.Context, q querier, sql string, args pgx.StrictNamedArgs) (T, error) {
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		var none T
		return none, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[T])
}

// all collects the rows of a query, by column name.
func all[T any](ctx context.Context, q querier, sql string, args pgx.StrictNamedArgs) ([]T, error) {
	rows, err := q.Query(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[T])
}
