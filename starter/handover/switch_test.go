package handover_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
	"interlock/internal/postgres"
	"interlock/internal/trade"
	"interlock/migrations"
)

// claimed passes preflight.
func (d *desk) claimed(id string, market trade.Market) trade.Claim {
	d.t.Helper()
	require.NoError(d.t, d.propose(id, market, trade.Buy))
	decision := d.ask(id)
	require.Empty(d.t, codes(decision))
	return *decision.Claim
}

// filled carries a claim through to a filled order.
func (d *desk) filled(c trade.Claim) {
	d.t.Helper()
	ctx := d.t.Context()
	_, placing, err := d.store.BeginAttempt(ctx, c.Ref(), 1, time.Now().Add(trade.AccessWindow), "test")
	require.NoError(d.t, err)
	require.Nil(d.t, placing)
	at, amount, price := time.Now().UTC(), decimal.RequireFromString("0.008"), decimal.NewFromInt(3000)
	o := trade.Order{
		OrderID: "order-" + c.ProposalID, ClientOrderID: c.ClientOrderID.String(), Market: c.Plan.Market, Side: c.Plan.Side, Status: "filled",
		Amount: amount, FilledAmount: amount, FilledAmountQuote: amount.Mul(price), FeeCurrency: "EUR", CreatedAt: at, UpdatedAt: at,
		Fills: []trade.Fill{{ID: "fill-" + c.ProposalID, At: at, Amount: amount, Price: price, FeeCurrency: "EUR", Taker: true, Settled: true}},
	}
	require.NoError(d.t, d.store.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test"))
	r, err := d.store.RecordOrder(ctx, c.Ref())
	require.NoError(d.t, err)
	require.Equal(d.t, trade.Executed, r.Status)
}

func (d *desk) migrate(code int, args ...string) string {
	d.t.Helper()
	got, _, errs := runIn(d.t, map[string]string{"DATABASE_URL": d.owner}, append([]string{"migrate"}, args...)...)
	require.Equal(d.t, code, got, errs)
	return errs
}

// executes is what the earlier system does first with a proposal: its claim.
func (d *desk) executes(proposal string) error {
	_, err := d.conn.Exec(d.t.Context(), `INSERT INTO public.trade_executions (user_id, proposal_id, status) VALUES ($1, $2, 'EXECUTING')`, anna, proposal)
	return err
}

// TestSwitchOverAndBack is docs/switching.md as a test, there, back, and there
// again: no proposal is executed twice, every trade counts on either side, and
// the earlier system's tables are changed by their owner alone.
func TestSwitchOverAndBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	untouched := d.checksum("public")
	d.policy()

	d.imports(0)
	claim := d.claimed(pending, "ETH-EUR") // stored there, executed here
	require.Contains(t, d.migrate(3, "to", "0", "--yes"), "1 EXECUTING and 0 UNRESOLVED ("+pending+")")
	code, _, errs := d.run("export", "trades", "--account", "paper")
	require.Equal(t, 3, code)
	require.Contains(t, errs, pending+" (EXECUTING)")
	d.filled(claim)
	require.Equal(t, untouched, d.checksum("public"))

	code, back, errs := d.run("export", "trades", "--account", "paper")
	require.Zero(t, code, errs)
	require.Equal(t, untouched, d.checksum("public"))
	kept := d.checksum("interlock")
	for range 2 { // applied twice it changes nothing
		d.exec(back)
		require.Equal(t, 2, d.count(`SELECT count(*) FROM public.trade_history WHERE executed_at > now() - interval '60 minutes'`))
	}
	require.Error(t, d.executes(pending), "the earlier system's own lock knows that it was executed")
	again := d.imports(0) // both stand side by side: our trade comes back as one that is there
	require.Zero(t, again.of(t, "trade_history").New)
	require.Equal(t, d.tables("interlock", "trade_history"), 1202)
	require.NotEqual(t, kept, d.checksum("interlock"), "the ID is closed here as well")

	d.migrate(0, "to", "0", "--yes")
	beside := d.checksum("public")
	d.up()
	d.policy()
	third := d.imports(0)
	require.EqualValues(t, 1202, third.of(t, "trade_history").New)
	require.ErrorIs(t, d.propose(pending, "ETH-EUR", trade.Buy), postgres.ErrConflict)
	require.NoError(t, d.propose("next", "ETH-EUR", trade.Buy))
	require.Equal(t, []trade.Code{trade.CooldownBlocked}, codes(d.ask("next")))
	require.Equal(t, beside, d.checksum("public"))
}

func (d *desk) tables(schema, table string) int {
	d.t.Helper()
	return d.count(`SELECT count(*) FROM ` + pgx.Identifier{schema, table}.Sanitize())
}

// TestImportWorksThroughAPooler: the earlier database, ours, or both may stand
// behind one that hands sessions on after each transaction.
func TestImportWorksThroughAPooler(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.policy()
	d.url = devtest.Pooled(t, d.url)
	direct := d.owner
	d.owner = devtest.Pooled(t, direct)
	require.Equal(t, tally{Read: 1201, New: 1201}, d.imports(0).of(t, "trade_history"))
	require.Equal(t, tally{Read: 1201, AlreadyThere: 1201}, d.imports(0).of(t, "trade_history"))
	require.Contains(t, d.migrate(2, "status"), "use the database's direct address")
	require.Contains(t, d.migrate(2, "down", "--yes"), "use the database's direct address")
	current, latest, err := migrations.Version(t.Context(), direct)
	require.NoError(t, err)
	require.Equal(t, latest, current)
}

func TestDraftsOfPoliciesAreForAPersonToComplete(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	folder := filepath.Join(t.TempDir(), "drafts")
	d.imports(0, "--policies", folder, "--user-map", anna+"=anna")
	text, err := os.ReadFile(filepath.Join(folder, "anna.json"))
	require.NoError(t, err)
	require.Contains(t, string(text), `"allowlist": ["BTC-EUR", "ETH-EUR"]`)
	require.Contains(t, string(text), `"cooldown": "60m"`)
	_, err = trade.ParsePolicy(text)
	require.ErrorContains(t, err, "maxOrderQuote")
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.trading_policies`), "nobody has allowed anything yet")
	require.NoError(t, d.propose("p", "BTC-EUR", trade.Buy))
	require.Contains(t, codes(d.ask("p")), trade.PolicyMissing)

	require.NoError(t, os.WriteFile(filepath.Join(folder, "anna.json"), []byte("completed"), 0o600))
	d.imports(0, "--policies", folder, "--user-map", anna+"=anna")
	text, err = os.ReadFile(filepath.Join(folder, "anna.json"))
	require.NoError(t, err)
	require.Equal(t, "completed", string(text))
}

// TestWhatCannotBeUnderstoodIsRefusedByName lists what the tables may be like,
// and the one line that each gets.
func TestWhatCannotBeUnderstoodIsRefusedByName(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	kept := d.checksum("interlock")
	for _, c := range []struct {
		name, change string
		flags        []string
		says         string
	}{
		{"renamed", `ALTER TABLE public.trade_history RENAME executed_at TO happened`, nil, "trade_history.executed_at: the table has no such column; name the one that holds it with --column trade_history.executed_at=NAME; it has id, user_id"},
		{"no zone", `ALTER TABLE public.trade_history ALTER executed_at TYPE timestamp`, nil, "trade_history.executed_at: column executed_at bears no time zone; name it with --time-zone"},
		{"number", `ALTER TABLE public.trade_history ALTER executed_at DROP DEFAULT, ALTER executed_at TYPE bigint USING 1`, nil, "column executed_at is bigint; only timestamp"},
		{"no tokens", `ALTER TABLE public.gpt_usage_log DROP tokens`, nil, "gpt_usage_log.tokens: the table has no such column"},
		{"no table", `DROP TABLE public.trade_history`, nil, "there is no table public.trade_history"},
		{"unknown flag", ``, []string{"--column", "trade_history.when=x"}, "--column trade_history.when: nothing of that name is read"},
		{"unknown column", ``, []string{"--column", "trade_history.amount=x"}, "--column trade_history.amount=x: the table has no such column"},
		{"float", `ALTER TABLE public.trade_history ALTER amount TYPE double precision`, []string{"--column", "trade_history.amount=amount"}, "column amount is double precision"},
		{"zone", ``, []string{"--time-zone", "Mars"}, `--time-zone: "Mars" is not a time zone`},
		{"account", ``, []string{"--account", "none"}, "account none"},
		{"schema", ``, []string{"--schema", "none"}, "there is no table none.trade_history"},
		{"url", ``, []string{"--from", "http://x"}, "--from: is not a PostgreSQL URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d.exec(c.change)
			code, out, errs := d.run(append([]string{"import", "--account", "paper", "--from", d.owner}, c.flags...)...)
			require.Contains(t, []int{2, 7}, code)
			require.Empty(t, out)
			require.Contains(t, errs, c.says)
			require.Equal(t, 1, strings.Count(errs, "\n"), errs)
			require.Equal(t, kept, d.checksum("interlock"))
			fixture, err := os.ReadFile("testdata/earlier.sql")
			require.NoError(t, err)
			d.exec("DROP SCHEMA public CASCADE; CREATE SCHEMA public;" + string(fixture))
		})
	}
}

// Rows that a security policy hides would look like trades that never were.
func TestHiddenRowsAreNotTakenForNone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.exec(`ALTER TABLE public.trade_history ENABLE ROW LEVEL SECURITY`)
	d.exec(`GRANT USAGE ON SCHEMA public TO interlock_operator; GRANT SELECT ON ALL TABLES IN SCHEMA public TO interlock_operator`)
	code, _, errs := d.run("import", "--account", "paper", "--from", d.url)
	require.Equal(t, 2, code)
	require.Contains(t, errs, "row-level security hides rows of trade_history from this login")
	d.imports(0)
}

func TestRowsThatSayNothingPlainAreListed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.exec(`INSERT INTO public.trade_history (user_id, asset, side, executed_at) VALUES
		($1, 'BTC', 'hold', now()), ($1, 'B T C', 'buy', now()), ($1, 'BTC', 'buy', NULL), ($1, 'BTC', 'buy', now() + interval '1 day'), ($1, 'BTC', 'buy', 'infinity')`, anna)
	r := d.imports(1)
	require.Equal(t, tally{Read: 1206, New: 1201, Refused: 5}, r.of(t, "trade_history"))
	var reasons []string
	for _, x := range r.Refused {
		require.NotEmpty(t, x.Key)
		reasons = append(reasons, x.Reason)
	}
	all := strings.Join(reasons, "\n")
	for _, part := range []string{`side: "hold"`, `asset: "B T C"`, "executed_at: is empty", "lies in the future", "is not an instant"} {
		require.Contains(t, all, part)
	}
	code, _, errs := d.run("import", "--account", "paper", "--from", d.owner)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "5 rows were not brought over")
}

func TestExportSaysWhatItCannotUse(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for says, args := range map[string][]string{
		"--account: say which": {},
		`--format: "xml"`:      {"--account", "paper", "--format", "xml"},
		"--since":              {"--account", "paper", "--since", "yesterday"},
	} {
		code, _, errs := d.run(append([]string{"export", "trades"}, args...)...)
		require.Equal(t, 2, code)
		require.Contains(t, errs, says)
	}
	code, out, _ := d.run("export", "trades", "--account", "paper", "--format", "csv")
	require.Zero(t, code)
	require.Equal(t, "user_id,proposal_id,market,side,amount,amount_quote,fee,fee_currency,order_id,executed_at\n", out)
}
