package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

const account = "paper"

var ctx = context.Background()

// desk is a store with everything in place that a preflight needs to pass.
type desk struct {
	*Store
	t *testing.T
}

func newDesk(t *testing.T, change ...func(p *trade.Policy)) desk {
	t.Helper()
	d := desk{newStore(t), t}
	d.exec(`INSERT INTO interlock.accounts (id, venue, rest_url, read_lag) VALUES ('paper', 'paper', 'http://127.0.0.1:1/v2', '30 seconds')`)
	d.policy("anna", change...)
	d.price("BTC-EUR", "80000")
	d.price("ETH-EUR", "3000")
	d.reconciled()
	return d
}

func (d desk) exec(sql string, args ...any) {
	d.t.Helper()
	_, err := d.pool.Exec(ctx, sql, args...)
	require.NoError(d.t, err)
}

func (d desk) count(sql string, args ...any) int {
	d.t.Helper()
	var n int
	require.NoError(d.t, d.pool.QueryRow(ctx, sql, args...).Scan(&n))
	return n
}

// policy stores a wide policy, changed as a test needs it.
func (d desk) policy(user string, change ...func(p *trade.Policy)) {
	d.t.Helper()
	text, err := os.ReadFile("../trade/testdata/policy.json")
	require.NoError(d.t, err)
	p, err := trade.ParsePolicy(text)
	require.NoError(d.t, err)
	p.Cooldown, p.AntiFlip = 0, 0
	p.TradesPerDay, p.TradesPerHour = trade.CountLimit{Unlimited: true}, trade.CountLimit{Unlimited: true}
	p.ExposureMarket, p.ExposureAccount = trade.AmountLimit{Unlimited: true}, trade.AmountLimit{Unlimited: true}
	p.RepeatThrottle = trade.Throttle{Unlimited: true}
	p.PriceMaxAge = trade.Duration(30 * time.Minute) // how long a test takes is the machine's affair
	for _, c := range change {
		c(&p)
	}
	body, err := json.Marshal(p)
	require.NoError(d.t, err)
	d.exec(`INSERT INTO interlock.trading_policies (user_id, account_id, version, body, created_by)
		SELECT $1, 'paper', coalesce(max(version), 0) + 1, $2::json, 'test' FROM interlock.trading_policies WHERE user_id = $1`, user, string(body))
}

func (d desk) price(market trade.Market, price string) {
	d.t.Helper()
	now, err := d.Now(ctx)
	require.NoError(d.t, err)
	rules := trade.MarketRules{
		TickSize: dec("1"), QuantityDecimals: 8, NotionalDecimals: 2, MinBase: dec("0.0001"), MinQuote: dec("5"), Status: "trading",
	}
	require.NoError(d.t, d.PutMarketFacts(ctx, account, now, []trade.MarketFact{{Market: market, Price: dec(price), Rules: rules}}))
	require.NoError(d.t, d.PutClock(ctx, account, now, now, now))
}

func (d desk) reconciled() {
	d.t.Helper()
	now, _, err := d.StartComparison(ctx, account, time.Minute)
	require.NoError(d.t, err)
	_, err = d.Compare(ctx, trade.Comparison{AccountID: account, StartedAt: now})
	require.NoError(d.t, err)
}

func (d desk) propose(id string, side trade.Side) {
	d.t.Helper()
	d.exec(`INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount, confidence)
		VALUES ($1, 'anna', 'paper', 'BTC/EUR', $2, 0.001, 0.9)`, id, string(side))
}

func (d desk) ask(id string) trade.Decision {
	d.t.Helper()
	var decision trade.Decision
	asked := request(id)
	require.NoError(d.t, outwait(func() (err error) { decision, err = d.Preflight(ctx, asked); return err }))
	return decision
}

func request(id string) trade.Request {
	return trade.Request{ID: uuid.NewString(), ProposalID: id, Actor: "anna", Via: "update"}
}

// claimed proposes, passes preflight, and returns the claim.
func (d desk) claimed(id string) trade.Claim {
	d.t.Helper()
	d.propose(id, trade.Buy)
	decision := d.ask(id)
	require.Empty(d.t, decision.Verdict.Blocks())
	require.NotNil(d.t, decision.Claim)
	return *decision.Claim
}

func (d desk) begin(c trade.Claim, number int) *trade.AttemptResult {
	d.t.Helper()
	var placing *trade.AttemptResult
	require.NoError(d.t, outwait(func() (err error) {
		_, placing, err = d.BeginAttempt(ctx, c.Ref(), number, time.Now().Add(trade.AccessWindow), "test")
		return err
	}))
	return placing
}

// record follows an accepted order to its end and records that.
func (d desk) record(c trade.Claim, o trade.Order) {
	d.t.Helper()
	_, err := d.Followed(ctx, c.Ref(), trade.Sight{Order: o, ExchangeTime: time.Now()}, "test")
	require.NoError(d.t, err)
	r, err := d.RecordOrder(ctx, c.Ref())
	require.NoError(d.t, err)
	require.Equal(d.t, trade.Executed, r.Status)
}

// fail ends a claim that placed nothing.
func (d desk) fail(c trade.Claim) trade.Status {
	d.t.Helper()
	status, err := d.FailExecution(ctx, c.Ref(), 0)
	require.NoError(d.t, err)
	return status
}

// wish says what a person knows of an order, which was read at an instant of
// the exchange's clock; nil is that there is none.
func (d desk) wish(c trade.Claim, o *trade.Order, at time.Time, actor string) string {
	d.t.Helper()
	reading, wish := trade.Reading{ExchangeTime: at}, trade.Resolution{Actor: actor, Reason: "seen"}
	if o != nil {
		reading.Order, reading.OrderID, wish.OrderID = o, o.OrderID, o.OrderID
	}
	require.NoError(d.t, d.RecordReading(ctx, c.Ref(), reading))
	problem, err := d.Resolve(ctx, c.Ref(), 1, wish)
	require.NoError(d.t, err)
	return problem
}

func (d desk) life(id string) trade.Life {
	d.t.Helper()
	life, err := d.ReadState(ctx, id)
	require.NoError(d.t, err)
	return life
}

// executed carries a proposal through to a filled order.
func (d desk) executed(id string) trade.Claim {
	d.t.Helper()
	c := d.claimed(id)
	require.Nil(d.t, d.begin(c, 1))
	o := orderOf(c, "order-"+id, "filled")
	require.NoError(d.t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test"))
	d.record(c, o)
	return c
}

func orderOf(c trade.Claim, id string, status trade.OrderStatus) trade.Order {
	at := time.Now().UTC()
	o := trade.Order{
		OrderID: id, ClientOrderID: c.ClientOrderID.String(), Market: c.Plan.Market, Side: c.Plan.Side, Status: status,
		Amount: *c.Plan.Amount, CreatedAt: at, UpdatedAt: at,
	}
	if status == "filled" {
		o.FilledAmount, o.FilledAmountQuote = *c.Plan.Amount, dec("80")
		o.FeePaid, o.FeeCurrency = dec("0.2"), "EUR"
		o.Fills = []trade.Fill{{ID: "fill-" + id, At: at, Amount: o.FilledAmount, Price: dec("80000"), Fee: dec("0.2"), FeeCurrency: "EUR", Taker: true, Settled: true}}
	}
	return o
}

func dec(text string) decimal.Decimal { return decimal.RequireFromString(text) }

func codes(v trade.Verdict) []trade.Code {
	var list []trade.Code
	for _, b := range v.Blocks() {
		list = append(list, b.Code)
	}
	return list
}

// rivals runs n calls at the same moment.
func rivals(n int, do func(i int)) {
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range n {
		done.Go(func() { start.Wait(); do(i) })
	}
	start.Done()
	done.Wait()
}

func TestRivalRequestsWinOneClaim(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.propose("p", trade.Buy)
	wins := make([]bool, 30)
	rivals(len(wins), func(i int) { wins[i] = d.ask("p").Claim != nil })
	require.Equal(t, 1, countTrue(wins))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.trade_executions`))
	require.Equal(t, trade.Executing, d.life("p").Proposal.Status)
}

func countTrue(list []bool) int {
	n := 0
	for _, b := range list {
		if b {
			n++
		}
	}
	return n
}

// The earlier system's limits raced: every instance read before any wrote.
func TestHourlyLimitHoldsWhenFortyAskAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(p *trade.Policy) { p.TradesPerHour = trade.CountLimit{Value: 3} })
	for i := range 40 {
		d.propose(fmt.Sprintf("p%d", i), trade.Buy)
	}
	wins, blocked := make([]bool, 40), make([]bool, 40)
	rivals(40, func(i int) {
		decision := d.ask(fmt.Sprintf("p%d", i))
		wins[i] = decision.Claim != nil
		blocked[i] = len(codes(decision.Verdict)) == 1 && codes(decision.Verdict)[0] == trade.HourlyLimitReached
	})
	require.Equal(t, 3, countTrue(wins))
	require.Equal(t, 37, countTrue(blocked))
}

// Whoever waited for its turn decides by what the one before it left.
func TestLimitIsReadAfterTheTurn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(p *trade.Policy) { p.TradesPerHour = trade.CountLimit{Value: 1} })
	d.propose("p", trade.Buy)
	d.propose("q", trade.Buy)
	before := d.held()
	require.NoError(t, lockForProposal(ctx, before, "p"))
	ask := func(id string) func() error {
		return func() error { _, err := d.Preflight(ctx, request(id)); return err }
	}
	d.queue(before, ask("p"), ask("q"))
	require.Equal(t, 1, d.count(`SELECT count(*) FROM interlock.trade_executions`))
}

func TestLimitsOfAUserHoldOverSeveralAccounts(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(p *trade.Policy) { p.TradesPerHour = trade.CountLimit{Value: 1} })
	d.exec(`INSERT INTO interlock.accounts (id, venue, rest_url) VALUES ('second', 'paper', 'http://127.0.0.1:2/v2')`)
	for _, table := range []string{"trading_policies (user_id, account_id, version, body, created_by) SELECT user_id, 'second', version, body, created_by FROM interlock.trading_policies",
		"market_facts SELECT 'second', market, price, tick_size, quantity_decimals, notional_decimals, min_base, min_quote, market_status, observed_at FROM interlock.market_facts",
		"exchange_clocks SELECT 'second', ahead_ms, measured_at FROM interlock.exchange_clocks"} {
		d.exec(`INSERT INTO interlock.` + table)
	}
	_, err := d.Compare(ctx, trade.Comparison{AccountID: "second", StartedAt: time.Now()})
	require.NoError(t, err)
	for i := range 10 {
		d.propose(fmt.Sprintf("a%d", i), trade.Buy)
		d.exec(`INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount, confidence)
			VALUES ($1, 'anna', 'second', 'BTC-EUR', 'buy', 0.001, 0.9)`, fmt.Sprintf("b%d", i))
	}
	wins := make([]bool, 20)
	rivals(20, func(i int) { wins[i] = d.ask(fmt.Sprintf("%c%d", "ab"[i%2], i/2)).Claim != nil })
	require.Equal(t, 1, countTrue(wins))
}

func TestSameRequestGetsTheSameDecision(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.propose("p", trade.Buy)
	req := request("p")
	first, err := d.Preflight(ctx, req)
	require.NoError(t, err)
	require.True(t, first.Claim.Untried)
	d.exec(`UPDATE interlock.trading_controls SET state = 'HALTED'`)
	again, err := d.Preflight(ctx, req)
	require.NoError(t, err)
	require.Equal(t, first.Claim.ExecutionID, again.Claim.ExecutionID)
	require.Equal(t, first.Verdict.Checks, again.Verdict.Checks)
	require.True(t, again.Claim.Untried, "a retried activity may still carry its claim out")

	d.exec(`UPDATE interlock.trading_controls SET state = 'ACTIVE'`)
	require.Nil(t, d.begin(*first.Claim, 1))
	tried, err := d.Preflight(ctx, req)
	require.NoError(t, err)
	require.False(t, tried.Claim.Untried)
	require.Equal(t, 2, tried.Claim.NextAttempt)
}

func TestDatabaseItselfRefusesASecondExecution(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.claimed("p")
	_, err := d.pool.Exec(ctx, `INSERT INTO interlock.trade_executions
		(user_id, proposal_id, account_id, market, side, client_order_id, status, plan, worst_quote, policy_version, request_id, claimed_at)
		SELECT user_id, proposal_id, account_id, market, side, gen_random_uuid(), status, plan, worst_quote, policy_version, 'x', now()
		FROM interlock.trade_executions`)
	require.ErrorIs(t, classify(err), ErrConflict)
}

func TestNoAttemptBeginsAfterAHalt(t *testing.T) {
	t.Parallel()
	for _, scope := range []string{"*", account} {
		d := newDesk(t)
		c := d.claimed("p")
		d.exec(`UPDATE interlock.trading_controls SET state = 'HALTED' WHERE scope = $1`, scope)
		placing := d.begin(c, 1)
		require.Equal(t, trade.NotSent, placing.Reply)
		require.Equal(t, string(trade.TradingHalted), placing.Code)
		require.Zero(t, d.count(`SELECT count(*) FROM interlock.order_attempts`))
	}
}

func TestHaltUnderLoadAdmitsNoLaterAttempt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	const n = 40
	claims := make([]trade.Claim, n)
	for i := range claims {
		claims[i] = d.claimed(fmt.Sprintf("p%d", i))
	}
	var halted time.Time
	rivals(n+1, func(i int) {
		if i < n {
			d.begin(claims[i], 1)
			return
		}
		err := pgx.BeginFunc(ctx, d.pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE interlock.trading_controls SET state = 'HALTED' WHERE scope = 'paper'`)
			return err
		})
		require.NoError(t, err)
		require.NoError(t, d.pool.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&halted))
	})
	require.Zero(t, d.count(`SELECT count(*) FROM interlock.order_attempts WHERE begun_at > $1`, halted))
}

func TestAttemptNeedsItsClaimInForce(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(d desk, c *trade.Claim){
		"another request's claim": func(_ desk, c *trade.Claim) { c.RequestID = "stale" },
		"cancelled": func(d desk, c *trade.Claim) {
			_, err := d.Cancel(ctx, c.ProposalID, "anna", "news")
			require.NoError(d.t, err)
		},
		"expired": func(d desk, _ *trade.Claim) { d.exec(`UPDATE interlock.trade_proposals SET expires_at = now()`) },
		"too late": func(d desk, _ *trade.Claim) {
			d.exec(`UPDATE interlock.trade_executions SET claimed_at = now() - interval '31 s'`)
		},
		"price stale": func(d desk, _ *trade.Claim) {
			d.exec(`UPDATE interlock.market_facts SET observed_at = now() - interval '1 hour'`)
		},
		"price outside collar": func(d desk, _ *trade.Claim) { d.price("BTC-EUR", "90000") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			c := d.claimed("p")
			spoil(d, &c)
			require.Equal(t, trade.NotSent, d.begin(c, 1).Reply)
			require.Zero(t, d.count(`SELECT count(*) FROM interlock.order_attempts`))
		})
	}
}

func TestWhoeverMeetsAnAttemptAnswersItsRecordedOutcome(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	owners := make([]bool, 10)
	rivals(10, func(i int) { owners[i] = d.begin(c, 1) == nil })
	require.Equal(t, 1, countTrue(owners), "one worker owns the attempt, the others send nothing")
	require.Equal(t, trade.Unknown, d.begin(c, 1).Reply)
	require.Equal(t, trade.NotSent, d.begin(c, 2).Reply, "nothing may follow an attempt in doubt")

	o := orderOf(c, "o1", "new")
	require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Accepted, Order: &o}, "test"))
	require.Equal(t, trade.Accepted, d.begin(c, 1).Reply)
	require.Equal(t, trade.NotSent, d.begin(c, 2).Reply, "nothing may follow an accepted attempt")
	require.ErrorIs(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.Refused, Code: "217"}, "test"), ErrConflict, "a verdict is given once")
}

func TestAttemptAfterAnUnsentOne(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	require.Nil(t, d.begin(c, 1))
	require.NoError(t, d.RecordReply(ctx, c.Ref(), 1, trade.AttemptResult{Reply: trade.NotSent, Code: "105"}, "test"))
	require.Nil(t, d.begin(c, 2))
	require.Equal(t, trade.NotSent, d.begin(c, 1).Reply, "a worker that wakes up late finds its attempt over")
}

func TestDatabaseItselfRefusesASecondAttemptInDoubt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	c := d.claimed("p")
	require.Nil(t, d.begin(c, 1))
	_, err := d.pool.Exec(ctx, `INSERT INTO interlock.order_attempts (execution_id, number, request_id, deadline) VALUES ($1, 2, 'x', now())`, c.ExecutionID)
	require.ErrorIs(t, classify(err), ErrConflict)
	_, err = d.pool.Exec(ctx, `UPDATE interlock.order_attempts SET deadline = deadline + interval '1 s'`)
	require.ErrorIs(t, classify(err), ErrInvalid, "the deadline never moves")
	_, err = d.pool.Exec(ctx, `DELETE FROM interlock.order_attempts`)
	require.ErrorIs(t, classify(err), ErrInvalid)
}
