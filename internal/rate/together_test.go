package rate_test

import (
	"context"
	"errors"
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
	"interlock/internal/waittest"
	"interlock/migrations"
)

func TestMain(m *testing.M) { devtest.Main(m) }

// timeout bounds what a test waits for; it judges nothing.
const timeout = 5 * time.Minute

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
	return newDeskAt(t, weight, nil)
}

// newDeskAt is newDesk with an exchange that has a clock of the test's own.
func newDeskAt(t *testing.T, weight int, clock func() time.Time) *desk {
	t.Helper()
	d := &desk{t: t, url: devtest.Database(t, migrations.Up), key: paper.NewKey("main", paper.View, paper.Trade)}
	conn, err := pgx.Connect(t.Context(), d.url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	_, err = conn.Exec(t.Context(), `INSERT INTO interlock.accounts (id, venue, rest_url) VALUES ('a', 'paper', 'http://x/v2')`)
	require.NoError(t, err)
	exchange, err := paper.New(paper.Config{Keys: []paper.Key{d.key}, Admin: true, WeightPerMinute: weight, Clock: clock})
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
	const enough = 30
	d := newDesk(t, 0)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	began := time.Now()

	flooding := flood(ctx, []*orders.Client{d.worker(5), d.worker(5), d.worker(5)}, 3, placing, looking, cancelling, comparing)
	d.awaitArrivals(enough)
	stop()
	flooding.Wait()

	t.Logf("%d requests in %s", len(d.arrivals()), time.Since(began).Round(time.Millisecond))
	d.staysBelow(5)
}

// awaitArrivals waits until so many requests came to the exchange.
func (d *desk) awaitArrivals(atLeast int) {
	d.t.Helper()
	waittest.Closely(d.t, fmt.Sprintf("%d requests at the exchange", atLeast), func() error {
		n := len(d.arrivals())
		return waittest.Is(n >= atLeast, "%d came", n)
	})
}

// A cancel that waited its turn among the placements would see all of its
// worker's go before it, each with two requests.
func TestLooksAndCancelsDoNotWaitBehindPlacements(t *testing.T) {
	const queue = 50
	d := newDesk(t, 0)
	ctx, stop := context.WithCancel(t.Context())
	a, b := d.worker(5), d.worker(5)
	queued := flood(ctx, []*orders.Client{a, b}, queue, placing)
	d.awaitArrivals(6)

	for range 5 {
		began, before := time.Now(), d.ofOthers(http.MethodDelete)
		err := turned(func() error { return b.Cancel(rate.As(ctx, rate.Urgent), "BTC-EUR", uuid.NewString()) })
		require.ErrorIs(t, err, trade.ErrNotActive)
		first := d.ofOthers(http.MethodDelete) - before
		t.Logf("after %s and %d requests of placements", time.Since(began).Round(time.Millisecond), first)
		require.Less(t, first, queue/2)
	}
	stop()
	queued.Wait()
	d.staysBelow(5)
}

// ofOthers counts the requests that came, but those of a method.
func (d *desk) ofOthers(method string) (n int) {
	for _, r := range d.arrivals() {
		if r.method != method {
			n++
		}
	}
	return n
}

// turned asks until there was a turn: on a machine that stands still the
// longest wait for one may pass with every answer too old to be used.
func turned(ask func() error) error {
	for ends := time.Now().Add(timeout); ; {
		if err := ask(); !errors.Is(err, rate.ErrNoTurn) || time.Now().After(ends) {
			return err
		}
	}
}

func TestPlacementThatGetsNoTurnInTimeIsNotSent(t *testing.T) {
	d := newDesk(t, 0)
	ctx, stop := context.WithCancel(t.Context())
	c := d.worker(5)
	queued := flood(ctx, []*orders.Client{c}, 100, placing)
	d.awaitArrivals(6)
	var placed trade.AttemptResult
	var id uuid.UUID
	var now time.Time
	// A deadline that had passed before a turn was asked for says nothing.
	for tries := 0; tries == 0 || placed.Code == orders.CodeTooLate && tries < 100; tries++ {
		err := turned(func() (err error) { now, err = c.Now(rate.As(ctx, rate.Urgent)); return err })
		require.NoError(t, err)
		id = uuid.New()
		placed = c.Place(rate.As(ctx, rate.Placement), plan(), id, now.Add(2*time.Second))
	}
	stop()
	queued.Wait()

	require.Equal(t, trade.NotSent, placed.Reply, placed.Message)
	require.Equal(t, orders.CodeNoTurn, placed.Code)
	require.True(t, placed.MayPass())
	look := d.client(nil).Look(t.Context(), trade.Search{Market: "BTC-EUR", Side: trade.Buy, ClientOrderID: id, Since: now.Add(-time.Minute)})
	require.Equal(t, trade.NotThere, look.Result, look.Detail)
}

func TestLowWeightHoldsComparingAndPlacingUntilTheResetForEveryWorker(t *testing.T) {
	minute := time.Now().Truncate(time.Minute).Add(time.Second)
	d := newDeskAt(t, 100, func() time.Time { return minute }) // which lasts
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
		err := turned(func() error { _, err := a.Balances(ctx); return err })
		require.ErrorContains(t, err, "105")
		before := len(d.arrivals())

		_, err = b.Balances(ctx)

		if lasts > 10*time.Second {
			require.ErrorIs(t, err, rate.ErrNoTurn, "longer than anybody waits")
			require.Len(t, d.arrivals(), before, "nothing was sent")
			require.Equal(t, orders.CodeNoTurn, place(ctx, a).Code)
			continue
		}
		if errors.Is(err, rate.ErrNoTurn) {
			err = turned(func() error { _, err := b.Balances(ctx); return err })
		}
		require.NoError(t, err, "it waited for the end")
		require.GreaterOrEqual(t, d.arrivals()[before].at.Sub(began), lasts)
	}
}
