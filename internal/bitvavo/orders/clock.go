package orders

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// measureAgain is how long one reading of the exchange's clock is used.
const measureAgain = 30 * time.Second

// clock is the last reading of the exchange's clock. elapsed is monotonic:
// setting this machine's clock changes nothing.
type clock struct {
	elapsed func() time.Duration

	mu      sync.Mutex
	known   bool
	server  time.Time
	arrived time.Duration
}

// estimate is never ahead of the exchange's clock: the reply was already old
// when it arrived.
func (k *clock) estimate() (time.Time, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := k.elapsed() - k.arrived
	if !k.known || age > measureAgain {
		return time.Time{}, false
	}
	return k.server.Add(age), true
}

func (k *clock) remember(server time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known, k.server, k.arrived = true, server, k.elapsed()
}

func (k *clock) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known = false
}

// Now estimates the exchange's clock from a reading at most 30 s old, asking
// for one when there is none. The estimate is never ahead of the truth.
func (c *Client) Now(ctx context.Context) (time.Time, error) {
	if now, ok := c.clock.estimate(); ok {
		return now, nil
	}
	return c.Time(ctx)
}

// Time asks the exchange for its clock now. What it returns had passed when
// the reply arrived.
func (c *Client) Time(ctx context.Context) (time.Time, error) {
	if err := c.turn(ctx); err != nil {
		return time.Time{}, fmt.Errorf("read the exchange's clock: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.request(ctx, http.MethodGet, "/time", nil, nil)
	if err != nil {
		return time.Time{}, err
	}
	reply, err := c.answer(c.send(c.reads, req, maxReply))
	if err != nil {
		return time.Time{}, fmt.Errorf("read the exchange's clock: %w", err)
	}
	server, err := decodeTime(reply)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the exchange's clock: %w: %w", ErrUnavailable, err)
	}
	c.clock.remember(server)
	return server, nil
}

// decodeTime refuses what cannot be milliseconds of this century.
func decodeTime(reply []byte) (time.Time, error) {
	var answer struct {
		Time int64 `json:"time"`
	}
	if err := json.Unmarshal(reply, &answer); err != nil {
		return time.Time{}, err
	}
	const year2001, year2100 = 1e12, 4.1e12
	if answer.Time < year2001 || answer.Time > year2100 {
		return time.Time{}, fmt.Errorf("time: %d is not a time in milliseconds", answer.Time)
	}
	return time.UnixMilli(answer.Time).UTC(), nil
}
