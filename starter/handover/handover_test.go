// Package handover_test switches a database from the earlier system to this one
// and back, through the command line.
package handover_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
	"interlock/internal/postgres"
	"interlock/internal/trade"
	"interlock/migrations"
	"interlock/starter/cli"
)

func TestMain(m *testing.M) { devtest.Main(m) }

const (
	anna     = "a0000000-0000-4000-8000-000000000001" // in both systems
	executed = "b0000000-0000-4000-8000-000000000001"
	failed   = "b0000000-0000-4000-8000-000000000002"
	pending  = "b0000000-0000-4000-8000-000000000003"
)

// desk is one database with the earlier system's tables and ours.
type desk struct {
	t     *testing.T
	owner string // URL
	url   string // as an operator
	conn  *pgx.Conn
	store *postgres.Store // with all rights
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, owner: devtest.Postgres(t)}
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, d.owner)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	d.conn = conn
	fixture, err := os.ReadFile("testdata/earlier.sql")
	require.NoError(t, err)
	d.exec(string(fixture))
	d.up()
	return d
}

// up brings our schema up with everything a preflight needs, but a policy.
func (d *desk) up() {
	d.t.Helper()
	ctx := d.t.Context()
	require.NoError(d.t, migrations.Up(ctx, d.owner))
	var name string
	require.NoError(d.t, d.conn.QueryRow(ctx, `SELECT current_database()`).Scan(&name))
	login := "operator_" + name
	require.NoError(d.t, postgres.EnsureLogin(ctx, d.owner, login, "secret", postgres.OperatorRole))
	address, err := postgres.LoginURL(d.owner, login, "secret")
	require.NoError(d.t, err)
	d.url = address
	d.store, err = postgres.Open(ctx, d.owner)
	require.NoError(d.t, err)
	d.t.Cleanup(d.store.Close)
	require.NoError(d.t, d.store.CreateAccount(ctx, postgres.Account{ID: "paper", Venue: "paper", RESTURL: "http://127.0.0.1:1/v2"}))
	now, since, err := d.store.StartComparison(ctx, "paper", time.Minute)
	require.NoError(d.t, err)
	require.NotZero(d.t, since)
	_, err = d.store.Compare(ctx, trade.Comparison{AccountID: "paper", StartedAt: now})
	require.NoError(d.t, err)
	one := decimal.NewFromInt(1)
	rules := trade.MarketRules{TickSize: one, QuantityDecimals: 8, NotionalDecimals: 2, MinQuote: one, Status: "trading"}
	require.NoError(d.t, d.store.PutMarketFacts(ctx, "paper", now, []trade.MarketFact{
		{Market: "BTC-EUR", Price: decimal.NewFromInt(80000), Rules: rules}, {Market: "ETH-EUR", Price: decimal.NewFromInt(3000), Rules: rules},
	}))
	require.NoError(d.t, d.store.PutClock(ctx, "paper", now, now, now))
}

func (d *desk) exec(sql string, args ...any) {
	d.t.Helper()
	_, err := d.conn.Exec(d.t.Context(), sql, args...)
	require.NoError(d.t, err)
}

func (d *desk) count(sql string, args ...any) (n int) {
	d.t.Helper()
	require.NoError(d.t, d.conn.QueryRow(d.t.Context(), sql, args...).Scan(&n))
	return n
}

// policy allows BTC and ETH in small amounts, changed as a test needs it.
func (d *desk) policy(change ...func(*trade.Policy)) {
	d.t.Helper()
	text, err := os.ReadFile("../../internal/trade/testdata/policy.json")
	require.NoError(d.t, err)
	p, err := trade.ParsePolicy(text)
	require.NoError(d.t, err)
	for _, c := range change {
		c(&p)
	}
	_, err = d.store.PutPolicy(d.t.Context(), anna, "paper", p, "test")
	require.NoError(d.t, err)
}

// run is one command as the operator.
func (d *desk) run(args ...string) (code int, stdout, stderr string) {
	d.t.Helper()
	return runIn(d.t, map[string]string{"DATABASE_URL": d.url}, args...)
}

func runIn(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	args = append(args, "--state", filepath.Join(t.TempDir(), "none"))
	code = cli.Run(t.Context(), args, func(name string) string { return env[name] }, nil, &out, &errs)
	return code, out.String(), errs.String()
}

type report struct {
	Tables   []tally
	InFlight []string
	Refused  []struct{ Table, Key, Reason string }
}

type tally struct {
	Table                                  string
	Read, New, AlreadyThere, Left, Refused int64
}

// imports runs an import that must end with code, and returns its report.
func (d *desk) imports(code int, flags ...string) report {
	d.t.Helper()
	got, out, errs := d.run(append([]string{"import", "--account", "paper", "--from", d.owner, "--json"}, flags...)...)
	require.Equal(d.t, code, got, errs)
	var r report
	require.NoError(d.t, json.Unmarshal([]byte(out), &r), out)
	return r
}

func (r report) of(t *testing.T, table string) tally {
	t.Helper()
	for _, x := range r.Tables {
		if x.Table == table {
			x.Table = ""
			return x
		}
	}
	require.Fail(t, "no such table in the report", table)
	return tally{}
}

func (d *desk) propose(id string, market trade.Market, side trade.Side) error {
	d.t.Helper()
	quote, sure := decimal.NewFromInt(25), decimal.RequireFromString("0.9")
	p := trade.Proposal{ID: id, UserID: anna, AccountID: "paper", Market: market, Side: side, AmountQuote: &quote, Confidence: &sure}
	_, _, err := d.store.InsertProposal(d.t.Context(), p, "test")
	return err
}

func (d *desk) ask(id string) trade.Decision {
	d.t.Helper()
	decision, err := d.store.Preflight(d.t.Context(), trade.Request{ID: uuid.NewString(), ProposalID: id, Actor: "test", Via: "update"})
	require.NoError(d.t, err)
	return decision
}

func codes(decision trade.Decision) []trade.Code {
	var list []trade.Code
	for _, b := range decision.Verdict.Blocks() {
		list = append(list, b.Code)
	}
	return list
}

// TestImportedTradesBlockAtOnce: a trade of half an hour ago is in force for
// cooldown, anti-flip, the hour and the day of the policy's own time zone.
func TestImportedTradesBlockAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.policy()
	require.NoError(t, d.propose("before", "BTC-EUR", trade.Buy))
	require.NotContains(t, codes(d.ask("before")), trade.CooldownBlocked)

	d = newDesk(t)
	d.policy()
	d.imports(0)
	require.NoError(t, d.propose("again", "BTC-EUR", trade.Buy))
	require.Equal(t, []trade.Code{trade.CooldownBlocked}, codes(d.ask("again")))
	require.NoError(t, d.propose("back", "BTC-EUR", trade.Sell))
	require.Subset(t, codes(d.ask("back")), []trade.Code{trade.CooldownBlocked, trade.AntiFlipBlocked})

	d.policy(func(p *trade.Policy) { p.TradesPerHour = trade.CountLimit{Value: 1} })
	require.NoError(t, d.propose("ether", "ETH-EUR", trade.Buy))
	require.Equal(t, []trade.Code{trade.HourlyLimitReached}, codes(d.ask("ether")))
}

// TestDayOfAnImportedTradeIsThePolicys: fourteen hours ago is still today where
// it is late in the evening, and was yesterday where it is noon.
func TestDayOfAnImportedTradeIsThePolicys(t *testing.T) {
	t.Parallel()
	for hour, blocks := range map[int][]trade.Code{22: {trade.DailyLimitReached}, 12: nil} {
		t.Run(strconv.Itoa(hour), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.exec(`UPDATE public.trade_history SET executed_at = now() - interval '14 hours' WHERE order_id = 'o-1'`)
			d.imports(0)
			d.policy(func(p *trade.Policy) {
				require.NoError(t, json.Unmarshal([]byte(`"`+zoneWhereItIs(hour)+`"`), &p.TimeZone))
				p.TradesPerDay = trade.CountLimit{Value: 1}
			})
			require.NoError(t, d.propose("ether", "ETH-EUR", trade.Buy))
			require.Equal(t, blocks, codes(d.ask("ether")))
		})
	}
}

// zoneWhereItIs names a time zone in which the clock now shows hour and some
// minutes.
func zoneWhereItIs(hour int) string {
	ahead := (hour-time.Now().UTC().Hour()+36)%24 - 12
	return fmt.Sprintf("Etc/GMT%+d", -ahead) // these names count westwards
}

func TestImportTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	first := d.imports(0)
	require.Equal(t, tally{Read: 1201, New: 1201}, first.of(t, "trade_history"))
	require.Equal(t, tally{Read: 2, New: 2}, first.of(t, "trade_executions"))
	require.Equal(t, tally{Read: 4, New: 1, AlreadyThere: 2, Left: 1}, first.of(t, "trade_proposals"), "EXPIRED is closed, PENDING stays")

	kept := d.checksum("interlock")
	second := d.imports(0)
	require.Equal(t, tally{Read: 1201, AlreadyThere: 1201}, second.of(t, "trade_history"))
	require.Equal(t, tally{Read: 2, AlreadyThere: 2}, second.of(t, "gpt_usage_log"))
	require.Equal(t, tally{Read: 4, AlreadyThere: 3, Left: 1}, second.of(t, "trade_proposals"))
	require.Equal(t, kept, d.checksum("interlock"))
}

func TestRehearsalKeepsNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	kept := d.checksum("interlock")
	drafts := filepath.Join(t.TempDir(), "drafts")
	r := d.imports(0, "--dry-run", "--policies", drafts)
	require.EqualValues(t, 1201, r.of(t, "trade_history").New)
	require.Equal(t, kept, d.checksum("interlock"))
	require.NoDirExists(t, drafts)
}

// What the earlier system began is not begun here, not even what it calls
// failed: it called failed what it could not read of the exchange's answer.
func TestProposalThatWasBegunThereIsNeverExecutedHere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.policy(func(p *trade.Policy) { p.Cooldown, p.AntiFlip = 0, 0 })
	require.NoError(t, d.propose(executed, "BTC-EUR", trade.Buy), "carried over by hand before the import")
	d.imports(0)
	require.Equal(t, []trade.Code{trade.ProposalClosed}, codes(d.ask(executed)))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.audit_events WHERE kind = 'proposal.cancel' AND proposal_id = $1`, executed))

	err := d.propose(failed, "ETH-EUR", trade.Buy)
	require.ErrorIs(t, err, postgres.ErrConflict)
	require.ErrorContains(t, err, "is FAILED in the earlier system")
	require.NoError(t, d.propose(pending, "ETH-EUR", trade.Sell), "nobody has begun it")
}

func TestExecutionInFlightThereStopsTheImport(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.policy()
	d.exec(`UPDATE public.trade_executions SET status = 'EXECUTING' WHERE proposal_id = $1`, executed)
	kept := d.checksum("interlock")
	code, out, errs := d.run("import", "--account", "paper", "--from", d.owner)
	require.Equal(t, 3, code)
	require.Empty(t, out)
	require.Contains(t, errs, executed+" (EXECUTING in trade_executions)")
	require.Equal(t, 1, strings.Count(errs, "\n"))
	require.Equal(t, kept, d.checksum("interlock"))

	r := d.imports(0, "--force")
	require.Len(t, r.InFlight, 1)
	require.ErrorIs(t, d.propose(executed, "BTC-EUR", trade.Buy), postgres.ErrConflict)
}

func TestProposalClaimedInBothIsShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.policy()
	require.NoError(t, d.propose(failed, "ETH-EUR", trade.Buy))
	require.NotNil(t, d.ask(failed).Claim)
	r := d.imports(1)
	require.Contains(t, r.Refused[0].Reason, "is EXECUTING here and FAILED there")
	require.Equal(t, failed, r.Refused[0].Key)
}

func TestImportedCallsCountInTheBudget(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.policy()
	d.imports(0)
	state, err := d.store.Budget(t.Context(), anna, "paper")
	require.NoError(t, err)
	require.Equal(t, 2, state.Used.CallsLastHour)
	require.GreaterOrEqual(t, state.Used.CallsToday, 1) // midnight may lie between the two
}

// checksum is every row of every table of a schema, and what the catalog says
// of the schema.
func (d *desk) checksum(schema string) string {
	d.t.Helper()
	ctx := d.t.Context()
	rows, err := d.conn.Query(ctx, `SELECT table_name::text FROM information_schema.tables WHERE table_schema = $1 ORDER BY 1`, schema)
	require.NoError(d.t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(d.t, err)
	require.NotEmpty(d.t, tables)
	var sum strings.Builder
	for _, table := range tables {
		name := pgx.Identifier{schema, table}.Sanitize()
		var digest string
		require.NoError(d.t, d.conn.QueryRow(ctx, `SELECT count(*) || ' ' || coalesce(md5(string_agg(x::text || x.xmin || x.ctid, E'\n' ORDER BY x::text)), '') FROM `+name+` x`).Scan(&digest))
		sum.WriteString(table + " " + digest + "\n")
	}
	return sum.String() + d.catalog(schema)
}

const catalogSQL = `
	SELECT md5(string_agg(line, E'\n' ORDER BY line)) FROM (
		SELECT (c.oid, relname, relkind, relowner, relacl, relrowsecurity, relforcerowsecurity, reloptions, relfilenode)::text
		FROM pg_class c WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::name)
		UNION ALL SELECT a::text FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::name)
		UNION ALL SELECT k::text FROM pg_constraint k WHERE connamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::name)
		UNION ALL SELECT p::text FROM pg_proc p WHERE pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::name)
		UNION ALL SELECT t::text FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::name)
		UNION ALL SELECT n::text FROM pg_namespace n WHERE nspname = $1::name
		UNION ALL SELECT p::text FROM pg_policy p JOIN pg_class c ON c.oid = polrelid WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1::name)
	) x (line)`

// catalog leaves out what the server itself keeps in pg_class, such as counts.
func (d *desk) catalog(schema string) string {
	d.t.Helper()
	var digest string
	require.NoError(d.t, d.conn.QueryRow(d.t.Context(), catalogSQL, schema).Scan(&digest))
	return digest
}
