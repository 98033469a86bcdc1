package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	activities "interlock/activities/orders"
	"interlock/internal/bitvavo/orders"
	"interlock/internal/devstack/devtest"
	"interlock/internal/paper"
	"interlock/internal/postgres"
	"interlock/internal/trade"
	"interlock/migrations"
)

var update = flag.Bool("update", false, "store the run as testdata/honest.json")

func TestMain(m *testing.M) { devtest.Main(m) }

var ctx = context.Background()

func dec(text string) decimal.Decimal { return decimal.RequireFromString(text) }

// world is everything real but the workflow: the stores on PostgreSQL, the
// activities that place, look and follow, and a paper exchange over HTTP.
type world struct {
	t        *testing.T
	url      string
	store    *postgres.Store
	exchange *paper.Exchange
	server   *httptest.Server
	client   *orders.Client
	act      *activities.Activities
	foreign  []OrderKey
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, url: devtest.Database(t, migrations.Up)}
	key := paper.NewKey("main", paper.View, paper.Trade)
	other := paper.NewKey("other", paper.View, paper.Trade)
	var err error
	w.exchange, err = paper.New(paper.Config{Keys: []paper.Key{key, other}, Admin: true, Seed: 3})
	require.NoError(t, err)
	w.server = httptest.NewServer(w.exchange.Handler())
	t.Cleanup(func() { w.server.Close(); require.NoError(t, w.exchange.Close()) })
	for market, price := range prices {
		require.NoError(t, w.exchange.Pin(market, price))
	}
	w.client = w.dial(key)
	w.store, err = postgres.Open(ctx, w.url)
	require.NoError(t, err)
	t.Cleanup(w.store.Close)
	w.act = &activities.Activities{Exchange: w.client, Attempts: w.store, Account: "paper", Worker: "test", Log: slog.New(slog.DiscardHandler)}
	w.prepare()
	_ = w.place(w.dial(other), "ETH-EUR", "0.1") // an account that is none of ours
	return w
}

// lag is how long the exchange may hide an order.
const lag = 2 * time.Second

var prices = map[string]string{"BTC-EUR": "80000", "ETH-EUR": "3000", "SOL-EUR": "150", "ADA-EUR": "0.5"}

func (w *world) dial(key paper.Key) *orders.Client {
	w.t.Helper()
	client, err := orders.New(orders.Config{URL: w.server.URL + "/v2", Key: key.Key, Secret: key.Secret, OperatorID: 7})
	require.NoError(w.t, err)
	w.t.Cleanup(client.Close)
	return client
}

func (w *world) prepare() {
	w.t.Helper()
	require.NoError(w.t, w.store.CreateAccount(ctx, postgres.Account{ID: "paper", Venue: "paper", RESTURL: w.server.URL + "/v2", ReadLag: lag}))
	text, err := os.ReadFile("testdata/policy.json")
	require.NoError(w.t, err)
	p, err := trade.ParsePolicy(text)
	require.NoError(w.t, err)
	for _, user := range []string{"anna", "bert", "carl"} {
		_, err = w.store.PutPolicy(ctx, user, "paper", p, "test")
		require.NoError(w.t, err)
	}
	w.reconcile()
}

// refresh brings in what role scans would.
func (w *world) refresh() {
	w.t.Helper()
	now, err := w.store.Now(ctx)
	require.NoError(w.t, err)
	var facts []trade.MarketFact
	for market, price := range prices {
		rules := trade.MarketRules{TickSize: dec("0.00001"), QuantityDecimals: 8, NotionalDecimals: 2, MinBase: dec("0.0001"), MinQuote: dec("5"), Status: "trading"}
		if market == "BTC-EUR" {
			rules.TickSize = dec("1")
		}
		facts = append(facts, trade.MarketFact{Market: trade.Market(market), Price: dec(price), Rules: rules})
	}
	require.NoError(w.t, w.store.PutMarketFacts(ctx, "paper", now, facts))
	require.NoError(w.t, w.store.PutClock(ctx, "paper", now, now, now))
}

// venue is the client in the terms of the comparison, which here needs no more
// than the orders themselves.
type venue struct{ *orders.Client }

func (venue) Holdings(context.Context) ([]trade.Holding, error) { return nil, nil }

func (venue) TradedOrders(context.Context, trade.Market, time.Time) ([]string, error) {
	return nil, nil
}

func (w *world) reconcile() int {
	w.t.Helper()
	w.refresh()
	r := activities.Reconciler{Ledger: venue{w.client}, Comparisons: w.store, Account: "paper"}
	result, err := r.Reconcile(ctx)
	require.NoError(w.t, err)
	return result.Differences
}

func (w *world) propose(id, user string, market trade.Market, side trade.Side, change func(*trade.Proposal)) {
	w.t.Helper()
	confidence := dec("0.9")
	p := trade.Proposal{ID: id, UserID: user, AccountID: "paper", Market: market, Side: side, OrderType: trade.MarketOrder, Confidence: &confidence}
	change(&p)
	_, _, err := w.store.InsertProposal(ctx, p, user)
	require.NoError(w.t, err)
}

func base(text string) func(*trade.Proposal) {
	return func(p *trade.Proposal) { a := dec(text); p.Amount = &a }
}

func quote(text string) func(*trade.Proposal) {
	return func(p *trade.Proposal) { a := dec(text); p.AmountQuote = &a }
}

func (w *world) ask(id string, override bool) trade.Decision {
	w.t.Helper()
	w.refresh()
	d, err := w.store.Preflight(ctx, trade.Request{
		ID: uuid.NewString(), ProposalID: id, Actor: "anna", Via: "update",
		OverrideCooldown: override, OverrideAntiFlip: override, Reason: "a test",
	})
	require.NoError(w.t, err)
	return d
}

func (w *world) claim(id string, override bool) trade.Claim {
	w.t.Helper()
	d := w.ask(id, override)
	require.Empty(w.t, d.Verdict.Blocks())
	return *d.Claim
}

// carryOut is what the workflow does when nothing goes wrong.
func (w *world) carryOut(c trade.Claim) {
	w.t.Helper()
	placing, err := w.act.PlaceOrder(ctx, activities.AttemptInput{Claim: c.Ref(), Number: c.NextAttempt})
	require.NoError(w.t, err)
	require.Equal(w.t, trade.Accepted, placing.Reply, placing.Message)
	w.record(c, placing.Order.OrderID)
}

func (w *world) record(c trade.Claim, orderID string) {
	w.t.Helper()
	o, err := w.act.FollowOrder(ctx, activities.OrderInput{Claim: c.Ref()})
	require.NoError(w.t, err)
	require.Equal(w.t, orderID, o.OrderID)
	r, err := w.store.RecordOrder(ctx, c.Ref())
	require.NoError(w.t, err)
	require.Equal(w.t, trade.Executed, r.Status)
}

func (w *world) attempt(c trade.Claim, number int, want trade.Reply) trade.AttemptResult {
	w.t.Helper()
	placing, err := w.act.PlaceOrder(ctx, activities.AttemptInput{Claim: c.Ref(), Number: number})
	require.NoError(w.t, err)
	require.Equal(w.t, want, placing.Reply, placing.Message)
	return placing
}

func (w *world) fail(c trade.Claim) {
	w.t.Helper()
	status, err := w.store.FailExecution(ctx, c.Ref(), 0)
	require.NoError(w.t, err)
	require.False(w.t, status.Claimed())
}

func (w *world) admin(path string, body any) {
	w.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(w.t, err)
	reply, err := http.Post(w.server.URL+"/admin/"+path, "application/json", bytes.NewReader(text))
	require.NoError(w.t, err)
	require.NoError(w.t, reply.Body.Close())
	require.Equal(w.t, http.StatusOK, reply.StatusCode)
}

func (w *world) fault(kind, method string) {
	w.t.Helper()
	w.admin("faults", map[string]any{"kind": kind, "method": method, "path": "/order", "exact": true, "count": 1})
}

// place is another program's order.
func (w *world) place(client *orders.Client, market trade.Market, amount string) trade.Order {
	w.t.Helper()
	a, p := dec(amount), dec(prices[string(market)]).Mul(dec("1.01"))
	now, err := client.Now(ctx)
	require.NoError(w.t, err)
	placing := client.Place(ctx, trade.Plan{Market: market, Side: trade.Buy, OrderType: trade.LimitOrder, TimeInForce: "IOC", Amount: &a, Price: &p}, uuid.New(), now.Add(trade.AccessWindow))
	require.Equal(w.t, trade.Accepted, placing.Reply, placing.Message)
	return *placing.Order
}

func (w *world) state(state trade.TradingState) {
	w.t.Helper()
	require.NoError(w.t, w.store.SetTradingState(ctx, "*", state, "anna", "a test"))
	require.NoError(w.t, w.store.SetTradingState(ctx, "paper", state, "anna", "a test"))
}

func (w *world) exec(sql string) {
	w.t.Helper()
	conn, err := pgx.Connect(ctx, w.url)
	require.NoError(w.t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	require.NoError(w.t, err)
}

// live makes one of everything that can happen to a proposal.
func (w *world) live() {
	w.propose("p-buy", "anna", "BTC-EUR", trade.Buy, base("0.001"))
	w.carryOut(w.claim("p-buy", false))
	w.propose("p-blocked", "anna", "BTC-EUR", trade.Buy, base("0.001"))
	require.Nil(w.t, w.ask("p-blocked", false).Claim)
	w.propose("p-sell", "anna", "BTC-EUR", trade.Sell, base("0.0005"))
	w.carryOut(w.claim("p-sell", true))
	w.propose("p-quote", "anna", "ETH-EUR", trade.Buy, quote("100"))
	w.carryOut(w.claim("p-quote", false))
	w.overridden()
	w.triedTwice()
	w.resting()
	w.lost()
	w.neverPlaced()
	w.reduced()
	w.closed()
	w.others()
}

func (w *world) overridden() {
	w.propose("p-allowed", "anna", "ETH-EUR", trade.Buy, base("0.01"))
	problem, err := w.store.StoreOverride(ctx, trade.Override{ID: "ov", ProposalID: "p-allowed", Cooldown: true, Actor: "anna", Reason: "a test"}, "signal")
	require.NoError(w.t, err)
	require.Empty(w.t, problem)
	w.carryOut(w.claim("p-allowed", false))
}

// triedTwice fails one claim, and of the next one the first attempt.
func (w *world) triedTwice() {
	w.admin("book", map[string]any{"market": "SOL-EUR", "depthQuote": "30"}) // several fills
	w.propose("p-twice", "anna", "SOL-EUR", trade.Buy, base("0.5"))
	c := w.claim("p-twice", false)
	w.fault("503", http.MethodGet)
	w.attempt(c, 1, trade.NotSent)
	w.fail(c)
	c = w.claim("p-twice", false)
	w.fault("503", http.MethodGet)
	w.attempt(c, 2, trade.NotSent)
	placing := w.attempt(c, 3, trade.Accepted)
	w.record(c, placing.Order.OrderID)
}

// resting leaves an order open that has filled in part.
func (w *world) resting() {
	w.propose("p-rest", "anna", "ADA-EUR", trade.Buy, func(p *trade.Proposal) {
		price := dec("0.495")
		p.OrderType, p.Price = trade.LimitOrder, &price
		base("100")(p)
	})
	c := w.claim("p-rest", false)
	w.attempt(c, 1, trade.Accepted)
	w.admin("book", map[string]any{"market": "ADA-EUR", "fillFraction": "0.25"})
	require.NoError(w.t, w.exchange.Pin("ADA-EUR", "0.49"))
	require.NoError(w.t, w.exchange.Pin("ADA-EUR", prices["ADA-EUR"]))
}

// lost has an order whose acceptance nobody heard.
func (w *world) lost() {
	w.propose("p-lost", "bert", "BTC-EUR", trade.Buy, base("0.001"))
	c := w.claim("p-lost", false)
	w.fault("accept-then-drop", http.MethodPost)
	w.attempt(c, 1, trade.Unknown)
	f, err := w.store.Conclude(ctx, c.Ref(), 1)
	require.NoError(w.t, err)
	require.False(w.t, f.Concluded)
	_, err = w.act.FindOrder(ctx, activities.AttemptInput{Claim: c.Ref(), Number: 1})
	require.NoError(w.t, err)
	f, err = w.store.Conclude(ctx, c.Ref(), 1)
	require.NoError(w.t, err)
	require.Equal(w.t, trade.OutcomeAccepted, f.Outcome)
	w.record(c, f.Result.Order.OrderID)
}

// neverPlaced has four claims without an order: one that was never begun, one
// on a person's word, one that was looked for in vain, and one still in doubt.
func (w *world) neverPlaced() {
	w.propose("p-void", "bert", "ETH-EUR", trade.Buy, base("0.01"))
	c := w.claim("p-void", false)
	f, err := w.store.Conclude(ctx, c.Ref(), 1)
	require.NoError(w.t, err)
	require.Equal(w.t, trade.OutcomeVoid, f.Outcome)
	w.fail(c)
	claims := map[string]trade.Claim{}
	for _, p := range []struct {
		id, user string
		market   trade.Market
	}{{"p-word", "bert", "SOL-EUR"}, {"p-absent", "carl", "ETH-EUR"}, {"p-doubt", "bert", "ADA-EUR"}} {
		w.propose(p.id, p.user, p.market, trade.Buy, quote("20"))
		c = w.claim(p.id, false)
		w.fault("drop-before", http.MethodPost)
		w.attempt(c, 1, trade.Unknown)
		w.lookup(c, "")
		claims[p.id] = c
	}
	w.pass(trade.AccessWindow + lag)
	w.denied(claims["p-word"])
	w.lookup(claims["p-absent"], "")
	w.pass(lag)
	w.lookup(claims["p-absent"], trade.OutcomeAbsent)
	w.fail(claims["p-absent"])
}

// lookup looks for the first attempt's order and concludes as far as it can.
func (w *world) lookup(c trade.Claim, want trade.Outcome) {
	w.t.Helper()
	_, err := w.act.FindOrder(ctx, activities.AttemptInput{Claim: c.Ref(), Number: 1})
	require.NoError(w.t, err)
	f, err := w.store.Conclude(ctx, c.Ref(), 1)
	require.NoError(w.t, err)
	require.Equal(w.t, want, f.Outcome)
}

// denied has a person say that there is no order.
func (w *world) denied(c trade.Claim) {
	w.t.Helper()
	_, err := w.act.ReadOrder(ctx, activities.OrderInput{Claim: c.Ref()})
	require.NoError(w.t, err)
	problem, err := w.store.Resolve(ctx, c.Ref(), 1, trade.Resolution{Actor: "anna", Reason: "asked the exchange"})
	require.NoError(w.t, err)
	require.Empty(w.t, problem)
	w.fail(c)
}

// pass waits until so much time has passed on the exchange's clock.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	began, err := w.client.Now(ctx)
	require.NoError(w.t, err)
	require.Eventually(w.t, func() bool {
		now, err := w.client.Now(ctx)
		return err == nil && now.Sub(began) > d
	}, time.Minute, 50*time.Millisecond)
}

// reduced trades while only reducing is allowed, after a halt.
func (w *world) reduced() {
	w.propose("p-reduce", "bert", "BTC-EUR", trade.Sell, base("0.0005"))
	w.state(trade.Halted)
	require.Nil(w.t, w.ask("p-reduce", true).Claim)
	w.state(trade.Reducing)
	w.carryOut(w.claim("p-reduce", true))
	w.state(trade.Active)
}

func (w *world) closed() {
	w.propose("p-expired", "anna", "BTC-EUR", trade.Buy, func(p *trade.Proposal) {
		base("0.001")(p)
		p.ExpiresAt = time.Now().Add(-time.Minute)
	})
	status, err := w.store.Expire(ctx, "p-expired")
	require.NoError(w.t, err)
	require.Equal(w.t, trade.Expired, status)
	w.propose("p-cancelled", "anna", "BTC-EUR", trade.Buy, base("0.001"))
	status, err = w.store.Cancel(ctx, "p-cancelled", "anna", "a test")
	require.NoError(w.t, err)
	require.Equal(w.t, trade.Cancelled, status)
}

// others are programs that are not ours.
func (w *world) others() {
	o := w.place(w.client, "BTC-EUR", "0.002")
	w.foreign = append(w.foreign, OrderKey{string(o.Market), o.OrderID})
	require.Equal(w.t, 1, w.reconcile())
	w.exec(`INSERT INTO interlock.trade_history (user_id, account_id, market, asset, side, amount, amount_quote, executed_at)
		VALUES ('anna', 'paper', 'XRP-EUR', 'XRP', 'buy', 10, 20, now() - interval '1 hour')`)
}

// pair is what one run left behind.
type pair struct {
	Ledger  Ledger
	Records Records
	Options Options
}

func (w *world) read() pair {
	w.t.Helper()
	l, err := ReadLedger(ctx, w.server.URL+"/admin")
	require.NoError(w.t, err)
	r, err := ReadRecords(ctx, w.url)
	require.NoError(w.t, err)
	return pair{l, r, Options{Account: "paper", Holder: "main", Start: paper.DefaultBalances(), Foreign: w.foreign}}
}

func (p pair) check() []Violation { return Check(p.Ledger, p.Records, p.Options) }

func TestARealRunAddsUp(t *testing.T) {
	w := newWorld(t)
	w.live()
	p := w.read()
	require.Empty(t, p.check())
	if *update {
		text, err := json.MarshalIndent(p, "", "\t")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile("testdata/honest.json", text, 0o600))
	}
}
