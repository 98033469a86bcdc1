package orders

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"interlock/internal/rate"
	"interlock/internal/trade"
)

// Turns says when a request may be sent, and hears what the exchange says of
// its own budget.
type Turns interface {
	Take(ctx context.Context) error
	Heed(ctx context.Context, n rate.Notice)
}

// turn waits until one request may be sent. Its error says that it was not.
func (c *Client) turn(ctx context.Context) error {
	if c.turns == nil {
		return nil
	}
	if err := c.turns.Take(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// turnBefore waits for the turn of an order, no longer than it may be sent. It
// leaves what is already too late, or given up, to the caller.
func (c *Client) turnBefore(ctx context.Context, deadline time.Time) error {
	now, err := c.Now(ctx)
	if err != nil || !now.Before(deadline) || ctx.Err() != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, deadline.Sub(now))
	defer cancel()
	return c.turn(ctx)
}

// codeOf tells a missing turn from a missing clock.
func codeOf(err error) string {
	if errors.Is(err, rate.ErrNoTurn) {
		return CodeNoTurn
	}
	return CodeClockUnknown
}

const (
	headerLimit = "Bitvavo-Ratelimit-Limit"
	headerLeft  = "Bitvavo-Ratelimit-Remaining"
	headerReset = "Bitvavo-Ratelimit-Resetat"

	// longestReset is the exchange's window, longestBan four times the longest
	// ban that is documented: no header or text may stop an account for ever.
	longestReset = time.Minute
	longestBan   = time.Hour
	// banOfUnknownEnd is the shortest one that is documented. A request after
	// it is answered with the next ban, or not at all.
	banOfUnknownEnd = time.Minute
)

// heed passes on what a reply says of the exchange's budget.
func (c *Client) heed(resp *http.Response, body []byte) {
	if c.turns == nil {
		return
	}
	now, known := c.clock.estimate()
	n := rate.Notice{Ban: ban(resp.StatusCode, body, now, known)}
	// The budget of an unsigned request is that of the address, not of the key.
	if resp.Request.Header.Get(headerKey) != "" {
		n.Limit, n.Left, n.Reset = told(resp.Header, now, known)
	}
	c.turns.Heed(resp.Request.Context(), n)
}

func told(h http.Header, now time.Time, known bool) (limit, left int, reset time.Duration) {
	limit, err := strconv.Atoi(h.Get(headerLimit))
	left, err2 := strconv.Atoi(h.Get(headerLeft))
	const most = 1 << 30
	if err != nil || err2 != nil || limit <= 0 || limit > most || left < 0 || left > most {
		return 0, 0, 0
	}
	reset = longestReset
	if at, err := strconv.ParseInt(h.Get(headerReset), 10, 64); err == nil && known {
		reset = min(max(time.UnixMilli(at).Sub(now), 0), longestReset)
	}
	return limit, left, reset
}

var banEnd = regexp.MustCompile(`expires at ([0-9]{13})\b`)

// ban is how long a reply says that nobody is answered; zero when it is none.
func ban(status int, body []byte, now time.Time, known bool) time.Duration {
	// Only a rate limit proves that an order was not sent.
	if status != http.StatusTooManyRequests && Classify(status, body).Reply != trade.NotSent {
		return 0
	}
	end := banEnd.FindStringSubmatch(apiError(status, body).Message)
	if end == nil || !known {
		return banOfUnknownEnd
	}
	ms, err := strconv.ParseInt(end[1], 10, 64)
	if err != nil {
		return banOfUnknownEnd
	}
	return min(max(time.UnixMilli(ms).Sub(now), time.Second), longestBan)
}
