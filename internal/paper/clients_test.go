package paper

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/nodetest"
)

// foreign is an exchange for programs of others: on the machine's clock, with
// prices that move by themselves, and lenient, as the official clients cannot
// send every operatorId as the exchange wants it.
func foreign(t *testing.T, change ...func(*Config)) *bench {
	t.Helper()
	lenient := func(c *Config) {
		c.Clock, c.Wait, c.Step, c.Options.Lenient = time.Now, wait, 200*time.Millisecond, true
	}
	b := newBench(t, append([]func(*Config){lenient}, change...)...)
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { defer close(ran); b.ex.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ran })
	return b
}

// environment tells a program where the exchange is and who it is there.
func (b *bench) environment() []string {
	return append(os.Environ(), "KEY="+b.key.Key, "SECRET="+b.key.Secret, "REST="+b.server.URL+"/v2", "SOCKET="+b.socketURL())
}

// seen is what a program saw: the last line of what it printed.
func seen(t *testing.T, printed string) map[string]json.RawMessage {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(printed), "\n")
	all := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &all), printed)
	return all
}

func TestOfficialGoClientMakesItsDocumentedCallsOnASocket(t *testing.T) {
	b := foreign(t, func(c *Config) { c.Options.AlwaysLists = true })
	program := filepath.Join(t.TempDir(), "goclient")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/goclient").CombinedOutput()
	require.NoError(t, err, "%s", out)
	cmd := exec.CommandContext(t.Context(), program, b.server.URL+"/v2", b.socketURL())
	cmd.Env = b.environment()
	printed, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", printed)
	all := seen(t, string(printed))
	requireDocumentedCalls(t, all)
	requireEvents(t, all)
	require.Equal(t, "240", string(all["refusal"]))
	require.Equal(t, "401", string(all["depositRefusal"]))
}

func TestOfficialNodeClientMakesItsDocumentedCalls(t *testing.T) {
	project := nodetest.Project(t, "testdata/node")
	t.Run("REST", func(t *testing.T) {
		b := foreign(t)
		cmd := nodetest.Command(t, project, "rest.mjs")
		cmd.Env = b.environment()
		all := seen(t, nodetest.Run(t, cmd))
		requireDocumentedCalls(t, all)
		require.Contains(t, string(all["refusal"]), "No order found.")
		require.Contains(t, string(all["depositRefusal"]), "Deposits for this asset are not available")
	})
	t.Run("socket", func(t *testing.T) {
		b := foreign(t)
		cmd := nodetest.Command(t, project, "socket.mjs")
		cmd.Env = b.environment()
		all := seen(t, nodetest.Run(t, cmd))
		requireDocumentedCalls(t, all)
		requireEvents(t, all)
		require.Equal(t, "240", string(all["refusal"]))
		require.Equal(t, "401", string(all["depositRefusal"]))
	})
}

func TestCCXTTrades(t *testing.T) {
	project := nodetest.Project(t, "testdata/node")
	b := foreign(t, func(c *Config) { c.Options.Lenient = false })
	cmd := nodetest.Command(t, project, "ccxt.mjs")
	cmd.Env = b.environment()
	var all struct {
		Price, Filled, Balance    float64
		Book                      struct{ Bids, Asks [][]float64 }
		Candles                   [][]float64
		Open                      []string
		Placed, Canceled, Missing string
		Trades                    int
	}
	require.NoError(t, json.Unmarshal([]byte(nodetest.Run(t, cmd)), &all))
	require.InDelta(t, 1.0, all.Price, 0, "the tick size")
	require.InDelta(t, 0.01, all.Filled, 0)
	require.InDelta(t, 1.01, all.Balance, 1e-12)
	require.Equal(t, []string{all.Placed}, all.Open)
	require.Equal(t, all.Placed, all.Canceled)
	require.Equal(t, 1, all.Trades)
	require.Len(t, all.Candles, 4)
	require.Len(t, all.Book.Bids, 3)
	require.Equal(t, "OrderNotFound", all.Missing)
}

func TestCCXTTradesOnASocket(t *testing.T) {
	project := nodetest.Project(t, "testdata/node")
	b := foreign(t, func(c *Config) { c.Options.Lenient = false })
	cmd := nodetest.Command(t, project, "ccxtsocket.mjs")
	cmd.Env = b.environment()
	var all struct {
		Placed, Order, Fill, Ticker, Limit, Canceled string
		Book                                         int
		Open                                         []string
	}
	require.NoError(t, json.Unmarshal([]byte(nodetest.Run(t, cmd)), &all))
	require.Equal(t, all.Placed, all.Order)
	require.Equal(t, all.Placed, all.Fill)
	require.Equal(t, "BTC/EUR", all.Ticker)
	require.Equal(t, 10, all.Book)
	require.Equal(t, []string{all.Limit}, all.Open)
	require.Equal(t, all.Limit, all.Canceled)
}

// clientOrder is an order as any client read it.
type clientOrder struct {
	OrderID, Status, Market, Side, OrderType, Price, Amount, AmountRemaining, FilledAmount string
	Fills                                                                                  []struct{ Amount, Fee string }
}

func as[T any](t *testing.T, all map[string]json.RawMessage, name string) (v T) {
	t.Helper()
	require.Contains(t, all, name)
	require.NoError(t, json.Unmarshal(all[name], &v), "%s: %s", name, all[name])
	return v
}

// requireDocumentedCalls checks what a client was answered in an exchange that
// nobody else trades on.
func requireDocumentedCalls(t *testing.T, all map[string]json.RawMessage) {
	t.Helper()
	require.InDelta(t, time.Now().UnixMilli(), as[struct{ Time int64 }](t, all, "time").Time, 60_000)
	require.Equal(t, "BTC-EUR", as[[]struct{ Market string }](t, all, "markets")[0].Market)
	require.Equal(t, "ADA", as[[]struct{ Symbol string }](t, all, "assets")[0].Symbol)
	require.Len(t, as[struct{ Bids [][]any }](t, all, "book").Bids, 3)
	require.NotEmpty(t, as[[]struct{ Price string }](t, all, "publicTrades")[0].Price)
	require.Len(t, as[[]any](t, all, "candles"), 4)
	require.Equal(t, "50000", as[[]struct{ Price string }](t, all, "tickerPrice")[0].Price)
	require.Equal(t, "50000", as[[]struct{ Ask string }](t, all, "tickerBook")[0].Ask)
	require.Equal(t, "50000", as[[]struct{ Last string }](t, all, "ticker24h")[0].Last)
	requireTrading(t, all)
	require.Equal(t, "0.0025", as[struct{ Fees struct{ Taker string } }](t, all, "account").Fees.Taker)
	balance := as[[]struct{ Symbol, Available, InOrder string }](t, all, "balance")
	require.Len(t, balance, 5)
	require.Equal(t, "1.01", balance[1].Available)
	require.Empty(t, as[[]any](t, all, "depositHistory"))
}

func requireTrading(t *testing.T, all map[string]json.RawMessage) {
	t.Helper()
	market, placed := as[clientOrder](t, all, "placedByREST"), as[clientOrder](t, all, "placed")
	require.Equal(t, "filled", market.Status)
	require.Equal(t, "0.01", market.Fills[0].Amount)
	require.Equal(t, "new", placed.Status)
	require.Equal(t, placed, as[clientOrder](t, all, "got"))
	updated := as[clientOrder](t, all, "updated")
	require.Equal(t, "41000", updated.Price)
	require.Equal(t, []clientOrder{updated}, as[[]clientOrder](t, all, "open"))
	require.Equal(t, placed.OrderID, as[clientOrder](t, all, "canceled").OrderID)
	require.Empty(t, as[[]clientOrder](t, all, "allCanceled"))
	orders := as[[]clientOrder](t, all, "orders")
	require.Len(t, orders, 2)
	require.Equal(t, "canceled", orders[0].Status)
	require.Equal(t, market, orders[1])
	trades := as[[]struct{ Amount, Price, Side string }](t, all, "trades")
	require.Len(t, trades, 1)
	require.Equal(t, "0.01", trades[0].Amount)
}

func requireEvents(t *testing.T, all map[string]json.RawMessage) {
	t.Helper()
	market := as[clientOrder](t, all, "placedByREST")
	order := as[clientOrder](t, all, "orderEvent")
	require.Equal(t, []string{market.OrderID, "filled", "0.01"}, []string{order.OrderID, order.Status, order.Amount})
	fill := as[struct{ OrderID, Amount, Price, Fee string }](t, all, "fillEvent")
	require.Equal(t, market.OrderID, fill.OrderID)
	require.Equal(t, []string{"0.01", "50000", market.Fills[0].Fee}, []string{fill.Amount, fill.Price, fill.Fee})
	for _, event := range []string{"tickerEvent", "ticker24hEvent", "tradeEvent", "candleEvent", "bookEvent"} {
		require.Equal(t, "BTC-EUR", as[struct{ Market string }](t, all, event).Market, event)
	}
}
