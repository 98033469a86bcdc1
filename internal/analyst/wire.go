package analyst

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"interlock/internal/prompt"
)

// mostReply is far more than any reply that could be used.
const mostReply = 1 << 20

// longestWait bounds what a server may ask to be waited for.
const longestWait = time.Hour

// wire carries the one request of a call, and notes what was seen of it. A
// second request, whoever wants it, is refused.
type wire struct {
	transport http.RoundTripper
	sent      atomic.Bool

	left       bool // from here on bytes may have left
	status     int  // of a complete reply
	retryAfter time.Duration
	request    string
	reply      string
}

// RoundTrip sends the request once and reads the whole reply.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if w.sent.Swap(true) {
		return nil, errors.New("a call is one request")
	}
	if err := w.digestRequest(req); err != nil {
		return nil, err
	}
	var connected atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }}
	resp, err := w.transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	w.left = connected.Load() || err == nil
	if err != nil {
		return nil, err
	}
	if err := w.readReply(resp); err != nil {
		return nil, err
	}
	return resp, nil
}

func (w *wire) digestRequest(req *http.Request) error {
	if req.Body == nil {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return err
	}
	_ = req.Body.Close()
	w.request = prompt.Digest(body)
	req.Body, req.GetBody = io.NopCloser(bytes.NewReader(body)), nil
	return nil
}

// readReply leaves status at zero for a reply that is not complete: what it
// would have said is not known.
func (w *wire) readReply(resp *http.Response) error {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostReply+1))
	switch {
	case err != nil:
		return fmt.Errorf("reply cut off: %w", err)
	case len(body) > mostReply:
		return fmt.Errorf("reply is longer than %d bytes", mostReply)
	}
	w.status, w.reply = resp.StatusCode, prompt.Digest(body)
	w.retryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// retryAfter reads both forms of the header; what is neither says nothing.
func retryAfter(text string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(min(max(seconds, 0), int(longestWait/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), longestWait)
}
