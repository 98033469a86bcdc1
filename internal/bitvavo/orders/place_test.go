package orders

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func TestPlaceSendsTheOrderOnceInTheExchangesWords(t *testing.T) {
	v := newVenue(t)
	v.on("POST /v2/order", says(200, orderJSON("o-1", testID.String(), "buy", "canceledIOC")))

	placed := v.client.Place(ctx(t), limitPlan(), testID, deadline())

	require.Equal(t, trade.Accepted, placed.Reply, placed.Message)
	posts := v.requests("POST /v2/order")
	require.Len(t, posts, 1)
	require.Equal(t, `{"market":"BTC-EUR","side":"buy","orderType":"limit","operatorId":543462,`+
		`"clientOrderId":"2be7d0df-d8dc-4b93-a550-8876f3b393e9","amount":"0.01","price":"75000","timeInForce":"IOC"}`, posts[0].body)
	require.Equal(t, "application/json", posts[0].header.Get("Content-Type"))
	require.Empty(t, posts[0].header.Get("Idempotency-Key"))
	require.Empty(t, posts[0].header.Get("X-Idempotency-Key"))
}

func TestMarketOrderInQuoteHasNeitherPriceNorTimeInForce(t *testing.T) {
	v := newVenue(t)
	v.on("POST /v2/order", says(200, orderJSON("o-1", testID.String(), "sell", "filled")))

	placed := v.client.Place(ctx(t), marketPlan(), testID, deadline())

	require.Equal(t, trade.Accepted, placed.Reply, placed.Message)
	require.Equal(t, `{"market":"BTC-EUR","side":"sell","orderType":"market","operatorId":543462,`+
		`"clientOrderId":"2be7d0df-d8dc-4b93-a550-8876f3b393e9","amountQuote":"25.5"}`, v.requests("POST /v2/order")[0].body)
}

func TestSignatureEndsAtTheDeadlineWhateverThisMachinesClockSays(t *testing.T) {
	v := newVenue(t)
	v.on("POST /v2/order", says(200, orderJSON("o-1", testID.String(), "buy", "new")))
	end := venueTime.Add(4321 * time.Millisecond)

	require.Equal(t, trade.Accepted, v.client.Place(ctx(t), limitPlan(), testID, end).Reply)

	header := v.requests("POST /v2/order")[0].header
	timestamp, err := strconv.ParseInt(header.Get("Bitvavo-Access-Timestamp"), 10, 64)
	require.NoError(t, err)
	window, err := strconv.ParseInt(header.Get("Bitvavo-Access-Window"), 10, 64)
	require.NoError(t, err)
	require.Equal(t, trade.AccessWindow.Milliseconds(), window)
	require.Equal(t, end.UnixMilli(), timestamp+window)
}

func TestAcceptedOrderCarriesEverythingTheReplySays(t *testing.T) {
	v := newVenue(t)
	v.on("POST /v2/order", says(200, orderJSON("o-1", testID.String(), "buy", "somethingNew")))

	o := v.client.Place(ctx(t), limitPlan(), testID, deadline()).Order

	require.NotNil(t, o)
	require.Equal(t, trade.OrderStatus("somethingNew"), o.Status)
	require.False(t, o.Status.Final())
	require.Equal(t, "0.006", o.FilledAmount.String())
	require.Equal(t, "450", o.FilledAmountQuote.String())
	require.Equal(t, "1.12", o.FeePaid.String())
	require.Equal(t, int64(543462), o.OperatorID)
	require.Equal(t, time.UnixMilli(1548172481200).UTC(), o.CreatedAt)
	require.Len(t, o.Fills, 2)
	require.Equal(t, "0.004", o.Fills[0].Amount.String())
	require.True(t, o.Fills[0].Taker)
	require.False(t, o.Settled(), "one fill is not settled")
}

func TestPastTheDeadlineNothingIsSent(t *testing.T) {
	v := newVenue(t)
	for _, end := range []time.Time{venueTime, venueTime.Add(-time.Hour), {}} {
		placed := v.client.Place(ctx(t), limitPlan(), testID, end)
		require.Equal(t, trade.NotSent, placed.Reply)
		require.Equal(t, CodeTooLate, placed.Code)
	}
	require.Empty(t, v.requests("POST /v2/order"))
}

func TestDeadlineCountsTheTimeSinceTheClockWasRead(t *testing.T) {
	v := newVenue(t)
	elapsed := time.Duration(0)
	v.client.clock.elapsed = func() time.Duration { return elapsed }
	_, err := v.client.Time(ctx(t))
	require.NoError(t, err)

	elapsed = trade.AccessWindow
	placed := v.client.Place(ctx(t), limitPlan(), testID, deadline())

	require.Equal(t, CodeTooLate, placed.Code)
	require.Empty(t, v.requests("POST /v2/order"))
}

func TestCallerWhoGaveUpSendsNothing(t *testing.T) {
	v := newVenue(t)
	_, err := v.client.Time(ctx(t))
	require.NoError(t, err)
	gone, cancel := context.WithCancel(ctx(t))
	cancel()

	placed := v.client.Place(gone, limitPlan(), testID, deadline())

	require.Equal(t, trade.NotSent, placed.Reply)
	require.Equal(t, CodeCancelled, placed.Code)
	require.Empty(t, v.requests("POST /v2/order"))
}

func TestUnreadableClockSendsNothing(t *testing.T) {
	for _, reply := range []http.HandlerFunc{
		says(200, `{}`), says(200, `{"time":1548172481}`), says(200, `<html>`), says(502, `bad gateway`),
		says(200, `{"time":"soon"}`), says(200, `{"time":99999999999999}`), says(307, ``),
	} {
		v := newVenue(t)
		v.on("GET /v2/time", reply)
		placed := v.client.Place(ctx(t), limitPlan(), testID, deadline())
		require.Equal(t, trade.NotSent, placed.Reply)
		require.Equal(t, CodeClockUnknown, placed.Code)
		require.Empty(t, v.requests("POST /v2/order"))
	}
}

func TestPlanThatIsNoOrderIsNotSent(t *testing.T) {
	v := newVenue(t)
	for name, spoil := range map[string]func(*trade.Plan){
		"no market":            func(p *trade.Plan) { p.Market = "" },
		"market that is a URL": func(p *trade.Plan) { p.Market = "BTC-EUR?x=1" },
		"no side":              func(p *trade.Plan) { p.Side = "" },
		"other type":           func(p *trade.Plan) { p.OrderType = "stopLoss" },
		"no amount":            func(p *trade.Plan) { p.Amount = nil },
		"both amounts":         func(p *trade.Plan) { p.AmountQuote = dec("1") },
		"limit in quote":       func(p *trade.Plan) { p.Amount, p.AmountQuote = nil, dec("1") },
		"limit without price":  func(p *trade.Plan) { p.Price = nil },
		"market with price":    func(p *trade.Plan) { p.OrderType, p.TimeInForce = trade.MarketOrder, "" },
		"market with TIF":      func(p *trade.Plan) { p.OrderType, p.Price = trade.MarketOrder, nil },
		"other TIF":            func(p *trade.Plan) { p.TimeInForce = "FOREVER" },
		"zero amount":          func(p *trade.Plan) { p.Amount = dec("0") },
		"negative price":       func(p *trade.Plan) { p.Price = dec("-1") },
		"absurd exponent":      func(p *trade.Plan) { p.Amount = dec("1e30") },
		"endless decimals":     func(p *trade.Plan) { p.Amount = dec("1e-30") },
	} {
		plan := limitPlan()
		spoil(&plan)
		placed := v.client.Place(ctx(t), plan, testID, deadline())
		require.Equal(t, trade.NotSent, placed.Reply, name)
		require.Equal(t, CodeInvalidPlan, placed.Code, name)
	}
	require.Equal(t, CodeInvalidPlan, v.client.Place(ctx(t), limitPlan(), uuid.Nil, deadline()).Code)
	require.Empty(t, v.requests("POST /v2/order"))
}

func TestAcceptanceOfSomethingElseIsUnknown(t *testing.T) {
	id := testID.String()
	for name, reply := range map[string]string{
		"another client order ID": orderJSON("o-1", uuid.NewString(), "buy", "new"),
		"no UUID":                 orderJSON("o-1", "mine", "buy", "new"),
		"another side":            orderJSON("o-1", id, "sell", "new"),
		"another market":          `{"orderId":"o-1","market":"ETH-EUR","side":"buy","status":"new"}`,
		"no side":                 `{"orderId":"o-1","clientOrderId":"` + id + `","market":"BTC-EUR","created":1,"updated":1}`,
		"no order ID":             `{"orderId":"","market":"BTC-EUR","side":"buy"}`,
		"empty object":            `{}`,
		"absurd number":           `{"orderId":"o-1","market":"BTC-EUR","side":"buy","amount":"1e400"}`,
		"NaN":                     `{"orderId":"o-1","market":"BTC-EUR","side":"buy","amount":"NaN"}`,
		"order and error":         `{"orderId":"o-1","market":"BTC-EUR","side":"buy","errorCode":205}`,
	} {
		v := newVenue(t)
		v.on("POST /v2/order", says(200, reply))
		placed := v.client.Place(ctx(t), limitPlan(), testID, deadline())
		require.Equal(t, trade.Unknown, placed.Reply, name)
		require.Nil(t, placed.Order, name)
	}
}

func TestAcceptanceWithoutClientOrderIDOrInCapitalsIsBelieved(t *testing.T) {
	for _, id := range []string{"", "2BE7D0DF-D8DC-4B93-A550-8876F3B393E9"} {
		v := newVenue(t)
		v.on("POST /v2/order", says(201, orderJSON("o-1", id, "buy", "filled")))
		require.Equal(t, trade.Accepted, v.client.Place(ctx(t), limitPlan(), testID, deadline()).Reply)
	}
}

func TestRefusalCarriesTheExchangesCodeAndWords(t *testing.T) {
	v := newVenue(t)
	v.on("POST /v2/order", says(400, `{"errorCode":217,"error":"Minimum order size in quote currency is 5 EUR or 0.001 BTC."}`))

	placed := v.client.Place(ctx(t), limitPlan(), testID, deadline())

	require.Equal(t, trade.Refused, placed.Reply)
	require.Equal(t, "217", placed.Code)
	require.Contains(t, placed.Message, "Minimum order size")
}

func TestRedirectIsUnknownAndNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		v := newVenue(t)
		v.on("POST /v2/order", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/v2/elsewhere", status)
		})
		placed := v.client.Place(ctx(t), limitPlan(), testID, deadline())
		require.Equal(t, trade.Unknown, placed.Reply)
		require.Empty(t, v.requests("POST /v2/elsewhere"))
		require.Empty(t, v.requests("GET /v2/elsewhere"))
		require.Len(t, v.requests("POST /v2/order"), 1)
	}
}
