package market

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	apiRoot = "/v2"

	// scheme marks the official client's requests as ours to carry out.
	scheme = "interlock-market"

	maxReply = 8 << 20 // every market of the exchange, several times over
)

// The official client sends through http.DefaultTransport and offers no other
// way in: no context, no timeout, no client of one's own. Replacing that
// transport would change every other user of it in the process, so the door
// only adds a URL scheme, which nobody else uses. What comes through it is one
// call, known by its host name, and runs under that call's context.
//
// The door also keeps failures away from the official client, which answers
// them with a nil dereference (private calls), an index out of range (105), a
// timer that races with later calls (105), or a line on standard output. It is
// given an empty reply instead, and the failure is kept for the caller.
var openDoor = sync.OnceValue(func() error {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return errors.New("http.DefaultTransport was replaced; the official client cannot be bounded in time")
	}
	transport.RegisterProtocol(scheme, door{})
	return nil
})

var (
	calls    sync.Map // host name -> *call
	lastCall atomic.Uint64
)

// call is one use of the official client.
type call struct {
	ctx    context.Context
	reader *Reader
	host   string
	shape  string // what the reply must begin with: an object or a list
	failed error  // what the door kept from the official client
}

func newCall(ctx context.Context, r *Reader, shape string) *call {
	c := &call{ctx: ctx, reader: r, shape: shape, host: "call" + strconv.FormatUint(lastCall.Add(1), 10)}
	calls.Store(c.host, c)
	return c
}

func (c *call) close() { calls.Delete(c.host) }

// url is the base URL under which the official client reaches the door.
func (c *call) url() string { return scheme + "://" + c.host + apiRoot }

type door struct{}

// RoundTrip never returns an error, except for a call that is over.
func (door) RoundTrip(req *http.Request) (*http.Response, error) {
	found, ok := calls.Load(req.URL.Host)
	if !ok {
		return nil, errors.New("call is over")
	}
	c := found.(*call)
	body, err := c.carry(req)
	if err != nil {
		c.failed = err
		body = []byte("null")
	}
	// No headers: the official client keeps rate limits in package variables.
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}, nil
}

// carry sends the official client's request, headers and all, to the exchange.
func (c *call) carry(req *http.Request) ([]byte, error) {
	if req.Method != http.MethodGet {
		return nil, fmt.Errorf("%s %s: market data is only read", req.Method, req.URL.Path)
	}
	target := *c.reader.base
	target.Path += strings.TrimPrefix(req.URL.Path, apiRoot)
	target.RawQuery = req.URL.RawQuery
	body, err := c.reader.get(c.ctx, &target, req.Header)
	if err == nil && !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte(c.shape)) {
		// The official client takes null for a list without rows.
		err = fmt.Errorf("%w: the reply does not begin with %s", ErrUnavailable, c.shape)
	}
	return body, err
}

// get returns the complete JSON of a 2xx reply, and an error for all else.
func (r *Reader) get(ctx context.Context, target *url.URL, header http.Header) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, withoutURL(err)
	}
	if header != nil {
		req.Header = header.Clone()
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, withoutURL(err))
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// Its body is the bare connection, which no context ends.
		return nil, fmt.Errorf("%w: the other side wants to speak another protocol", ErrUnavailable)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: reply cut off: %w", ErrUnavailable, err)
	case len(body) > maxReply:
		return nil, fmt.Errorf("%w: reply is longer than %d bytes", ErrUnavailable, maxReply)
	}
	return body, r.check(resp.StatusCode, body)
}

// check finds the error in a reply. The official client never looks at the
// status and tells errors by what it fails to decode.
func (r *Reader) check(status int, body []byte) error {
	var failure struct {
		Code    int    `json:"errorCode"`
		Message string `json:"error"`
	}
	readable := json.Valid(body)
	_ = json.Unmarshal(body, &failure)
	switch {
	case status < 200 || status > 299 || failure.Code != 0:
		return &APIError{Status: status, Code: failure.Code, Message: r.scrub(clip(failure.Message))}
	case !readable:
		return fmt.Errorf("%w: reply is not JSON", ErrUnavailable)
	}
	return nil
}

func (r *Reader) scrub(text string) string {
	if r.keys.key == "" {
		return text
	}
	return strings.NewReplacer(r.keys.key, "[key]", r.keys.secret, "[secret]").Replace(text)
}

// withoutURL drops the address that net/http puts in front of its errors.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
