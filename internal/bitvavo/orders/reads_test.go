package orders

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func TestOrderIsFetchedByItsOrderIDWithItsFills(t *testing.T) {
	v := newVenue(t)
	v.on("GET /v2/order", says(200, orderJSON("o-1", "", "sell", "partiallyFilled")))
	o, err := v.client.Order(ctx(t), "BTC-EUR", "o-1")
	require.NoError(t, err)
	require.Equal(t, trade.Sell, o.Side)
	require.Len(t, o.Fills, 2)
	require.Equal(t, "o-1", v.requests("GET /v2/order")[0].query.Get("orderId"))
}

func TestOrderIDCannotSmuggleParameters(t *testing.T) {
	v := newVenue(t)
	v.on("GET /v2/order", says(404, none))
	_, err := v.client.Order(ctx(t), "BTC-EUR", "o-1&clientOrderId=other#x y")
	require.ErrorIs(t, err, ErrNotActive)
	query := v.requests("GET /v2/order")[0].query
	require.Equal(t, "o-1&clientOrderId=other#x y", query.Get("orderId"))
	require.Len(t, query, 2)
}

func TestOrderInReplyMustBeTheOneAskedFor(t *testing.T) {
	v := newVenue(t)
	v.on("GET /v2/order", says(200, orderJSON("o-2", "", "sell", "filled")))
	_, err := v.client.Order(ctx(t), "BTC-EUR", "o-1")
	require.ErrorIs(t, err, ErrUnavailable)
}

func TestCancelNamesTheOperatorAndNeedsAConfirmation(t *testing.T) {
	v := newVenue(t)
	v.on("DELETE /v2/order", says(200, `{"orderId":"o-1","operatorId":543462}`))
	require.NoError(t, v.client.Cancel(ctx(t), "BTC-EUR", "o-1"))
	query := v.requests("DELETE /v2/order")[0].query
	require.Equal(t, "543462", query.Get("operatorId"))
	require.Equal(t, "BTC-EUR", query.Get("market"))
	require.Equal(t, "o-1", query.Get("orderId"))

	v.on("DELETE /v2/order", says(200, `{}`))
	require.ErrorIs(t, v.client.Cancel(ctx(t), "BTC-EUR", "o-1"), ErrUnavailable)
}

func TestCancelOfAClosedOrderIsNotActive(t *testing.T) {
	for _, code := range []int{233, 240} {
		v := newVenue(t)
		v.on("DELETE /v2/order", says(404, string(errorBody(code))))
		err := v.client.Cancel(ctx(t), "BTC-EUR", "o-1")
		require.ErrorIs(t, err, ErrNotActive)
		require.NotErrorIs(t, err, ErrUnavailable)
	}
}

func TestMissingPageIsNotAClosedOrder(t *testing.T) {
	v := newVenue(t)
	for _, err := range []error{v.client.Cancel(ctx(t), "BTC-EUR", "o-1"), second(v.client.Order(ctx(t), "BTC-EUR", "o-1"))} {
		require.NotErrorIs(t, err, ErrNotActive)
		var failure *APIError
		require.ErrorAs(t, err, &failure)
		require.Equal(t, &APIError{Status: 404}, failure)
	}
}

func second[T any](_ T, err error) error { return err }

func TestErrorsSayWhetherAskingAgainMayHelp(t *testing.T) {
	for _, c := range []struct {
		reply http.HandlerFunc
		retry bool
	}{
		{says(503, `{"errorCode":107,"error":"busy"}`), true},
		{says(500, `<html>`), true},
		{says(429, ``), true},
		{says(429, string(errorBody(105))), true},
		{says(403, string(errorBody(105))), true},
		{says(200, `<html>`), true},
		{says(200, `null`), true},
		{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true},
		{says(403, string(errorBody(309))), false},
		{says(400, string(errorBody(205))), false},
		{says(403, `forbidden`), false},
	} {
		v := newVenue(t)
		v.on("GET /v2/balance", c.reply)
		_, err := v.client.Balances(ctx(t))
		require.Error(t, err)
		if c.retry {
			require.ErrorIs(t, err, ErrUnavailable)
		} else {
			require.NotErrorIs(t, err, ErrUnavailable)
		}
	}
}

func TestErrorOfTheCallersContextIsRecognisable(t *testing.T) {
	v := newVenue(t)
	gone, cancel := context.WithCancel(ctx(t))
	cancel()
	_, err := v.client.OpenOrders(gone)
	require.ErrorIs(t, err, context.Canceled)
}

func TestHungReadEndsAtTheRequestTimeout(t *testing.T) {
	s := newSocket(t, hang)
	c := newClient(t, s.url(), nil)
	c.timeout = 50 * time.Millisecond
	_, err := c.Balances(ctx(t))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, ErrUnavailable)
}

func TestOpenOrdersAreThoseOfAllMarkets(t *testing.T) {
	v := newVenue(t)
	v.on("GET /v2/ordersOpen", says(200, `[`+orderJSON("o-1", "", "buy", "new")+`,{"orderId":"o-2","market":"odd/MARKET","side":"sell","status":"new"}]`))
	list, err := v.client.OpenOrders(ctx(t))
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Empty(t, v.requests("GET /v2/ordersOpen")[0].query)
}

func TestTradesCarryTheirOrder(t *testing.T) {
	v := newVenue(t)
	v.on("GET /v2/trades", says(200, `[`+tradeJSON("t-1", "o-1", testID.String())+`]`))
	list, err := v.client.Trades(ctx(t), "BTC-EUR", since)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "o-1", list[0].OrderID)
	require.Equal(t, testID.String(), list[0].ClientOrderID)
	require.Equal(t, trade.Buy, list[0].Side)
	require.Equal(t, "1.12", list[0].Fee.String())
	require.Equal(t, time.UnixMilli(1548172481250).UTC(), list[0].At)
}

func TestUnsettledFillHasNoFee(t *testing.T) {
	v := newVenue(t)
	v.on("GET /v2/order", says(200, orderJSON("o-1", "", "buy", "filled")))
	o, err := v.client.Order(ctx(t), "BTC-EUR", "o-1")
	require.NoError(t, err)
	require.True(t, o.Fills[1].Fee.IsZero())
	require.False(t, o.Fills[1].Settled)
}

func TestBalancesAreExact(t *testing.T) {
	v := newVenue(t)
	v.on("GET /v2/balance", says(200, `[{"symbol":"EUR","available":"1000.10","inOrder":"0"},{"symbol":"BTC","available":0.00000001,"inOrder":"0.5"}]`))
	list, err := v.client.Balances(ctx(t))
	require.NoError(t, err)
	require.Equal(t, "1000.1", list[0].Available.String())
	require.Equal(t, "0.00000001", list[1].Available.String())
	require.Equal(t, "0.5", list[1].InOrder.String())
}

func TestAbsurdNumbersAreRefused(t *testing.T) {
	for _, text := range []string{`"1e400"`, `1e400`, `"NaN"`, `"Infinity"`, `"0x10"`, `""`, `true`, `"1,5"`, `"12345678901234567890"`, `{}`} {
		v := newVenue(t)
		v.on("GET /v2/balance", says(200, `[{"symbol":"EUR","available":`+text+`,"inOrder":"0"}]`))
		_, err := v.client.Balances(ctx(t))
		require.Error(t, err, text)
	}
}

// A stamp in microseconds or nanoseconds lies in years that JSON and the
// records have no room for. The order has to be followed and recorded all the
// same; from when on it counts, the records decide.
func TestAnOrderWithAnAbsurdStampCanStillBeWrittenDown(t *testing.T) {
	for _, stamp := range []string{"1548172481125000", "1548172481125000000", "9223372036854775807"} {
		v := newVenue(t)
		v.on("GET /v2/order", says(200, fmt.Sprintf(`{"orderId":"o-1","market":"BTC-EUR","side":"buy","status":"filled",
			"created":%[1]s,"updated":%[1]s,"filledAmount":"1","fills":[{"id":"f","timestamp":%[1]s,"amount":"1","price":"1"}]}`, stamp)))
		o, err := v.client.Order(ctx(t), "BTC-EUR", "o-1")
		require.NoError(t, err)
		_, err = json.Marshal(o)
		require.NoError(t, err)
		require.True(t, o.LastFill().After(time.Now()), "it still shows that it is absurd")
	}
}
