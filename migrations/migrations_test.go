package migrations

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
	"interlock/internal/waittest"
)

func TestMain(m *testing.M) { devtest.Main(m) }

var ctx = context.Background()

// shapeSQL is everything a migration can make: columns, constraints, indexes,
// functions, triggers and grants.
const shapeSQL = `
	SELECT format('column %s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default)
	FROM information_schema.columns WHERE table_schema = 'interlock'
	UNION ALL SELECT format('constraint %s %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'interlock'::regnamespace
	UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'interlock'
	UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'interlock'::regnamespace
	UNION ALL SELECT format('execute %s %s', p.oid::regprocedure, a.grantee::regrole) FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
		WHERE p.pronamespace = 'interlock'::regnamespace
	UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
		WHERE c.relnamespace = 'interlock'::regnamespace AND NOT tgisinternal
	UNION ALL SELECT format('grant %s %s %s', grantee, table_name, privilege_type) FROM information_schema.role_table_grants WHERE table_schema = 'interlock'
	UNION ALL SELECT format('grant %s %s %s %s', grantee, table_name, column_name, privilege_type) FROM information_schema.column_privileges WHERE table_schema = 'interlock'
	ORDER BY 1`

func shape(t *testing.T, url string) []string {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, shapeSQL)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return lines
}

// without lists what only the first has.
func without(lines, others []string) []string {
	var only []string
	for _, line := range lines {
		if !slices.Contains(others, line) {
			only = append(only, line)
		}
	}
	return only
}

func TestEveryStepHasATestedWayBack(t *testing.T) {
	t.Parallel()
	url := devtest.Postgres(t)
	require.NoError(t, Up(ctx, url))
	current, latest, err := Version(ctx, url)
	require.NoError(t, err)
	require.Equal(t, latest, current)
	require.Positive(t, latest)

	shapes := map[int32][]string{latest: shape(t, url)}
	for v := latest - 1; v >= 0; v-- {
		require.NoError(t, To(ctx, url, v))
		shapes[v] = shape(t, url)
	}
	for v := int32(1); v <= latest; v++ {
		require.NoError(t, To(ctx, url, v))
		now := shape(t, url)
		require.Empty(t, without(now, shapes[v]), "going up to %d made what going down had removed", v)
		require.Empty(t, without(shapes[v], now), "going down to %d left what going up does not make", v)
	}
	require.NotEqual(t, shapes[0], shapes[latest])
}

func TestGoingUpAgainChangesNothing(t *testing.T) {
	t.Parallel()
	url := devtest.Postgres(t)
	require.NoError(t, Up(ctx, url))
	before := shape(t, url)
	require.NoError(t, Up(ctx, url))
	require.Equal(t, before, shape(t, url))
}

func TestRivalsGoUpOnce(t *testing.T) {
	t.Parallel()
	url := devtest.Postgres(t)
	errs := make([]error, 5)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() { errs[i] = Up(ctx, url) })
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func TestDatabaseNewerThanTheProgramIsLeftAlone(t *testing.T) {
	t.Parallel()
	url := devtest.Postgres(t)
	require.NoError(t, Up(ctx, url))
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, `UPDATE interlock.schema_version SET version = 1000`)
	require.NoError(t, err)
	require.ErrorContains(t, Up(ctx, url), "use a newer one")
}

func TestUnreachableDatabaseIsAnError(t *testing.T) {
	t.Parallel()
	require.Error(t, Up(ctx, "postgres://nobody@127.0.0.1:1/none"))
	_, _, err := Version(ctx, "postgres://nobody@127.0.0.1:1/none")
	require.Error(t, err)
}

const claimSQL = `
	INSERT INTO interlock.accounts (id, venue, rest_url) VALUES ('paper', 'paper', 'http://127.0.0.1:1/v2') ON CONFLICT DO NOTHING;
	INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount) VALUES ('p', 'anna', 'paper', 'BTC-EUR', 'buy', 1);
	INSERT INTO interlock.trade_executions
		(user_id, proposal_id, account_id, market, side, client_order_id, status, plan, worst_quote, policy_version, request_id, claimed_at)
	VALUES ('anna', 'p', 'paper', 'BTC-EUR', 'buy', gen_random_uuid(), 'EXECUTING', '{}', 1, 1, 'r', now())`

func execute(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	require.NoError(t, err)
}

func TestGoingDownIsRefusedWhileAnOrderIsOnItsWay(t *testing.T) {
	t.Parallel()
	url := devtest.Postgres(t)
	require.NoError(t, Up(ctx, url))
	_, latest, err := Version(ctx, url)
	require.NoError(t, err)
	execute(t, url, claimSQL)
	for _, status := range []string{"EXECUTING", "UNRESOLVED"} {
		execute(t, url, `UPDATE interlock.trade_executions SET status = '`+status+`'`)
		for v := range latest {
			err := To(ctx, url, v)
			require.ErrorIs(t, err, ErrInFlight)
			require.ErrorContains(t, err, "1 "+status)
			require.ErrorContains(t, err, "(p)")
			current, _, err := Version(ctx, url)
			require.NoError(t, err)
			require.Equal(t, latest, current)
		}
	}
	execute(t, url, `UPDATE interlock.trade_executions SET status = 'EXECUTED', ended_at = now()`)
	require.NoError(t, To(ctx, url, 0))
}

func TestEveryVersionRefusesToGoDownWithAnOrderOnItsWay(t *testing.T) {
	t.Parallel()
	url := devtest.Postgres(t)
	_, latest, err := Version(ctx, url)
	require.NoError(t, err)
	for v := int32(1); v <= latest; v++ {
		require.NoError(t, To(ctx, url, v))
		execute(t, url, claimSQL)
		require.ErrorIs(t, To(ctx, url, v-1), ErrInFlight)
		execute(t, url, `TRUNCATE interlock.trade_proposals CASCADE`)
	}
}

// A claim that is being made when the way back begins is waited for.
func TestNoClaimSlipsPastTheWayBack(t *testing.T) {
	t.Parallel()
	url := devtest.Postgres(t)
	require.NoError(t, Up(ctx, url))
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "BEGIN;"+claimSQL)
	require.NoError(t, err)
	down := make(chan error, 1)
	go func() { down <- To(ctx, url, 0) }()
	watcher, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer watcher.Close(ctx)
	waittest.Until(t, "the lock to be waited for", func() error {
		var waiting bool
		const waitingSQL = `SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'interlock.trade_executions'::regclass)`
		require.NoError(t, watcher.QueryRow(ctx, waitingSQL).Scan(&waiting))
		select {
		case err := <-down:
			require.FailNow(t, "it did not wait", "%v", err)
		default:
		}
		return waittest.Is(waiting, "nobody waits")
	})
	_, err = conn.Exec(ctx, "COMMIT")
	require.NoError(t, err)
	require.ErrorIs(t, <-down, ErrInFlight)
}
