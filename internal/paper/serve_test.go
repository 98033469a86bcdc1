package paper

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"interlock/internal/leaktest"
	"interlock/internal/waittest"
)

func TestServeEndsWithItsContextAndLeavesNothingRunning(t *testing.T) {
	defer leaktest.None(t, goleak.IgnoreCurrent())
	ex, err := New(Config{Step: time.Millisecond, StateFile: t.TempDir() + "/state"})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- ex.Serve(ctx, l) }()
	resp, err := http.Get("http://" + l.Addr().String() + "/v2/time")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	http.DefaultClient.CloseIdleConnections()
	waittest.Closely(t, "prices to move by themselves", func() error {
		ex.mu.Lock()
		defer ex.mu.Unlock()
		steps := ex.markets["BTC-EUR"].steps
		return waittest.Is(steps > 2, "they moved %d times", steps)
	})
	stop()
	require.NoError(t, <-served)
	require.NoError(t, ex.Close(), "closing again is harmless")
	_, err = http.Get("http://" + l.Addr().String() + "/v2/time")
	require.Error(t, err)
}

func TestServeSaysWhenItCannot(t *testing.T) {
	ex, _ := direct(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.ErrorContains(t, ex.Serve(context.Background(), l), "serve paper exchange")
}

func TestRestingOrdersFillThoughNobodyAsks(t *testing.T) {
	ex, clock := direct(t, func(c *Config) { c.Step = 5 * time.Millisecond })
	p := placement{market: "BTC-EUR", side: buy, kind: typeLimit, amount: number("0.1"), price: number("50000"), timeInForce: untilCancelled}
	_, err := ex.place("main", p, clock.Now())
	require.NoError(t, err)
	ex.markets["BTC-EUR"].pin("49000")
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); ex.Run(ctx) }()
	waittest.Closely(t, "the order to be filled", func() error {
		clock.Move(time.Second)
		ex.mu.Lock()
		defer ex.mu.Unlock()
		status := ex.orders.all[0].Status
		return waittest.Is(status == isFilled, "it is %s", status)
	})
	stop()
	<-done
}

func TestContradictoryConfigurationIsRefused(t *testing.T) {
	key := NewKey("main", View)
	for name, change := range map[string]func(*Config){
		"a key twice":         func(c *Config) { c.Keys = []Key{key, key} },
		"a short key":         func(c *Config) { c.Keys = []Key{{Key: "k", Secret: "s", Account: "a"}} },
		"a key for nobody":    func(c *Config) { c.Keys = []Key{NewKey("", View)} },
		"an unknown right":    func(c *Config) { c.Keys = []Key{NewKey("main", "own")} },
		"maker above taker":   func(c *Config) { c.Fees = Fees{Taker: number("0.001"), Maker: number("0.002")} },
		"a strange code":      func(c *Config) { c.Options.ClosedCode = 999 },
		"a book without size": func(c *Config) { c.Book = Book{Levels: 1} },
		"a fraction above 1": func(c *Config) {
			c.Book = DefaultBook()
			c.Book.FillFraction = decimal.NewFromInt(2)
		},
		"a tick of nothing":   func(c *Config) { c.Markets = []Market{euroMarket("BTC", "0", "1", "1")} },
		"a tick too small":    func(c *Config) { c.Markets = []Market{euroMarket("BTC", "0.000000001", "1", "1")} },
		"a start beyond all":  func(c *Config) { c.Markets = []Market{euroMarket("BTC", "1", "1", "1000000000")} },
		"a negative balance":  func(c *Config) { c.Balances = amounts{"EUR": decimal.NewFromInt(-1)} },
		"an unreadable state": func(c *Config) { c.StateFile = t.TempDir() },
		"a state in no place": func(c *Config) { c.StateFile = t.TempDir() + "/none/state" },
	} {
		t.Run(name, func(t *testing.T) {
			var c Config
			change(&c)
			_, err := New(c)
			require.ErrorContains(t, err, "paper exchange")
		})
	}
}

func TestNewAccountJoinsAnExistingState(t *testing.T) {
	b := newBench(t, stateFile(t))
	b.place(orderJSON(nil))
	newcomer := NewKey("third", View)
	b.ex.cfg.Keys = append(b.ex.cfg.Keys, newcomer)
	b.reopen()
	var rows []balanceView
	b.call(newcomer, http.MethodGet, "/balance?symbol=EUR", "").into(t, &rows)
	require.Equal(t, "100000", rows[0].Available.String())
	available, _ := b.balance("BTC")
	require.Equal(t, "1.1", available, "the first account is as it was")
}
