package orders

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"interlock/internal/paper"
	"interlock/internal/trade"
)

// paperVenue is a whole exchange, written from the same documents by other
// hands, with a client that may trade there.
type paperVenue struct {
	t      *testing.T
	server *httptest.Server
	client *Client
	now    time.Time // of the exchange, when the test began
}

func newPaperVenue(t *testing.T) *paperVenue {
	t.Helper()
	key := paper.NewKey("main", paper.View, paper.Trade)
	exchange, err := paper.New(paper.Config{Keys: []paper.Key{key}, Admin: true})
	require.NoError(t, err)
	require.NoError(t, exchange.Pin("BTC-EUR", "80000"))
	server := httptest.NewServer(exchange.Handler())
	t.Cleanup(func() { require.NoError(t, exchange.Close()) })
	t.Cleanup(server.Close)
	client, err := New(Config{URL: server.URL + "/v2", Key: key.Key, Secret: key.Secret, OperatorID: 7})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	now, err := client.Now(ctx(t))
	require.NoError(t, err)
	return &paperVenue{t, server, client, now}
}

func (p *paperVenue) fault(kind, rest string) {
	p.t.Helper()
	body := fmt.Sprintf(`{"kind":%q,"method":"POST","path":"/order","count":1%s}`, kind, rest)
	resp, err := http.Post(p.server.URL+"/admin/faults", "application/json", strings.NewReader(body))
	require.NoError(p.t, err)
	require.NoError(p.t, resp.Body.Close())
	require.Less(p.t, resp.StatusCode, 300)
}

func (p *paperVenue) place(plan trade.Plan, id uuid.UUID) trade.AttemptResult {
	now, err := p.client.Now(ctx(p.t))
	require.NoError(p.t, err)
	return p.client.Place(ctx(p.t), plan, id, now.Add(trade.AccessWindow))
}

func (p *paperVenue) look(id uuid.UUID) trade.Lookup {
	return p.client.Look(ctx(p.t), trade.Search{Market: "BTC-EUR", Side: trade.Buy, ClientOrderID: id, Since: p.now.Add(-10 * time.Minute)})
}

func aboveMarket() trade.Plan {
	plan := limitPlan()
	plan.Price = dec("80500")
	return plan
}

func resting() trade.Plan {
	plan := limitPlan()
	plan.Price, plan.TimeInForce = dec("70000"), "GTC"
	return plan
}

func TestPaperFillsAnOrderAndEveryReadShowsIt(t *testing.T) {
	p, id := newPaperVenue(t), uuid.New()
	require.Equal(t, trade.NotThere, p.look(id).Result)

	placed := p.place(aboveMarket(), id)

	require.Equal(t, trade.Accepted, placed.Reply, placed.Message)
	require.Equal(t, trade.OrderStatus("filled"), placed.Order.Status)
	require.True(t, aboveMarket().Matches(*placed.Order))
	look := p.look(id)
	require.Equal(t, trade.Found, look.Result, look.Detail)
	require.Len(t, look.Orders, 1)
	require.True(t, look.Orders[0].Settled())
	fills, err := p.client.Trades(ctx(t), "BTC-EUR", p.now.Add(-time.Minute))
	require.NoError(t, err)
	require.Len(t, fills, len(look.Orders[0].Fills))
	require.Equal(t, id.String(), fills[0].ClientOrderID)
	balances, err := p.client.Balances(ctx(t))
	require.NoError(t, err)
	require.NotEmpty(t, balances)
}

func TestPaperMarketOrderInQuoteIsAccepted(t *testing.T) {
	p := newPaperVenue(t)
	plan := marketPlan()
	plan.Side = trade.Buy
	placed := p.place(plan, uuid.New())
	require.Equal(t, trade.Accepted, placed.Reply, placed.Message)
	require.True(t, plan.Matches(*placed.Order))
}

func TestPaperOrderIsCancelledOnceAndThenNotActive(t *testing.T) {
	p := newPaperVenue(t)
	placed := p.place(resting(), uuid.New())
	require.Equal(t, trade.Accepted, placed.Reply, placed.Message)
	open, err := p.client.OpenOrders(ctx(t))
	require.NoError(t, err)
	require.Len(t, open, 1)

	require.NoError(t, p.client.Cancel(ctx(t), "BTC-EUR", placed.Order.OrderID))
	require.ErrorIs(t, p.client.Cancel(ctx(t), "BTC-EUR", placed.Order.OrderID), ErrNotActive)
	o, err := p.client.Order(ctx(t), "BTC-EUR", placed.Order.OrderID)
	require.NoError(t, err)
	require.Equal(t, trade.OrderStatus("canceled"), o.Status)
}

func TestPaperRefusalsAreRefusals(t *testing.T) {
	p := newPaperVenue(t)
	small, offTick, open := aboveMarket(), aboveMarket(), uuid.New()
	small.Amount, offTick.Price = dec("0.00000001"), dec("80500.5")
	require.Equal(t, trade.Refused, p.place(small, uuid.New()).Reply)
	require.Equal(t, "422", p.place(offTick, uuid.New()).Code)
	require.Equal(t, trade.Accepted, p.place(resting(), open).Reply)
	require.Equal(t, "220", p.place(resting(), open).Code)
	rich := aboveMarket()
	rich.Amount = dec("100000")
	placed := p.place(rich, uuid.New())
	require.Equal(t, trade.Unknown, placed.Reply)
	require.Equal(t, "216", placed.Code)
}

func TestPaperRefusesASignatureThatHasEnded(t *testing.T) {
	p, id := newPaperVenue(t), uuid.New()
	// A worker whose estimate stands still believes that there is time.
	p.client.clock.elapsed = func() time.Duration { return 0 }
	p.client.clock.remember(p.now.Add(-time.Minute))

	placed := p.client.Place(ctx(t), aboveMarket(), id, p.now.Add(-time.Second))

	require.Equal(t, trade.Unknown, placed.Reply)
	require.Equal(t, "304", placed.Code)
	require.Equal(t, trade.NotThere, p.look(id).Result)
}

func TestPaperFaultsAreUnknownAndALookTellsTheTruth(t *testing.T) {
	for _, c := range []struct {
		kind, rest string
		want       trade.Reply
		sighting   trade.LookupResult
	}{
		{"accept-then-drop", ``, trade.Unknown, trade.Found},
		{"drop-before", ``, trade.Unknown, trade.NotThere},
		{"down", ``, trade.Unknown, trade.NotThere},
		{"503", `,"code":109,"placed":true`, trade.Unknown, trade.Found},
		{"503", `,"code":107`, trade.Unknown, trade.NotThere},
		{"503", `,"html":true`, trade.Unknown, trade.NotThere},
		{"html", `,"placed":true`, trade.Unknown, trade.Found},
		{"empty", ``, trade.Unknown, trade.Found},
		{"truncated", ``, trade.Unknown, trade.Found},
		{"redirect", ``, trade.Unknown, trade.NotThere},
		{"105", ``, trade.NotSent, trade.NotThere},
	} {
		p, id := newPaperVenue(t), uuid.New()
		p.fault(c.kind, c.rest)
		placed := p.place(aboveMarket(), id)
		require.Equal(t, c.want, placed.Reply, "%s%s: %s", c.kind, c.rest, placed.Message)
		look := p.look(id)
		require.Equal(t, c.sighting, look.Result, "%s%s: %s", c.kind, c.rest, look.Detail)
		require.LessOrEqual(t, len(look.Orders), 1)
	}
}
