package chaos

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// asking is everybody who wants something executed.
type asking struct {
	people sync.WaitGroup
	pace   *time.Ticker  // of those who ask again
	over   chan struct{} // closed when nobody is to ask again
}

// drive lets every proposal live in a goroutine of its own.
func (c *campaign) drive(ctx context.Context, list []Proposal) {
	for _, p := range list {
		c.asking.people.Go(func() { c.live(ctx, p) })
	}
}

// live proposes p when its time has come, asks for it as planned, and asks
// again while it is free, as people do who were told "not now".
func (c *campaign) live(ctx context.Context, p Proposal) {
	if pause(ctx, time.Until(c.began.Add(p.At))) != nil || !c.propose(ctx, p) {
		return
	}
	var rivals sync.WaitGroup
	for _, a := range p.Asks {
		rivals.Go(func() {
			if pause(ctx, a.In) == nil {
				c.ask(ctx, p, a.Door)
			}
		})
	}
	if p.CancelIn > 0 {
		rivals.Go(func() {
			if pause(ctx, p.Asks[0].In+p.CancelIn) == nil {
				c.giveUp(ctx, p)
			}
		})
	}
	rivals.Wait()
	c.insist(ctx, p)
}

// propose stores p over the API, again and again: the same body under the same
// ID is stored once. False means that ctx ended.
func (c *campaign) propose(ctx context.Context, p Proposal) bool {
	body := c.body(p)
	for {
		status, code, err := c.call(ctx, c.people[p.User], "/api/trading/proposals", body)
		if err == nil && (status == http.StatusCreated || status == http.StatusOK) {
			return true
		}
		if err == nil && status < http.StatusInternalServerError {
			c.tally.answered("not proposed: " + code)
			return false
		}
		if pause(ctx, time.Second) != nil {
			return false
		}
	}
}

func (c *campaign) body(p Proposal) map[string]any {
	body := map[string]any{
		"id": p.ID, "market": p.Market, "side": p.Side, "orderType": "market", "confidence": p.Confidence, "source": actor,
	}
	if p.ExpiresIn > 0 {
		body["expiresAt"] = time.Now().Add(p.ExpiresIn).UTC()
	}
	worth, price := decimal.New(p.Cents, -2), decimal.RequireFromString(c.prices[p.Market])
	if p.Form == InQuote {
		body["amountQuote"] = worth.String()
		return body
	}
	body["amount"] = worth.DivRound(price, 8).String()
	if p.Form == Limit {
		body["orderType"], body["price"] = "limit", p.limit(price).String()
	}
	return body
}

// limit is the price on the resting side of the market's for AwayBps above
// zero, and beyond it below.
func (p Proposal) limit(price decimal.Decimal) decimal.Decimal {
	away := decimal.New(p.AwayBps, -4)
	if p.Side == string(trade.Buy) {
		away = away.Neg()
	}
	return price.Add(price.Mul(away)).Round(5)
}

func (c *campaign) giveUp(ctx context.Context, p Proposal) {
	status, code, err := c.call(ctx, c.people[p.User], "/api/trading/proposals/"+p.ID+"/cancel", map[string]string{"reason": actor})
	if err != nil {
		c.tally.answered("cancel: " + lost)
		return
	}
	c.tally.answered("cancel: " + http.StatusText(status) + " " + code)
}

// The pauses between asking again. People who are told that an order is unknown
// do not ask ten times a second.
const (
	leastPause = 1500 * time.Millisecond
	mostPause  = 4 * time.Second
)

// insist asks again while p is free, at a pace that all proposals share: a
// campaign is to load the order path, not the door.
func (c *campaign) insist(ctx context.Context, p Proposal) {
	r := rand.New(rand.NewPCG(c.plan.Seed, number(p.ID)))
	for !c.board.hopeless(p.ID) {
		select {
		case <-time.After(between(r, leastPause, mostPause)):
		case <-c.asking.over:
			return
		case <-ctx.Done():
			return
		}
		if c.board.free(p) && c.asking.turn(ctx) && c.board.free(p) {
			c.ask(ctx, p, pick(r, doors))
		}
	}
}

// turn waits for one's turn to ask again; false when there is none any more.
func (a *asking) turn(ctx context.Context) bool {
	select {
	case <-a.pace.C:
		return true
	case <-a.over:
	case <-ctx.Done():
	}
	return false
}

func number(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id)) // never fails
	return h.Sum64()
}
