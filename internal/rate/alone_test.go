package rate_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"interlock/internal/bitvavo/orders"
	"interlock/internal/rate"
	"interlock/internal/trade"
)

func TestLooksGoOnWithoutTheDatabase(t *testing.T) {
	d := newDesk(t, 0)
	clock := &stillClock{now: time.Now()}
	c := d.client(rate.New(rate.Config{Ledger: noLedger{}, Account: "a", RPS: 20, Clock: clock, Counter: clock}))
	ctx := t.Context()

	for range 3 {
		look := c.Look(rate.As(ctx, rate.Urgent), trade.Search{Market: "BTC-EUR", Side: trade.Buy, ClientOrderID: uuid.New(), Since: time.Now().Add(-time.Minute)})
		require.Equal(t, trade.NotThere, look.Result, look.Detail)
	}

	require.Greater(t, len(clock.turns), 20/5)
	require.LessOrEqual(t, most(clock.turns, time.Second), 20/5)
	placed := place(ctx, c)
	require.Equal(t, trade.NotSent, placed.Reply)
	require.Equal(t, orders.CodeNoTurn, placed.Code, placed.Message)
	_, err := c.Balances(rate.As(ctx, rate.Bulk))
	require.ErrorIs(t, err, rate.ErrNoTurn)
}

// stillClock passes only while somebody waits by it, and notes when each turn
// was taken.
type stillClock struct {
	mu    sync.Mutex
	now   time.Time
	turns []time.Time
}

func (c *stillClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stillClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

func (c *stillClock) Turn(string, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turns = append(c.turns, c.now)
}

// most is the largest number of turns in any window of that length.
func most(turns []time.Time, window time.Duration) (n int) {
	for i := range turns {
		last := i
		for last < len(turns) && turns[last].Sub(turns[i]) < window {
			last++
		}
		n = max(n, last-i)
	}
	return n
}

type noLedger struct{}

func (noLedger) TakeRequest(context.Context, string, rate.Request) (rate.Grant, error) {
	return rate.Grant{}, fmt.Errorf("connection refused")
}

func (noLedger) HeedExchange(context.Context, string, rate.Notice) error {
	return fmt.Errorf("connection refused")
}
