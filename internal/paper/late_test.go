package paper

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// windowed signs an order with a window of its own.
func (b *bench) windowed(window int64) *http.Request {
	r := b.signed(b.key, http.MethodPost, "/order", orderJSON(with("amount", "0.001")))
	r.Header.Set("Bitvavo-Access-Window", strconv.FormatInt(window, 10))
	return r
}

// TestOrderIsPlacedIfAndOnlyIfTheEngineHasItInTime delays orders before the door
// and before the engine and reckons by hand what must come of each.
func TestOrderIsPlacedIfAndOnlyIfTheEngineHasItInTime(t *testing.T) {
	b := newBench(t)
	placed := 0
	rapid.Check(t, func(rt *rapid.T) {
		window := rapid.Int64Range(100, 60_000).Draw(rt, "window")
		near := rapid.OneOf(rapid.Int64Range(0, 2*window), rapid.Int64Range(window-2, window+2))
		door, engine := near.Draw(rt, "door"), rapid.OneOf(rapid.Just(int64(0)), near).Draw(rt, "engine")
		after := rapid.Int64Range(0, 2*window).Draw(rt, "after")
		b.schedule(1, Fault{Kind: "delay", Method: "POST", DelayMs: door, AfterMs: after})
		b.lever(http.MethodPost, "/delay", map[string]int64{"engineDelayMs": engine})
		a := b.send(b.windowed(window))
		require.NoError(rt, a.err)
		switch {
		case door > window:
			require.Equal(rt, 304, a.code(t))
			require.Equal(rt, http.StatusForbidden, a.status)
		case door+engine > window:
			require.Equal(rt, 108, a.code(t))
			require.Equal(rt, http.StatusServiceUnavailable, a.status)
		default:
			require.Equal(rt, http.StatusOK, a.status, "%s", a.body)
			placed++
		}
		require.Len(rt, b.ex.orders.all, placed)
	})
	require.Positive(t, placed)
}

func TestLateRequestsAreHeldUntilTheirWindowIsOver(t *testing.T) {
	for kind, code := range map[string]int{"late-304": 304, "late-108": 108} {
		b := newBench(t)
		b.fault(Fault{Kind: kind})
		sent := b.clock.Now()
		require.Equal(t, code, b.send(b.windowed(2500)).code(t))
		require.Equal(t, 2501*time.Millisecond, b.clock.Now().Sub(sent))
		require.Equal(t, code, b.send(b.windowed(60_000)).code(t))
		require.Empty(t, b.recorded())
	}
}

func TestLateRequestThatIsNotToBeReadIsRefusedAtOnce(t *testing.T) {
	b := newBench(t)
	b.fault(Fault{Kind: "late-304"})
	sent := b.clock.Now()
	r := b.windowed(2500)
	r.Header.Set("Bitvavo-Access-Timestamp", "9999999999999")
	require.Equal(t, 304, b.send(r).code(t))
	require.Equal(t, sent, b.clock.Now())
}

func TestHeldRequestsEndWhenTheExchangeCloses(t *testing.T) {
	for _, kind := range []string{"late-304", "late-108", "slow-body"} {
		t.Run(kind, func(t *testing.T) {
			waiting := make(chan struct{}, 10)
			b := newBench(t, func(c *Config) {
				c.Wait = func(ctx context.Context, d time.Duration) error {
					if d > 0 {
						waiting <- struct{}{}
					}
					return wait(ctx, d)
				}
			})
			b.fault(Fault{Kind: kind, ForMs: 3_600_000})
			answered := make(chan answer, 1)
			go func() { answered <- b.send(b.windowed(60_000)) }()
			<-waiting
			require.NoError(t, b.ex.Close())
			require.Error(t, (<-answered).err)
		})
	}
}

func TestSlowBodyComesInManyPiecesOverItsTime(t *testing.T) {
	var pieces atomic.Int64
	clock := newClock()
	b := newBench(t, func(c *Config) {
		c.Clock = clock.Now
		c.Wait = func(ctx context.Context, d time.Duration) error {
			if d > 0 {
				pieces.Add(1)
			}
			return clock.Wait(ctx, d)
		}
	})
	b.clock = clock
	b.fault(Fault{Kind: "slow-body", ForMs: 20_000})
	sent := clock.Now()
	require.Equal(t, "filled", b.place(orderJSON(nil))["status"])
	require.InDelta(t, 20, pieces.Load(), 2)
	require.InDelta(t, 20_000, clock.Now().Sub(sent).Milliseconds(), 1)
}
