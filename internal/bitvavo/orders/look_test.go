package orders

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

const none = `{"errorCode":240,"error":"No order found. Please be aware that simultaneously updating the same order may return this error."}`

var since = venueTime.Add(-10 * time.Minute)

// newEmptyVenue knows no order at all, and says so in every list.
func newEmptyVenue(t *testing.T) *venue {
	t.Helper()
	v := newVenue(t)
	v.on("GET /v2/order", says(404, none))
	v.on("GET /v2/ordersOpen", says(200, `[]`))
	v.on("GET /v2/orders", says(200, `[]`))
	v.on("GET /v2/trades", says(200, `[]`))
	return v
}

func (v *venue) look(t *testing.T) trade.Lookup {
	t.Helper()
	return v.client.Look(ctx(t), searched(since))
}

func searched(since time.Time) trade.Search {
	return trade.Search{Market: "BTC-EUR", Side: trade.Buy, ClientOrderID: testID, Since: since, Known: []string{"o-known"}}
}

// An order that does not say which it is may be the one that is searched for,
// unless it is known to be another's, or nobody's of ours.
func TestAnOrderOfOursWithoutAClientOrderIDIsADoubt(t *testing.T) {
	for list, want := range map[string]trade.LookupResult{
		orderJSON("o-9", "", "buy", "filled"):     trade.Inconclusive,
		orderJSON("o-9", "", "sell", "filled"):    trade.NotThere,
		orderJSON("o-known", "", "buy", "filled"): trade.NotThere,
		strings.ReplaceAll(orderJSON("o-9", "", "buy", "filled"), `"operatorId":543462`, `"operatorId":1`): trade.NotThere,
	} {
		for _, where := range []string{"GET /v2/ordersOpen", "GET /v2/orders"} {
			v := newEmptyVenue(t)
			v.on(where, says(200, `[`+list+`]`))
			look := v.look(t)
			require.Equal(t, want, look.Result, "%s in %s: %s", list, where, look.Detail)
		}
	}
}

func tradeJSON(id, orderID, clientOrderID string) string {
	return `{"id":"` + id + `","orderId":"` + orderID + `","clientOrderId":"` + clientOrderID + `","timestamp":1548172481250,"market":"BTC-EUR",` +
		`"side":"buy","amount":"0.004","price":"75000","taker":true,"fee":"1.12","feeCurrency":"EUR","settled":true}`
}

func TestNotThereTakesFourClearAnswersAndTheExchangesClock(t *testing.T) {
	v := newEmptyVenue(t)
	stranger := uuid.NewString()
	v.on("GET /v2/ordersOpen", says(200, `[`+orderJSON("o-9", "", "sell", "new")+`]`))
	v.on("GET /v2/orders", says(200, `[`+orderJSON("o-8", stranger, "buy", "filled")+`]`))
	v.on("GET /v2/trades", says(200, `[`+tradeJSON("t-8", "o-8", stranger)+`]`))

	look := v.look(t)

	require.Equal(t, trade.NotThere, look.Result, look.Detail)
	require.Equal(t, venueTime, look.ExchangeTime)
	require.Empty(t, look.Orders)
	byID := v.requests("GET /v2/order")
	require.Len(t, byID, 1)
	require.Equal(t, testID.String(), byID[0].query.Get("clientOrderId"))
	require.Equal(t, "BTC-EUR", byID[0].query.Get("market"))
	require.Equal(t, "BTC-EUR", v.requests("GET /v2/ordersOpen")[0].query.Get("market"))
	for _, list := range []string{"GET /v2/orders", "GET /v2/trades"} {
		require.Equal(t, "1548171881125", v.requests(list)[0].query.Get("start"), list)
		require.Equal(t, "1000", v.requests(list)[0].query.Get("limit"), list)
		require.Empty(t, v.requests(list)[0].query.Get("end"), list)
	}
}

func TestClockIsReadBeforeTheLook(t *testing.T) {
	v := newEmptyVenue(t)
	v.look(t)
	v.look(t)
	require.Len(t, v.requests("GET /v2/time"), 2, "an estimate is not enough")
	require.Equal(t, "/v2/time", v.seen[0].path)
}

func TestOrderFoundByItsIDIsFoundWhateverTheListsSay(t *testing.T) {
	for _, lists := range []http.HandlerFunc{says(200, `[]`), says(503, `busy`), says(200, `null`)} {
		v := newEmptyVenue(t)
		v.on("GET /v2/order", says(200, orderJSON("o-1", testID.String(), "buy", "filled")))
		v.on("GET /v2/ordersOpen", lists)
		v.on("GET /v2/orders", lists)
		v.on("GET /v2/trades", lists)
		look := v.look(t)
		require.Equal(t, trade.Found, look.Result, look.Detail)
		require.Len(t, look.Orders, 1)
		require.Equal(t, "o-1", look.Orders[0].OrderID)
		require.Len(t, look.Orders[0].Fills, 2)
	}
}

func TestOrderInAnyListIsFoundAlthoughTheIDIsUnknown(t *testing.T) {
	for _, list := range []string{"GET /v2/ordersOpen", "GET /v2/orders"} {
		for _, id := range []string{testID.String(), strings.ToUpper(testID.String())} {
			v := newEmptyVenue(t)
			v.on(list, says(200, `[`+orderJSON("o-1", id, "buy", "new")+`]`))
			look := v.look(t)
			require.Equal(t, trade.Found, look.Result, list)
			require.Len(t, look.Orders, 1)
		}
	}
}

func TestTwoOrdersUnderOneIDAreBothReported(t *testing.T) {
	v := newEmptyVenue(t)
	id := testID.String()
	v.on("GET /v2/order", says(200, orderJSON("o-1", id, "buy", "new")))
	v.on("GET /v2/ordersOpen", says(200, `[`+orderJSON("o-1", id, "buy", "new")+`]`))
	v.on("GET /v2/orders", says(200, `[`+orderJSON("o-2", id, "buy", "filled")+`,`+orderJSON("o-1", id, "buy", "new")+`]`))
	v.on("GET /v2/trades", says(200, `[`+tradeJSON("t-2", "o-2", id)+`]`))

	look := v.look(t)

	require.Equal(t, trade.Found, look.Result)
	require.Len(t, look.Orders, 2)
	require.Equal(t, "o-1", look.Orders[0].OrderID)
	require.Equal(t, "o-2", look.Orders[1].OrderID)
}

func TestOrderSeenOnlyInATradeIsFetchedByItsOrderID(t *testing.T) {
	v := newEmptyVenue(t)
	v.on("GET /v2/trades", says(200, `[`+tradeJSON("t-2", "o-1", testID.String())+`,`+tradeJSON("t-1", "o-1", testID.String())+`]`))
	v.on("GET /v2/order", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("orderId") == "o-1" {
			says(200, orderJSON("o-1", testID.String(), "buy", "filled"))(w, r)
			return
		}
		says(404, none)(w, r)
	})
	look := v.look(t)
	require.Equal(t, trade.Found, look.Result, look.Detail)
	require.Len(t, look.Orders, 1)
}

func TestTradeWhoseOrderCannotBeFetchedIsInconclusive(t *testing.T) {
	v := newEmptyVenue(t)
	v.on("GET /v2/trades", says(200, `[`+tradeJSON("t-1", "o-1", testID.String())+`]`))
	look := v.look(t)
	require.Equal(t, trade.Inconclusive, look.Result)
	require.Contains(t, look.Detail, "o-1")
}

func TestNoClearAnswerIsNeverAnAbsence(t *testing.T) {
	unclear := map[string]http.HandlerFunc{
		"404 page":            says(404, "<html>not found</html>"),
		"404 without a code":  says(404, `{"error":"not found"}`),
		"empty 404":           says(404, ``),
		"another refusal":     says(400, `{"errorCode":205,"error":"market parameter is invalid."}`),
		"240 from a gateway":  says(502, none),
		"240 with 200":        says(200, none),
		"rate limit":          says(429, `{"errorCode":105,"error":"banned"}`),
		"unavailable":         says(503, `{"errorCode":107,"error":"overloaded"}`),
		"bad gateway":         says(502, `<html>`),
		"HTML with 200":       says(200, `<html>`),
		"empty with 200":      says(200, ``),
		"null":                says(200, `null`),
		"object":              says(200, `{}`),
		"list of nothing":     says(200, `[{}]`),
		"list of null":        says(200, `[null]`),
		"list cut off":        says(200, `[`+orderJSON("o-9", "", "buy", "new")),
		"something behind it": says(200, `[]]`),
		"absurd number":       says(200, `[{"orderId":"o-1","market":"BTC-EUR","side":"buy","amount":"1e99","created":1548172481200}]`),
		"dropped":             func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"redirect":            func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/v2/time", 302) },
	}
	for _, route := range []string{"GET /v2/order", "GET /v2/ordersOpen", "GET /v2/orders", "GET /v2/trades"} {
		for name, reply := range unclear {
			v := newEmptyVenue(t)
			v.on(route, reply)
			look := v.look(t)
			require.Equal(t, trade.Inconclusive, look.Result, "%s: %s: %s", route, name, look.Detail)
			require.NotEmpty(t, look.Detail)
			require.Equal(t, venueTime, look.ExchangeTime)
		}
	}
}

func TestNotFoundIsBelievedByItsCodeWithEitherStatus(t *testing.T) {
	for _, status := range []int{400, 404} {
		v := newEmptyVenue(t)
		v.on("GET /v2/order", says(status, none))
		require.Equal(t, trade.NotThere, v.look(t).Result)
	}
}

func TestAnswerAboutAnotherOrderIsInconclusive(t *testing.T) {
	for _, reply := range []string{
		orderJSON("o-1", uuid.NewString(), "buy", "new"), orderJSON("o-1", "", "buy", "new"),
		strings.Replace(orderJSON("o-1", testID.String(), "buy", "new"), "BTC-EUR", "ETH-EUR", 1),
	} {
		v := newEmptyVenue(t)
		v.on("GET /v2/order", says(200, reply))
		require.Equal(t, trade.Inconclusive, v.look(t).Result)
	}
}

func TestListOfAnotherMarketIsInconclusive(t *testing.T) {
	foreign := strings.Replace(orderJSON("o-1", "", "buy", "new"), "BTC-EUR", "ETH-EUR", 1)
	for _, route := range []string{"GET /v2/ordersOpen", "GET /v2/orders"} {
		v := newEmptyVenue(t)
		v.on(route, says(200, `[`+foreign+`]`))
		require.Equal(t, trade.Inconclusive, v.look(t).Result, route)
	}
}

func TestListsThatBeginInTheFutureProveNothing(t *testing.T) {
	v := newEmptyVenue(t)
	look := v.client.Look(ctx(t), searched(venueTime.Add(time.Second)))
	require.Equal(t, trade.Inconclusive, look.Result)
}

func TestLookWithoutTheExchangesClockIsInconclusive(t *testing.T) {
	v := newEmptyVenue(t)
	v.on("GET /v2/time", says(503, ``))
	look := v.look(t)
	require.Equal(t, trade.Inconclusive, look.Result)
	require.True(t, look.ExchangeTime.IsZero())
	require.Empty(t, v.requests("GET /v2/order"))
}

func TestPanickingLookIsInconclusive(t *testing.T) {
	c := newClient(t, "http://exchange/v2", tripper(func(*http.Request) (*http.Response, error) { panic(errors.New(testSecret)) }))
	look := c.Look(ctx(t), searched(since))
	require.Equal(t, trade.Inconclusive, look.Result)
	require.Contains(t, look.Detail, "panic")
	require.NotContains(t, look.Detail, testSecret)
}
