package paper

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (b *bench) fault(f Fault) {
	b.t.Helper()
	b.lever(http.MethodPost, "/faults", f)
}

// TestEachFaultLooksAsItShouldAndPlacesOrNot sends one order into each kind of
// fault and then asks the exchange's own ledger.
func TestEachFaultLooksAsItShouldAndPlacesOrNot(t *testing.T) {
	refused := func(status, code int) func(*testing.T, answer) {
		return func(t *testing.T, a answer) {
			require.NoError(t, a.err)
			require.Equal(t, status, a.status)
			require.Equal(t, code, a.code(t))
		}
	}
	filled := func(t *testing.T, a answer) { require.Equal(t, "filled", a.object(t)["status"], "%s", a.body) }
	ended := func(amount string) func(*testing.T, answer) {
		return func(t *testing.T, a answer) {
			require.Equal(t, "canceled", a.object(t)["status"])
			require.Equal(t, amount, a.object(t)["filledAmount"])
		}
	}
	hungUp := func(t *testing.T, a answer) { require.Error(t, a.err) }
	page := func(status int) func(*testing.T, answer) {
		return func(t *testing.T, a answer) {
			require.Equal(t, status, a.status)
			require.Contains(t, a.header.Get("Content-Type"), "text/html")
			require.False(t, json.Valid(a.body))
		}
	}
	for _, c := range []struct {
		name   string
		fault  Fault
		looks  func(*testing.T, answer)
		orders int
	}{
		{"down", Fault{Kind: "down"}, hungUp, 0},
		{"drop before", Fault{Kind: "drop-before"}, hungUp, 0},
		{"accept then drop", Fault{Kind: "accept-then-drop"}, hungUp, 1},
		{"503 by default", Fault{Kind: "503"}, refused(503, 109), 0},
		{"109 placed", Fault{Kind: "503", Code: 109, Placed: true}, refused(503, 109), 1},
		{"107", Fault{Kind: "503", Code: 107}, refused(503, 107), 0},
		{"107 placed", Fault{Kind: "503", Code: 107, Placed: true}, refused(503, 107), 1},
		{"108", Fault{Kind: "503", Code: 108}, refused(503, 108), 0},
		{"108 placed", Fault{Kind: "503", Code: 108, Placed: true}, refused(503, 108), 1},
		{"111", Fault{Kind: "503", Code: 111}, refused(503, 111), 0},
		{"101", Fault{Kind: "503", Code: 101}, refused(500, 101), 0},
		{"101 placed", Fault{Kind: "503", Code: 101, Placed: true}, refused(500, 101), 1},
		{"503 page", Fault{Kind: "503", HTML: true}, page(503), 0},
		{"503 page placed", Fault{Kind: "503", HTML: true, Placed: true}, page(503), 1},
		{"105 with expiry", Fault{Kind: "105"}, func(t *testing.T, a answer) {
			refused(429, 105)(t, a)
			require.Regexp(t, ` at \d{13}\.$`, a.object(t)["error"])
		}, 0},
		{"105 without expiry", Fault{Kind: "105", NoExpiry: true}, func(t *testing.T, a answer) {
			refused(429, 105)(t, a)
			require.NotContains(t, a.object(t)["error"], " at ")
		}, 0},
		{"bad gateway", Fault{Kind: "html"}, page(502), 0},
		{"bad gateway placed", Fault{Kind: "html", Placed: true}, page(502), 1},
		{"empty", Fault{Kind: "empty"}, func(t *testing.T, a answer) {
			require.Equal(t, http.StatusOK, a.status)
			require.JSONEq(t, "{}", string(a.body))
		}, 1},
		{"truncated", Fault{Kind: "truncated"}, func(t *testing.T, a answer) {
			require.Equal(t, http.StatusOK, a.status)
			require.ErrorIs(t, a.err, io.ErrUnexpectedEOF)
			require.NotEmpty(t, a.body)
			require.False(t, json.Valid(a.body))
		}, 1},
		{"delay", Fault{Kind: "delay", DelayMs: 500, AfterMs: 70_000}, filled, 1},
		{"delay beyond the window", Fault{Kind: "delay", DelayMs: 10_001}, refused(403, 304), 0},
		{"late at the door", Fault{Kind: "late-304"}, refused(403, 304), 0},
		{"late at the engine", Fault{Kind: "late-108"}, refused(503, 108), 0},
		{"delivered twice", Fault{Kind: "twice"}, filled, 2},
		{"hidden", Fault{Kind: "hide", ForMs: 5000}, filled, 1},
		{"hidden and lost", Fault{Kind: "hide", ForMs: 5000, Placed: true}, hungUp, 1},
		{"settled late", Fault{Kind: "settle-late", ForMs: 5000}, filled, 1},
		{"ended in part", Fault{Kind: "partial-cancel"}, ended("0.05"), 1},
		{"ended unfilled", Fault{Kind: "unfilled"}, ended("0"), 1},
		{"slow body", Fault{Kind: "slow-body", ForMs: 20_000}, filled, 1},
		{"redirect", Fault{Kind: "redirect", Path: "/order"}, func(t *testing.T, a answer) {
			require.Equal(t, http.StatusTemporaryRedirect, a.status)
			require.Equal(t, "/v2/order", a.header.Get("Location"))
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			before := b.ex.ledger.sums()
			c.fault.Method, c.fault.Count = http.MethodPost, 1
			b.fault(c.fault)
			c.looks(t, b.call(b.key, http.MethodPost, "/order", orderJSON(nil)))
			require.Len(t, b.recorded(), c.orders)
			require.Equal(t, 1, b.ex.faults.list()[0].Struck)
			b.place(orderJSON(nil))
			require.Len(t, b.recorded(), c.orders+1, "spent after one strike")
			require.Equal(t, before, b.ex.ledger.sums())
			requireHoldsMatch(t, b.ex)
			requireFillsExplainBalances(t, b.ex)
		})
	}
}

func TestEveryFaultKindIsTested(t *testing.T) {
	kinds := "down drop-before accept-then-drop 503 105 html empty truncated delay redirect " +
		"slow-body late-304 late-108 twice hide settle-late partial-cancel unfilled"
	require.Len(t, faultKinds, len(strings.Fields(kinds)))
	for kind := range faultKinds {
		require.Contains(t, strings.Fields(kinds), kind)
	}
}

func TestFaultStrikesOnlyWhatItMatches(t *testing.T) {
	b := newBench(t)
	b.fault(Fault{Kind: "html", Method: "GET", Path: "/v2/order", Exact: true})
	b.fault(Fault{Kind: "503", Method: "GET", Path: "/ticker"})
	require.Equal(t, http.StatusBadGateway, b.call(b.key, "GET", "/order?market=BTC-EUR&orderId=x", "").status)
	require.Equal(t, http.StatusOK, b.call(b.key, "GET", "/orders?market=BTC-EUR", "").status)
	require.Equal(t, http.StatusOK, b.call(b.key, "POST", "/order", orderJSON(nil)).status)
	for range 3 {
		require.Equal(t, http.StatusServiceUnavailable, b.get("/ticker/price").status)
	}
	var faults []Fault
	b.lever(http.MethodGet, "/faults", nil).into(t, &faults)
	require.Equal(t, []int{1, 3}, []int{faults[0].Struck, faults[1].Struck})

	require.JSONEq(t, `{"cleared":1}`, string(b.lever(http.MethodDelete, "/faults?id="+faults[1].ID, nil).body))
	require.Equal(t, http.StatusOK, b.get("/ticker/price").status)
	require.JSONEq(t, `{"cleared":1}`, string(b.lever(http.MethodDelete, "/faults", nil).body))
	require.Equal(t, http.StatusNotFound, b.call(b.key, "GET", "/order?market=BTC-EUR&orderId=x", "").status)
}

func TestFaultThatMakesNoSenseIsRefused(t *testing.T) {
	b := newBench(t)
	for _, body := range []string{`{"kind":"gremlin"}`, `{"kind":"503","code":216}`, `{"kind":"html","count":-1}`, `{"kind":"html","often":1}`, `{`,
		`{"kind":"html","chance":1.5}`, `{"kind":"html","chance":-0.1}`, `{"kind":"late-304","placed":true}`, `{"kind":"hide","forMs":-1}`, `{"kind":"delay","delayMs":86400001}`} {
		r, err := http.NewRequest(http.MethodPost, b.server.URL+"/admin/faults", strings.NewReader(body))
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, b.send(r).status, body)
	}
	require.Empty(t, b.ex.faults.list())
}

func TestDelayedReplyEndsWhenTheExchangeCloses(t *testing.T) {
	waiting := make(chan struct{})
	b := newBench(t, func(c *Config) {
		c.Wait = func(ctx context.Context, d time.Duration) error {
			if d > 0 {
				close(waiting)
			}
			return wait(ctx, d)
		}
	})
	b.fault(Fault{Kind: "delay", DelayMs: 3_600_000})
	answered := make(chan answer, 1)
	go func() { answered <- b.get("/time") }()
	<-waiting
	require.NoError(t, b.ex.Close())
	require.Error(t, (<-answered).err)
}
