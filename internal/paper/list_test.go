package paper

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// placeSome places n filled orders a millisecond apart and returns their ids, oldest first.
func (b *bench) placeSome(n int) []string {
	var ids []string
	for range n {
		ids = append(ids, b.place(orderJSON(with("amount", "0.001")))["orderId"].(string))
		b.clock.Move(time.Millisecond)
	}
	return ids
}

func (b *bench) ids(path, field string) []string {
	b.t.Helper()
	var rows []map[string]any
	b.call(b.key, http.MethodGet, path, "").into(b.t, &rows)
	ids := []string{}
	for _, r := range rows {
		ids = append(ids, r[field].(string))
	}
	return ids
}

func TestOrdersAndTradesAreListedNewestFirst(t *testing.T) {
	b := newBench(t)
	ids := b.placeSome(5)
	want := []string{ids[4], ids[3], ids[2], ids[1], ids[0]}
	require.Equal(t, want, b.ids("/orders?market=BTC-EUR", "orderId"))
	require.Equal(t, want, b.ids("/trades?market=BTC-EUR", "orderId"))
	require.Equal(t, want[:2], b.ids("/orders?market=BTC-EUR&limit=2", "orderId"))
	require.Equal(t, want[:2], b.ids("/trades?market=BTC-EUR&limit=2", "orderId"))
}

func TestListsAreBoundByTimeInclusively(t *testing.T) {
	b := newBench(t)
	from := b.clock.Now().UnixMilli()
	ids := b.placeSome(5)
	for _, list := range []string{"orders", "trades"} {
		got := b.ids(fmt.Sprintf("/%s?market=BTC-EUR&start=%d&end=%d", list, from+1, from+3), "orderId")
		require.Equal(t, []string{ids[3], ids[2], ids[1]}, got)
	}
}

func TestListsAreBoundByID(t *testing.T) {
	for _, exclusive := range []bool{false, true} {
		b := newBench(t, func(c *Config) { c.Options.ExclusivePaging = exclusive })
		ids := b.placeSome(5)
		got := b.ids("/orders?market=BTC-EUR&orderIdFrom="+ids[1]+"&orderIdTo="+ids[3], "orderId")
		if exclusive {
			require.Equal(t, []string{ids[2]}, got)
		} else {
			require.Equal(t, []string{ids[3], ids[2], ids[1]}, got)
		}
		require.Empty(t, b.ids("/orders?market=BTC-EUR&orderIdTo=nobody", "orderId"))
		require.Empty(t, b.ids("/orders?market=BTC-EUR&orderIdFrom=nobody", "orderId"))
	}
}

// TestPagingReachesTheEnd pages as a careful client does: from the oldest id
// seen, until a page brings nothing new.
func TestPagingReachesTheEnd(t *testing.T) {
	for _, exclusive := range []bool{false, true} {
		for list, field := range map[string][2]string{"orders": {"orderIdTo", "orderId"}, "trades": {"tradeIdTo", "id"}} {
			b := newBench(t, func(c *Config) { c.Options.ExclusivePaging = exclusive })
			b.placeSome(23)
			seen := map[string]bool{}
			path := "/" + list + "?market=BTC-EUR&limit=5"
			for page := b.ids(path, field[1]); ; page = b.ids(path+"&"+field[0]+"="+page[len(page)-1], field[1]) {
				before := len(seen)
				for _, id := range page {
					seen[id] = true
				}
				if len(seen) == before {
					break
				}
			}
			require.Len(t, seen, 23)
		}
	}
}

func TestTradesNameTheirOrder(t *testing.T) {
	b := newBench(t)
	o := b.place(orderJSON(named(uuidA)))
	var trades []map[string]any
	b.call(b.key, http.MethodGet, "/trades?market=BTC-EUR", "").into(t, &trades)
	require.Len(t, trades, 1)
	fill := o["fills"].([]any)[0].(map[string]any)
	require.Equal(t, map[string]any{
		"id": fill["id"], "timestamp": fill["timestamp"], "amount": "0.1", "price": "50000", "taker": true,
		"fee": "12.5", "feeCurrency": "EUR", "settled": true, "orderId": o["orderId"], "clientOrderId": uuidA,
		"market": "BTC-EUR", "side": "buy", "operatorId": float64(7),
	}, trades[0])
}

func TestReadLagHidesAnOrderFromItsOwnerForAWhile(t *testing.T) {
	b := newBench(t)
	b.lever(http.MethodPost, "/delay", map[string]int{"readLagMs": 3000})
	b.place(limitJSON(named(uuidA)))
	look := "/order?market=BTC-EUR&clientOrderId=" + uuidA
	require.Equal(t, 240, b.call(b.key, http.MethodGet, look, "").code(t))
	require.Empty(t, b.ids("/orders?market=BTC-EUR", "orderId"))
	require.Empty(t, b.ids("/ordersOpen?market=BTC-EUR", "orderId"))
	require.Equal(t, 220, b.call(b.key, http.MethodPost, "/order", limitJSON(named(uuidA))).code(t), "hidden is not absent")
	b.clock.Move(3 * time.Second)
	require.Equal(t, http.StatusOK, b.call(b.key, http.MethodGet, look, "").status)
	require.Len(t, b.ids("/ordersOpen?market=BTC-EUR", "orderId"), 1)
}

func TestUnsettledFillHasNoFee(t *testing.T) {
	b := newBench(t)
	b.lever(http.MethodPost, "/delay", map[string]int{"settleAfterMs": 2000})
	o := b.place(orderJSON(nil))
	fill := o["fills"].([]any)[0].(map[string]any)
	require.Equal(t, false, fill["settled"])
	require.NotContains(t, fill, "fee")
	require.NotContains(t, fill, "feeCurrency")
	b.clock.Move(2 * time.Second)
	fill = b.order(o["orderId"])["fills"].([]any)[0].(map[string]any)
	require.Equal(t, "12.5", fill["fee"])
}

func TestAccountShowsFeesAndVolume(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Step = time.Hour })
	b.place(orderJSON(nil))
	a := b.call(b.key, http.MethodGet, "/account", "")
	require.JSONEq(t, `{"fees":{"taker":"0.0025","maker":"0.0015","volume":"5000"}}`, string(a.body))
	b.clock.Move(31 * day)
	a = b.call(b.key, http.MethodGet, "/account/fees?market=BTC-EUR", "")
	require.JSONEq(t, `{"tier":0,"taker":"0.0025","maker":"0.0015","volume":"0"}`, string(a.body))
}

func TestBalanceListsWhatIsHeldBySymbol(t *testing.T) {
	b := newBench(t)
	b.place(limitJSON(map[string]any{"side": "sell", "amount": "0.25", "price": "60000"}))
	a := b.call(b.key, http.MethodGet, "/balance", "")
	require.JSONEq(t, `[
		{"symbol":"ADA","available":"10000","inOrder":"0"}, {"symbol":"BTC","available":"0.75","inOrder":"0.25"},
		{"symbol":"ETH","available":"10","inOrder":"0"}, {"symbol":"EUR","available":"100000","inOrder":"0"},
		{"symbol":"SOL","available":"100","inOrder":"0"}]`, string(a.body))
	b.place(orderJSON(map[string]any{"side": "sell", "amount": "0.75"}))
	b.pin("60000")
	require.NotContains(t, b.ids("/balance", "symbol"), "BTC", "nothing is left of it")
}
