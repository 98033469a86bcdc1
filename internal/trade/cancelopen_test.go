package trade

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAnOrderHasEndedOnlyWhenTheExchangeShowsIt(t *testing.T) {
	for status, want := range map[OrderStatus]CancelResult{
		"new": CancelOpenStill, "partiallyFilled": CancelOpenStill, "awaitingTrigger": CancelOpenStill, "nobody knows": CancelOpenStill, "": CancelOpenStill,
		"canceled": CancelOpenCancelled, "filled": CancelOpenOver, "canceledIOC": CancelOpenOver, "expired": CancelOpenOver, "rejected": CancelOpenOver,
	} {
		require.Equal(t, want, Ending(Order{Status: status}), status)
	}
}

// sent is an attempt with an hour-old claim and a deadline at noon.
func sent(change ...func(*SentAttempt)) SentAttempt {
	a := SentAttempt{ProposalID: "p", Market: "BTC-EUR", Deadline: noon}
	for _, c := range change {
		c(&a)
	}
	return a
}

func TestCancelOpenIsCompleteOnlyWhenNothingCanAppear(t *testing.T) {
	const lag = 2 * time.Second
	late, accepted := noon.Add(lag+1), func(a *SentAttempt) { a.OrderID = "o" }
	order := func(result CancelResult) []CancelledOrder {
		return []CancelledOrder{{Market: "BTC-EUR", OrderID: "o", ProposalID: "p", Result: result}}
	}
	for name, c := range map[string]struct {
		sight CancelSight
		left  int
	}{
		"nothing was sent":                          {CancelSight{ExchangeNow: noon}, 0},
		"in doubt, and not visible yet":             {CancelSight{ExchangeNow: noon.Add(lag), Sent: []SentAttempt{sent()}}, 1},
		"in doubt, and it would be seen":            {CancelSight{ExchangeNow: late, Sent: []SentAttempt{sent()}}, 0},
		"in doubt, and not looked for":              {CancelSight{ExchangeNow: late, Sent: []SentAttempt{sent()}, Doubts: []string{"p"}}, 1},
		"accepted and ended, may be sent again":     {CancelSight{ExchangeNow: noon, Sent: []SentAttempt{sent(accepted)}, Orders: order(CancelOpenCancelled)}, 1},
		"accepted and ended":                        {CancelSight{ExchangeNow: late, Sent: []SentAttempt{sent(accepted)}, Orders: order(CancelOpenCancelled)}, 0},
		"accepted and filled":                       {CancelSight{ExchangeNow: late, Sent: []SentAttempt{sent(accepted)}, Orders: order(CancelOpenOver)}, 0},
		"accepted and recorded":                     {CancelSight{ExchangeNow: late, Sent: []SentAttempt{sent(accepted, func(a *SentAttempt) { a.Ended = true })}}, 0},
		"accepted and never seen":                   {CancelSight{ExchangeNow: late, Sent: []SentAttempt{sent(accepted)}}, 1},
		"accepted, another market has such an ID":   {CancelSight{ExchangeNow: late, Sent: []SentAttempt{sent(accepted, func(a *SentAttempt) { a.Market = "ETH-EUR" })}, Orders: order(CancelOpenOver)}, 1},
		"accepted and still open":                   {CancelSight{ExchangeNow: late, Sent: []SentAttempt{sent(accepted)}, Orders: order(CancelOpenStill)}, 2},
		"an order of nobody's attempt":              {CancelSight{ExchangeNow: noon, Orders: order(CancelOpenStill)}, 1},
		"an order of somebody else is left":         {CancelSight{ExchangeNow: noon, Orders: order(CancelOpenForeign)}, 0},
		"two attempts, of which one is not visible": {CancelSight{ExchangeNow: late, Sent: []SentAttempt{sent(), sent(func(a *SentAttempt) { a.Deadline = late })}}, 1},
	} {
		c.sight.ReadLag = lag
		require.Len(t, c.sight.Obstacles(), c.left, name)
	}
}

func TestAnUnknownReadLagIsTheDefault(t *testing.T) {
	require.Equal(t, noon.Add(DefaultReadLag), sent().Visible(0))
}

// However an earlier attempt ended, and whatever was seen of it: before its
// last request is visible nothing is complete.
func TestNothingIsCompleteBeforeEveryRequestIsVisible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lag := time.Duration(rapid.IntRange(1, 60).Draw(t, "lag")) * time.Second
		a := sent(func(a *SentAttempt) {
			a.OrderID = pick(t, "order", "", "o")
			a.Ended = a.OrderID != "" && rapid.Bool().Draw(t, "ended")
		})
		s := CancelSight{
			ReadLag: lag, Sent: []SentAttempt{a}, ExchangeNow: noon.Add(time.Duration(rapid.IntRange(-100, 100).Draw(t, "after")) * time.Second),
			Orders: []CancelledOrder{{Market: a.Market, OrderID: "o", Result: pick(t, "result", CancelOpenStill, CancelOpenCancelled, CancelOpenOver)}},
		}
		if !s.ExchangeNow.After(noon.Add(lag)) {
			require.NotEmpty(t, s.Obstacles())
		}
		for _, o := range s.Obstacles() {
			require.NotEmpty(t, o.String())
		}
	})
}
