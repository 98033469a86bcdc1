package rate_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/bitvavo/orders"
	"interlock/internal/devstack/devtest"
	"interlock/internal/paper"
	"interlock/internal/postgres"
	"interlock/internal/rate"
	"interlock/internal/trade"
	"interlock/migrations"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// desk is a real exchange over HTTP and a real database, with a clock beside
// the exchange's door.
type desk struct {
	t   *testing.T
	url string
	key paper.Key
	web *httptest.Server

	mu     sync.Mutex
	seen   []arrival
	turns  int       // taken so far
	early  int       // arrivals without a turn of their own
	grants []granted // by the Ledger
}

type arrival struct {
	at     time.Time
	method string
}

// granted is a turn of the Ledger: given at some moment between the two.
type granted struct{ asked, answered time.Time }

func newDesk(t *testing.T, weight int) *desk {
	t.Helper()
	d := &desk{t: t, url: devtest.Database(t, migrations.Up), key: paper.NewKey("main", paper.View, paper.Trade)}
	conn, err := pgx.Connect(t.Context(), d.url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	_, err = conn.Exec(t.Context(), `INSERT INTO interlock.accounts (id, venue, rest_url) VALUES ('a', 'paper', 'http://x/v2')`)
	require.NoError(t, err)
	exchange, err := paper.New(paper.Config{Keys: []paper.Key{d.key}, Admin: true, WeightPerMinute: weight})
	require.NoError(t, err)
	require.NoError(t, exchange.Pin("BTC-EUR", "80000"))
	d.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v2/") {
			d.mu.Lock()
			d.seen = append(d.seen, arrival{time.Now(), r.Method})
			if len(d.seen) > d.turns {
				d.early++
			}
			d.mu.Unlock()
		}
		exchange.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(func() { require.NoError(t, exchange.Close()) })
	t.Cleanup(d.web.Close)
	return d
}

// worker is one more process of the account: its own client, budget, and
// connections.
func (d *desk) worker(rps float64) *orders.Client {
	d.t.Helper()
	store, err := postgres.Open(d.t.Context(), d.url, postgres.ForRequests)
	require.NoError(d.t, err)
	d.t.Cleanup(store.Close)
	return d.client(rate.New(rate.Config{Ledger: witness{store, d}, Account: "a", RPS: rps, Counter: d}))
}

// witness sees what a Ledger grants.
type witness struct {
	rate.Ledger
	d *desk
}

func (w witness) TakeRequest(ctx context.Context, account string, r rate.Request) (rate.Grant, error) {
	asked := time.Now()
	g, err := w.Ledger.TakeRequest(ctx, account, r)
	if err == nil && g.Granted {
		w.d.mu.Lock()
		defer w.d.mu.Unlock()
		w.d.grants = append(w.d.grants, granted{asked, time.Now()})
	}
	return g, err
}

// Turn counts a turn that was taken; its request is not sent yet.
func (d *desk) Turn(string, time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turns++
}

// staysBelow requires that nothing came to the exchange without a turn, and
// that no more than n turns were given in any second. A grant counts where it
// lies in that second for certain: a machine that stands still delays what is
// seen of it, and proves nothing.
func (d *desk) staysBelow(n int) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	require.Zero(d.t, d.early, "requests without a turn")
	for _, first := range d.grants {
		within := 0
		for _, g := range d.grants {
			if !g.asked.Before(first.asked) && g.answered.Sub(first.asked) < time.Second {
				within++
			}
		}
		require.LessOrEqual(d.t, within, n)
	}
}

func (d *desk) client(turns orders.Turns) *orders.Client {
	d.t.Helper()
	c, err := orders.New(orders.Config{URL: d.web.URL + "/v2", Key: d.key.Key, Secret: d.key.Secret, OperatorID: 7, Turns: turns})
	require.NoError(d.t, err)
	d.t.Cleanup(c.Close)
	return c
}

func (d *desk) arrivals() []arrival {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.seen)
}

func (d *desk) fault(text string) {
	resp, err := http.Post(d.web.URL+"/admin/faults", "application/json", strings.NewReader(text))
	require.NoError(d.t, err)
	require.NoError(d.t, resp.Body.Close())
	require.Less(d.t, resp.StatusCode, 300)
}

// most is the largest number of arrivals in any window of that length.
func most(seen []arrival, window time.Duration) (n int) {
	for i := range seen {
		last := i
		for last < len(seen) && seen[last].at.Sub(seen[i].at) < window {
			last++
		}
		n = max(n, last-i)
	}
	return n
}

func plan() trade.Plan {
	amount, price := decimal.RequireFromString("0.001"), decimal.RequireFromString("70000")
	return trade.Plan{Market: "BTC-EUR", Side: trade.Buy, OrderType: trade.LimitOrder, Amount: &amount, Price: &price, TimeInForce: "GTC"}
}

// place is an attempt as the activity makes it.
func place(ctx context.Context, c *orders.Client) trade.AttemptResult {
	ctx = rate.As(ctx, rate.Placement)
	now, err := c.Now(ctx)
	if err != nil {
		return trade.AttemptResult{Reply: trade.NotSent, Message: err.Error()}
	}
	return c.Place(ctx, plan(), uuid.New(), now.Add(trade.AccessWindow))
}

// flood makes n goroutines per client do each kind of request until ctx ends.
func flood(ctx context.Context, clients []*orders.Client, n int, kinds ...func(context.Context, *orders.Client)) *sync.WaitGroup {
	var running sync.WaitGroup
	for _, c := range clients {
		for _, do := range kinds {
			for range n {
				running.Go(func() {
					for ctx.Err() == nil {
						do(ctx, c)
					}
				})
			}
		}
	}
	return &running
}

func placing(ctx context.Context, c *orders.Client) { place(ctx, c) }

func looking(ctx context.Context, c *orders.Client) {
	c.Look(rate.As(ctx, rate.Urgent), trade.Search{Market: "BTC-EUR", Side: trade.Buy, ClientOrderID: uuid.New(), Since: time.Now().Add(-time.Minute)})
}

func cancelling(ctx context.Context, c *orders.Client) {
	_ = c.Cancel(rate.As(ctx, rate.Urgent), "BTC-EUR", uuid.NewString())
}

func comparing(ctx context.Context, c *orders.Client) {
	ctx = rate.As(ctx, rate.Bulk)
	_, _ = c.Balances(ctx)
	_, _ = c.Orders(ctx, "BTC-EUR", time.Now().Add(-time.Minute))
}

func TestWorkersTogetherStayBelowTheLimitInEverySecond(t *testing.T) {
	d := newDesk(t, 0)
	ctx, stop := context.WithTimeout(t.Context(), 12*time.Second)
	defer stop()

	flood(ctx, []*orders.Client{d.worker(5), d.worker(5), d.worker(5)}, 3, placing, looking, cancelling, comparing).Wait()

	d.staysBelow(5)
	require.Greater(t, len(d.arrivals()), 25, "and they use it")
}

func TestLooksAndCancelsDoNotWaitBehindPlacements(t *testing.T) {
	d := newDesk(t, 0)
	ctx, stop := context.WithCancel(t.Context())
	a, b := d.worker(5), d.worker(5)
	queued := flood(ctx, []*orders.Client{a, b}, 50, placing)
	require.Eventually(t, func() bool { return len(d.arrivals()) >= 6 }, 10*time.Second, 10*time.Millisecond)

	var waits []time.Duration
	for range 5 {
		began := time.Now()
		err := b.Cancel(rate.As(ctx, rate.Urgent), "BTC-EUR", uuid.NewString())
		require.ErrorIs(t, err, trade.ErrNotActive)
		waits = append(waits, time.Since(began))
	}
	stop()
	queued.Wait()

	slices.Sort(waits)
	require.Less(t, waits[len(waits)/2], time.Second, "%v", waits)
	require.Less(t, waits[len(waits)-1], 2*rate.Window, "%v", waits)
	d.staysBelow(5)
}

func TestPlacementThatGetsNoTurnInTimeIsNotSent(t *testing.T) {
	d := newDesk(t, 0)
	ctx, stop := context.WithCancel(t.Context())
	c, id := d.worker(5), uuid.New()
	queued := flood(ctx, []*orders.Client{c}, 100, placing)
	require.Eventually(t, func() bool { return len(d.arrivals()) >= 6 }, 10*time.Second, 10*time.Millisecond)
	now, err := c.Now(rate.As(ctx, rate.Urgent))
	require.NoError(t, err)

	placed := c.Place(rate.As(ctx, rate.Placement), plan(), id, now.Add(2*time.Second))
	stop()
	queued.Wait()

	require.Equal(t, trade.NotSent, placed.Reply, placed.Message)
	require.Equal(t, orders.CodeNoTurn, placed.Code)
	require.True(t, placed.MayPass())
	look := d.client(nil).Look(t.Context(), trade.Search{Market: "BTC-EUR", Side: trade.Buy, ClientOrderID: id, Since: now.Add(-time.Minute)})
	require.Equal(t, trade.NotThere, look.Result, look.Detail)
}

func TestLowWeightHoldsComparingAndPlacingUntilTheResetForEveryWorker(t *testing.T) {
	d := newDesk(t, 100)
	a, b := d.worker(500), d.worker(500)
	ctx := t.Context()
	var spent int
	for err := error(nil); err == nil; spent++ {
		_, err = a.Balances(rate.As(ctx, rate.Bulk))
		if err != nil {
			require.ErrorIs(t, err, rate.ErrNoTurn)
			require.ErrorContains(t, err, "weight left")
		}
	}
	require.Greater(t, spent, 10, "5 of weight each: from 70 of 100 on nothing")

	_, err := b.Balances(rate.As(ctx, rate.Bulk))
	require.ErrorIs(t, err, rate.ErrNoTurn, "another worker knows as well")
	require.ErrorIs(t, b.Cancel(rate.As(ctx, rate.Urgent), "BTC-EUR", uuid.NewString()), trade.ErrNotActive)
	for err = nil; err == nil; {
		_, err = a.Balances(rate.As(ctx, rate.Urgent))
	}
	require.ErrorIs(t, err, rate.ErrNoTurn)
	require.Equal(t, trade.NotSent, place(ctx, a).Reply)
}

func TestBanStopsEveryWorkerUntilItEnds(t *testing.T) {
	d := newDesk(t, 0)
	a, b := d.worker(100), d.worker(100)
	ctx := rate.As(t.Context(), rate.Urgent)
	for _, c := range []*orders.Client{a, b} {
		_, err := c.Now(ctx)
		require.NoError(t, err)
	}
	for _, lasts := range []time.Duration{3 * time.Second, time.Minute} {
		d.fault(fmt.Sprintf(`{"kind":"105","method":"GET","path":"/balance","count":1,"forMs":%d}`, lasts.Milliseconds()))
		began := time.Now()
		_, err := a.Balances(ctx)
		require.ErrorContains(t, err, "105")
		before := len(d.arrivals())

		_, err = b.Balances(ctx)

		if lasts > 10*time.Second {
			require.ErrorIs(t, err, rate.ErrNoTurn, "longer than anybody waits")
			require.Len(t, d.arrivals(), before, "nothing was sent")
			require.Equal(t, orders.CodeNoTurn, place(ctx, a).Code)
			continue
		}
		require.NoError(t, err, "it waited for the end")
		require.GreaterOrEqual(t, d.arrivals()[before].at.Sub(began), lasts)
	}
}

func TestLooksGoOnWithoutTheDatabase(t *testing.T) {
	d := newDesk(t, 0)
	c := d.client(rate.New(rate.Config{Ledger: noLedger{}, Account: "a", RPS: 20}))
	ctx := t.Context()

	look := c.Look(rate.As(ctx, rate.Urgent), trade.Search{Market: "BTC-EUR", Side: trade.Buy, ClientOrderID: uuid.New(), Since: time.Now().Add(-time.Minute)})

	require.Equal(t, trade.NotThere, look.Result, look.Detail)
	require.LessOrEqual(t, most(d.arrivals(), time.Second), 20/5)
	placed := place(ctx, c)
	require.Equal(t, trade.NotSent, placed.Reply)
	require.Equal(t, orders.CodeNoTurn, placed.Code, placed.Message)
	_, err := c.Balances(rate.As(ctx, rate.Bulk))
	require.ErrorIs(t, err, rate.ErrNoTurn)
}

type noLedger struct{}

func (noLedger) TakeRequest(context.Context, string, rate.Request) (rate.Grant, error) {
	return rate.Grant{}, fmt.Errorf("connection refused")
}

func (noLedger) HeedExchange(context.Context, string, rate.Notice) error {
	return fmt.Errorf("connection refused")
}
