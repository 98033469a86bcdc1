package paper

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// readsOf asks every read for an order and says how many show it.
func (b *bench) readsOf(clientOrderID string) int {
	b.t.Helper()
	n := 0
	if b.call(b.key, http.MethodGet, "/order?market=BTC-EUR&clientOrderId="+clientOrderID, "").status == http.StatusOK {
		n++
	}
	for _, path := range []string{"/orders?market=BTC-EUR", "/ordersOpen?market=BTC-EUR", "/trades?market=BTC-EUR"} {
		var rows []map[string]any
		b.call(b.key, http.MethodGet, path, "").into(b.t, &rows)
		n += len(rows)
	}
	return n
}

func TestHiddenOrderIsShownByNoReadForSoLong(t *testing.T) {
	b := newBench(t)
	b.fault(Fault{Kind: "hide", Count: 2, ForMs: 30_000})
	require.Equal(t, "filled", b.place(orderJSON(named(uuidA)))["status"])
	b.place(limitJSON(named(uuidB)))
	b.clock.Move(29_999 * time.Millisecond)
	for _, id := range []string{uuidA, uuidB} {
		a := b.call(b.key, http.MethodGet, "/order?market=BTC-EUR&clientOrderId="+id, "")
		require.Equal(t, http.StatusNotFound, a.status)
		require.Equal(t, 240, a.code(t))
		require.Zero(t, b.readsOf(id))
	}
	require.Len(t, b.recorded(), 2)
	require.Equal(t, 220, b.call(b.key, http.MethodPost, "/order", limitJSON(named(uuidB))).code(t), "hidden, not absent")
	b.clock.Move(time.Millisecond)
	require.Equal(t, 1+2+1+1, b.readsOf(uuidA))
	b.place(orderJSON(nil))
	require.Equal(t, 1+3+1+2, b.readsOf(uuidA), "later orders are seen at once")
}

func TestRestartEndsTheHidingOfAnOrder(t *testing.T) {
	b := newBench(t, stateFile(t))
	b.fault(Fault{Kind: "hide", ForMs: 3_600_000})
	b.place(orderJSON(named(uuidA)))
	require.Zero(t, b.readsOf(uuidA))
	b.reopen()
	require.Equal(t, 1+1+0+1, b.readsOf(uuidA))
}

func TestFillsSettleLateForTheirOwnerOnly(t *testing.T) {
	b := newBench(t)
	b.fault(Fault{Kind: "settle-late", Count: 1, ForMs: 4000})
	o := b.place(orderJSON(nil))
	fill := func(o map[string]any) map[string]any { return o["fills"].([]any)[0].(map[string]any) }
	for _, seen := range []map[string]any{fill(o), fill(b.order(o["orderId"]))} {
		require.Equal(t, false, seen["settled"])
		require.NotContains(t, seen, "fee")
	}
	require.Equal(t, "12.5", fill(b.recorded()[0])["fee"], "the ledger knows")
	other := b.place(orderJSON(with("amount", "0.01")))
	require.Equal(t, true, fill(other)["settled"])
	b.clock.Move(4 * time.Second)
	require.Equal(t, "12.5", fill(b.order(o["orderId"]))["fee"])
}

// TestExchangeEndsOrdersAsTheirKindEnds sends each kind of order into both
// faults that end it.
func TestExchangeEndsOrdersAsTheirKindEnds(t *testing.T) {
	limit := func(fields map[string]any) string { return limitJSON(fields) }
	crossing := func(tif string) string { return limit(map[string]any{"price": "50000", "timeInForce": tif}) }
	for _, c := range []struct {
		name, fault, body, status, filled string
	}{
		{"market in part", "partial-cancel", orderJSON(nil), "canceled", "0.05"},
		{"market in quote in part", "partial-cancel", orderJSON(map[string]any{"amount": nil, "amountQuote": "100.25"}), "canceled", "0.001"},
		{"sell in part", "partial-cancel", orderJSON(with("side", "sell")), "canceled", "0.05"},
		{"IOC in part", "partial-cancel", crossing("IOC"), "canceledIOC", "0.05"},
		{"FOK never in part", "partial-cancel", crossing("FOK"), "canceledFOK", "0"},
		{"GTC in part", "partial-cancel", crossing("GTC"), "canceled", "0.05"},
		{"resting in part", "partial-cancel", limit(nil), "canceled", "0.05"},
		{"post only in part", "partial-cancel", limit(with("postOnly", true)), "canceled", "0.05"},
		{"IOC out of reach in part", "partial-cancel", limit(with("timeInForce", "IOC")), "canceledIOC", "0"},
		{"market", "unfilled", orderJSON(nil), "canceled", "0"},
		{"IOC", "unfilled", crossing("IOC"), "canceledIOC", "0"},
		{"FOK", "unfilled", crossing("FOK"), "canceledFOK", "0"},
		{"GTC", "unfilled", crossing("GTC"), "canceled", "0"},
		{"post only", "unfilled", limit(with("postOnly", true)), "canceledPostOnly", "0"},
		{"post only that would take", "unfilled", limit(map[string]any{"price": "50001", "postOnly": true}), "canceledPostOnly", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			before := b.ex.ledger.sums()
			b.fault(Fault{Kind: c.fault})
			o := b.place(c.body)
			require.Equal(t, c.status, o["status"])
			require.Equal(t, c.filled, o["filledAmount"])
			require.Equal(t, o, b.order(o["orderId"]))
			_, inOrder := b.balance("EUR")
			require.Equal(t, "0", inOrder)
			require.Equal(t, before, b.ex.ledger.sums())
			requireHoldsMatch(t, b.ex)
			requireFillsExplainBalances(t, b.ex)
		})
	}
}

func TestOrderThatIsEndedStillNeedsItsBalance(t *testing.T) {
	b := newBench(t)
	b.fault(Fault{Kind: "unfilled"})
	require.Equal(t, 216, b.call(b.key, http.MethodPost, "/order", limitJSON(with("amount", "100"))).code(t))
	require.Empty(t, b.recorded())
}

func TestSecondDeliveryIsASecondOrderUnlessTheFirstIsOpen(t *testing.T) {
	b := newBench(t)
	b.fault(Fault{Kind: "twice"})
	o := b.place(orderJSON(named(uuidA)))
	rows := b.recorded()
	require.Len(t, rows, 2, "a filled order does not block its client order id")
	require.Equal(t, rows[1]["orderId"], o["orderId"])
	require.NotEqual(t, rows[0]["orderId"], o["orderId"])
	require.Equal(t, uuidA, rows[0]["clientOrderId"])

	require.Equal(t, 220, b.call(b.key, http.MethodPost, "/order", limitJSON(named(uuidB))).code(t))
	require.Len(t, b.recorded(), 3, "the first rests")
	requireFillsExplainBalances(t, b.ex)
}

func TestSecondDeliveryPastTheWindowIsRefused(t *testing.T) {
	b := newBench(t)
	b.fault(Fault{Kind: "twice", ForMs: 10_001})
	require.Equal(t, 304, b.call(b.key, http.MethodPost, "/order", orderJSON(nil)).code(t))
	require.Len(t, b.recorded(), 1, "refused and yet placed")
}

func TestSecondDeliveryIsNoOrderWhereIDsAreForEver(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Options.ClientOrderIDForever = true })
	b.fault(Fault{Kind: "twice"})
	require.Equal(t, 220, b.call(b.key, http.MethodPost, "/order", orderJSON(named(uuidA))).code(t))
	require.Len(t, b.recorded(), 1)
}

func TestBanHoldsAsLongAsItSays(t *testing.T) {
	for name, silent := range map[string]bool{"with its end": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.fault(Fault{Kind: "105", Count: 1, ForMs: 3000, NoExpiry: silent, Method: "POST"})
			a := b.call(b.key, http.MethodPost, "/order", orderJSON(nil))
			end := b.clock.Now().Add(3 * time.Second)
			require.Equal(t, http.StatusTooManyRequests, a.status)
			b.clock.Move(2999 * time.Millisecond)
			again := b.call(b.key, http.MethodGet, "/balance", "")
			require.JSONEq(t, string(a.body), string(again.body))
			require.Equal(t, http.StatusTooManyRequests, again.status)
			stated := " at " + strconv.FormatInt(end.UnixMilli(), 10) + "."
			if silent {
				require.NotContains(t, a.object(t)["error"], " at ")
			} else {
				require.Contains(t, a.object(t)["error"], stated)
			}
			require.Equal(t, http.StatusOK, b.call(b.other, http.MethodPost, "/order", orderJSON(nil)).status, "another key")
			require.Equal(t, http.StatusOK, b.get("/time").status, "nobody's request")
			b.clock.Move(time.Millisecond)
			require.Equal(t, http.StatusOK, b.call(b.key, http.MethodGet, "/balance", "").status)
			require.Len(t, b.recorded(), 1, "the other's")
		})
	}
}

func TestBanOfNobodyIsOfItsAddress(t *testing.T) {
	b := newBench(t)
	b.fault(Fault{Kind: "105", Count: 1, ForMs: 3000})
	require.Equal(t, 105, b.get("/time").code(t))
	require.Equal(t, 105, b.get("/time").code(t))
	require.Equal(t, http.StatusOK, b.call(b.key, http.MethodGet, "/balance", "").status)
}
