package paper

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"interlock/internal/leaktest"
	"interlock/internal/waittest"
)

// TestEachFaultStrikesAnOrderOnASocket sends one order into each kind of fault
// and then asks the exchange's own ledger.
func TestEachFaultStrikesAnOrderOnASocket(t *testing.T) {
	refused := func(code int) func(*line) {
		return func(l *line) { require.Equal(l.b.t, code, l.code(l.hear())); l.silent() }
	}
	response := func(check func(t testing.TB, o map[string]any)) func(*line) {
		return func(l *line) {
			o, _ := l.object(l.hear())["response"].(map[string]any)
			check(l.b.t, o)
			l.silent()
		}
	}
	status := func(want string) func(*line) {
		return response(func(t testing.TB, o map[string]any) { require.Equal(t, want, o["status"]) })
	}
	dropped := func(l *line) {
		require.True(l.b.t, websocket.IsCloseError(l.ended(), websocket.CloseAbnormalClosure))
	}
	for _, c := range []struct {
		name   string
		fault  Fault
		looks  func(*line)
		orders int
	}{
		{"down", Fault{Kind: "down"}, func(l *line) { require.ErrorIs(l.b.t, l.ended(), syscall.ECONNRESET) }, 0},
		{"drop before", Fault{Kind: "drop-before"}, dropped, 0},
		{"accept then drop", Fault{Kind: "accept-then-drop"}, dropped, 1},
		{"109", Fault{Kind: "503"}, refused(109), 0},
		{"109 placed", Fault{Kind: "503", Placed: true}, refused(109), 1},
		{"a page cannot be said", Fault{Kind: "503", HTML: true, Placed: true}, dropped, 1},
		{"105", Fault{Kind: "105"}, refused(105), 0},
		{"html", Fault{Kind: "html"}, dropped, 0},
		{"redirect", Fault{Kind: "redirect", Path: "/order"}, dropped, 0},
		{"empty", Fault{Kind: "empty"}, response(func(t testing.TB, o map[string]any) { require.Empty(t, o) }), 1},
		{"truncated", Fault{Kind: "truncated"}, func(l *line) {
			require.True(l.b.t, strings.HasPrefix(l.hear(), `{"action":"privateCreateOrder","response":{"orderId"`))
			dropped(l)
		}, 1},
		{"delay", Fault{Kind: "delay", DelayMs: 60_000}, status("filled"), 1},
		{"slow body", Fault{Kind: "slow-body", ForMs: 2000}, status("filled"), 1},
		{"late at the engine", Fault{Kind: "late-108"}, refused(108), 0},
		{"no window, so no late", Fault{Kind: "late-304"}, status("filled"), 1},
		{"twice", Fault{Kind: "twice"}, status("filled"), 2},
		{"hide placed", Fault{Kind: "hide", ForMs: 1000, Placed: true}, dropped, 1},
		{"settle late", Fault{Kind: "settle-late", ForMs: 1000}, status("filled"), 1},
		{"partial cancel", Fault{Kind: "partial-cancel"}, status("canceled"), 1},
		{"unfilled", Fault{Kind: "unfilled"}, status("canceled"), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			l := b.authenticated(b.key)
			c.fault.Method, c.fault.Count = http.MethodPost, 1
			b.fault(c.fault)
			l.say(l.order(orderJSON(nil)))
			c.looks(l)
			require.Len(t, b.recorded(), c.orders)
			require.Equal(t, c.fault.Kind != "late-304", b.struck()[0].Struck == 1)
		})
	}
}

func (b *bench) struck() []Fault {
	var faults []Fault
	b.lever(http.MethodGet, "/faults", nil).into(b.t, &faults)
	return faults
}

func TestAnOrderHeldBackIsCarriedOutThoughItsClientIsGone(t *testing.T) {
	b := newBench(t)
	l := b.authenticated(b.key)
	l.say(l.order(orderJSON(nil)))
	require.NoError(t, l.conn.Close())
	waittest.Closely(t, "the order, and nobody who listens", func() error {
		orders, listeners := len(b.recorded()), b.listeners()
		return waittest.Is(orders == 1 && listeners == 0, "there are %d orders and %d listeners", orders, listeners)
	})
}

func TestWhatWaitsBehindADroppedRequestIsNotCarriedOut(t *testing.T) {
	release := make(chan struct{})
	b := newBench(t, func(c *Config) {
		c.Wait = func(ctx context.Context, d time.Duration) error {
			if d > 0 {
				<-release
			}
			return ctx.Err()
		}
	})
	l := b.authenticated(b.key)
	b.fault(Fault{Kind: "drop-before", Path: "/time", DelayMs: 1})
	l.say(`{"action":"getTime"}`)
	l.say(l.order(orderJSON(nil)))
	waittest.Closely(t, "a message that waits", func() error {
		n := b.waitingMessages()
		return waittest.Is(n == 1, "%d wait", n)
	})
	close(release)
	require.Error(t, l.ended())
	waittest.Closely(t, "nobody to listen", func() error {
		n := b.listeners()
		return waittest.Is(n == 0, "%d listen", n)
	})
	require.Empty(t, b.recorded())
}

// waitingMessages is how many messages of sockets wait for the one in work.
func (b *bench) waitingMessages() (n int) {
	b.ex.mu.Lock()
	defer b.ex.mu.Unlock()
	for s := range b.ex.sessions {
		n += len(s.work)
	}
	return n
}

func TestAnExchangeThatIsDownOpensNoSocket(t *testing.T) {
	b := newBench(t)
	for kind, status := range map[string]int{"down": 0, "drop-before": 0, "html": 502, "503": 503, "105": 429} {
		b.fault(Fault{Kind: kind, Count: 1})
		_, resp, err := websocket.DefaultDialer.Dial(b.socketURL(), nil)
		require.Error(t, err, kind)
		if status > 0 {
			require.ErrorIs(t, err, websocket.ErrBadHandshake)
			require.Equal(t, status, resp.StatusCode, kind)
			require.NoError(t, resp.Body.Close())
		}
	}
	b.fault(Fault{Kind: "accept-then-drop", Path: "/", Exact: true, Count: 1})
	b.dial().silent()
	require.Zero(t, b.struck()[5].Struck, "nothing was accepted")
}

func TestSocketsAreToldGoodbyeAndNothingIsLeftRunning(t *testing.T) {
	defer leaktest.None(t, goleak.IgnoreCurrent())
	key := NewKey("main", View, Trade)
	ex, err := New(Config{Keys: []Key{key}, Step: time.Millisecond, StateFile: t.TempDir() + "/state"})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- ex.Serve(ctx, listener) }()
	var lines []*line
	for range 3 {
		conn, resp, err := websocket.DefaultDialer.Dial("ws://"+listener.Addr().String()+"/v2/", nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		defer conn.Close()
		l := &line{&bench{t: t}, conn}
		l.ask(`{"action":"subscribe","channels":[{"name":"book","markets":["BTC-EUR"]},{"name":"trades","markets":["BTC-EUR"]}]}`)
		l.event("book")
		lines = append(lines, l)
	}
	stop()
	for _, l := range lines {
		require.True(t, websocket.IsCloseError(l.ended(), websocket.CloseGoingAway))
	}
	require.NoError(t, <-served)
	require.False(t, ex.join(&session{}), "a closed exchange opens no socket")
}

func TestAnOrderThatWaitsForTheEngineIsLeftUnansweredByAClosingExchange(t *testing.T) {
	waits := make(chan struct{}, 1)
	b := newBench(t, func(c *Config) {
		c.EngineDelay = time.Hour
		c.Wait = func(ctx context.Context, d time.Duration) error {
			if d == 0 {
				return ctx.Err()
			}
			waits <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
	})
	l := b.authenticated(b.key)
	l.say(l.order(orderJSON(nil)))
	<-waits
	require.NoError(t, b.ex.Close())
	require.True(t, websocket.IsCloseError(l.ended(), websocket.CloseGoingAway))
	require.Empty(t, b.ex.orders.all)
}

func TestAnEventLeavesOnlyOnceItIsOnDisk(t *testing.T) {
	b := newBench(t, stateFile(t))
	l := b.subscribed(b.key, `{"name":"account","markets":["BTC-EUR"]}`)
	b.ex.journal.fail(errors.New("disk full"))
	b.ex.mu.Lock()
	for s := range b.ex.sessions {
		s.push(frame{text: []byte(`{"event":"order"}`), durable: true})
	}
	b.ex.mu.Unlock()
	require.True(t, websocket.IsCloseError(l.ended(), websocket.CloseAbnormalClosure))
	b.ex.journal.mu.Lock()
	b.ex.journal.err = nil // so that it closes
	b.ex.journal.mu.Unlock()
}
