package postgres

import (
	"crypto/rand"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
	"interlock/migrations"
)

// storeAs connects as a new login that has role and nothing else.
func storeAs(t *testing.T, url, role string) *Store {
	t.Helper()
	login := newLogin(t, url)
	require.NoError(t, EnsureLogin(ctx, url, login, "it's \"secret\"", role))
	own, err := LoginURL(url, login, "it's \"secret\"")
	require.NoError(t, err)
	return openStore(t, own)
}

// as is the same database through a login of role.
func (d desk) as(role string) *Store {
	d.t.Helper()
	return storeAs(d.t, d.pool.Config().ConnString(), role)
}

// newLogin names a login that is dropped after t: roles outlive databases.
func newLogin(t *testing.T, url string) string {
	t.Helper()
	login := `Test "` + strings.ToLower(rand.Text()[:10]) + `"`
	t.Cleanup(func() {
		conn, err := pgx.Connect(ctx, url)
		require.NoError(t, err)
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "DROP ROLE IF EXISTS "+quoted(login))
		require.NoError(t, err)
	})
	return login
}

func TestLoginHasExactlyOneRoleWhateverItWasBefore(t *testing.T) {
	t.Parallel()
	url := devtest.Database(t, migrations.Up)
	s := openStore(t, url)
	login := newLogin(t, url)
	_, err := s.pool.Exec(ctx, "CREATE ROLE "+quoted(login)+" SUPERUSER NOINHERIT")
	require.NoError(t, err)
	for _, role := range groupRoles {
		require.NoError(t, EnsureLogin(ctx, url, login, "secret", role))
		require.NoError(t, EnsureLogin(ctx, url, login, "secret", role))
		var groups []string
		var powers int
		require.NoError(t, s.pool.QueryRow(ctx, `
			SELECT array_agg(g.rolname), max((l.rolsuper OR l.rolcreatedb OR l.rolcreaterole OR l.rolbypassrls OR NOT l.rolinherit)::int)
			FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles l ON l.oid = m.member
			WHERE l.rolname = $1`, login).Scan(&groups, &powers))
		require.Equal(t, []string{role}, groups)
		require.Zero(t, powers)
	}
}

func TestRivalsEnsureOneLogin(t *testing.T) {
	t.Parallel()
	url := devtest.Database(t, migrations.Up)
	login := newLogin(t, url)
	errs := make([]error, 8)
	rivals(len(errs), func(i int) { errs[i] = EnsureLogin(ctx, url, login, "secret", APIRole) })
	for _, err := range errs {
		require.NoError(t, err)
	}
	own, err := LoginURL(url, login, "secret")
	require.NoError(t, err)
	_, err = openStore(t, own).Accounts(ctx)
	require.NoError(t, err)
}

func TestLoginsThatWouldHarmAreRefused(t *testing.T) {
	t.Parallel()
	url := devtest.Database(t, migrations.Up)
	admin := openStore(t, url).pool.Config().ConnConfig.User
	for _, c := range [][2]string{{"someone", "postgres"}, {"someone", ""}, {"", APIRole}, {OrdersRole, APIRole}, {admin, APIRole}} {
		require.ErrorIs(t, EnsureLogin(ctx, url, c[0], "secret", c[1]), ErrInvalid, "%v", c)
	}
	_, err := LoginURL("host=127.0.0.1 user=postgres", "x", "secret")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret")
}

// Every role is tried on what it must not do; a missing grant shows elsewhere,
// as a method that fails.
func TestRolesCannotDoEachOthersWork(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.claimed("p")
	forbidden := map[string][]string{
		APIRole: {
			`UPDATE interlock.trade_proposals SET status = 'PENDING'`, `INSERT INTO interlock.trade_executions DEFAULT VALUES`,
			`INSERT INTO interlock.trading_controls VALUES ('x')`, `UPDATE interlock.trading_controls SET scope = 'x'`, `INSERT INTO interlock.api_tokens DEFAULT VALUES`,
			`SELECT interlock.raise_halt('paper', 'a', 'b')`, `INSERT INTO interlock.trade_history DEFAULT VALUES`,
		},
		OrdersRole: {
			`INSERT INTO interlock.trade_executions DEFAULT VALUES`, `UPDATE interlock.trade_executions SET status = 'EXECUTED'`,
			`INSERT INTO interlock.trade_history DEFAULT VALUES`, `SELECT * FROM interlock.api_tokens`,
			`UPDATE interlock.trading_controls SET state = 'ACTIVE'`, `SELECT interlock.lock_for_proposal('p')`,
		},
		ProposalsRole: {
			`SELECT * FROM interlock.api_tokens`, `INSERT INTO interlock.trade_proposals DEFAULT VALUES`,
			`UPDATE interlock.trading_controls SET state = 'ACTIVE'`, `INSERT INTO interlock.trading_policies DEFAULT VALUES`,
		},
		ScansRole: {
			`SELECT * FROM interlock.trade_executions`, `SELECT * FROM interlock.api_tokens`,
			`UPDATE interlock.trade_proposals SET status = 'CANCELLED'`, `INSERT INTO interlock.order_attempts DEFAULT VALUES`,
		},
		OperatorRole: {
			`INSERT INTO interlock.trade_executions DEFAULT VALUES`, `UPDATE interlock.trade_executions SET status = 'FAILED'`,
			`UPDATE interlock.trade_proposals SET status = 'PENDING'`, `INSERT INTO interlock.order_attempts DEFAULT VALUES`,
		},
	}
	for _, role := range groupRoles {
		s := d.as(role)
		for _, sql := range append(forbidden[role],
			`DELETE FROM interlock.audit_events`, `UPDATE interlock.audit_heads SET seq = 0`, `INSERT INTO interlock.audit_events DEFAULT VALUES`,
			`TRUNCATE interlock.audit_events`, `DELETE FROM interlock.trade_executions`, `DROP TABLE interlock.accounts`,
		) {
			_, err := s.pool.Exec(ctx, sql)
			require.Error(t, err, "%s: %s", role, sql)
			require.Regexp(t, "permission denied|must be owner", err.Error(), "%s: %s", role, sql)
		}
	}
}
