// Package orders is the only code that signs an order. It owns the request to
// the exchange and decides, from one reply, whether an order was accepted,
// refused, not sent, or whether nobody can tell. It refuses to know why an
// order is sent and never sends one twice: what to do about an unknown outcome
// is the caller's business.
package orders

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

const (
	apiRoot    = "/v2" // what the exchange verifies signatures against
	liveDomain = "bitvavo.com"

	// readWindow is generous: a late read does no harm.
	readWindow = 10 * time.Second

	maxReply = 1 << 20
	maxList  = 16 << 20 // a page of a thousand orders with their fills
)

// Client acts on one account of one exchange. It is safe for concurrent use
// and prints without its key and secret.
type Client struct {
	base     *url.URL
	keys     *keys // a pointer, so that printing a copy of Client shows an address
	operator int64
	timeout  time.Duration
	reads    *http.Client
	places   *http.Client
	clock    *clock
	turns    Turns // nil: nobody counts
}

// Format keeps key and secret out of every fmt verb.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// String names the venue and the operator, never the key.
func (c *Client) String() string {
	return fmt.Sprintf("orders(%s, operator %d)", c.base, c.operator)
}

// GoString is String.
func (c *Client) GoString() string { return c.String() }

// LogValue keeps key and secret out of structured logs.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Close gives up idle connections. Calls in flight are not disturbed.
func (c *Client) Close() {
	c.reads.CloseIdleConnections()
	c.places.CloseIdleConnections()
}

// signed sends a request that does no harm when it is repeated, signed at the
// exchange's time so that this machine's clock does not matter.
func (c *Client) signed(ctx context.Context, method, path string, query url.Values, limit int64) ([]byte, error) {
	// Before the turn: what is measured now needs no turn of its own later.
	if _, err := c.Now(ctx); err != nil {
		return nil, err
	}
	if err := c.turn(ctx); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	now, err := c.Now(ctx)
	if err != nil {
		return nil, err
	}
	req, err := c.request(ctx, method, path, query, nil)
	if err != nil {
		return nil, err
	}
	c.keys.sign(req, nil, now, readWindow)
	reply, err := c.answer(c.send(c.reads, req, limit))
	if hasCode(err, codeOutsideWindow) {
		// The machine slept, or the exchange's clock was set: measure again.
		c.clock.forget()
	}
	return reply, err
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body []byte) (*http.Request, error) {
	target := c.base.JoinPath(path)
	target.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, withoutURL(err))
	}
	req.Header.Set("Accept", "application/json")
	if len(body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// send returns a complete reply or an error, never part of one: half a list
// must not pass for a whole one.
func (c *Client) send(client *http.Client, req *http.Request, limit int64) (int, []byte, error) {
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, withoutURL(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// Its body is the bare connection, which no context ends.
		return 0, nil, errors.New("the other side wants to speak another protocol")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	c.heed(resp, body)
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("reply cut off: %w", err)
	case int64(len(body)) > limit:
		return 0, nil, fmt.Errorf("reply is longer than %d bytes", limit)
	}
	return resp.StatusCode, body, nil
}

// answer turns all that is not a 2xx reply into an error.
func (c *Client) answer(status int, body []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if status >= 200 && status <= 299 {
		return body, nil
	}
	failure := apiError(status, body)
	failure.Message = c.keys.scrub(failure.Message)
	return nil, failure
}

// withoutURL drops the address that net/http puts in front of its errors; the
// caller says better what was asked.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
