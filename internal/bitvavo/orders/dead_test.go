package orders

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/listen/listentest"
	"interlock/internal/trade"
)

// socket is a server below HTTP: it answers /time and hands every other
// request's connection to after.
type socket struct {
	listener net.Listener
	posts    atomic.Int32
	done     sync.WaitGroup
	mu       sync.Mutex
	open     map[net.Conn]bool
}

func newSocket(t *testing.T, after func(net.Conn)) *socket {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &socket{listener: listener, open: map[net.Conn]bool{}}
	s.done.Go(func() { s.accept(after) })
	t.Cleanup(s.stop)
	return s
}

func (s *socket) url() string { return "http://" + s.listener.Addr().String() + "/v2" }

func (s *socket) accept(after func(net.Conn)) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.open[conn] = true
		s.mu.Unlock()
		s.done.Go(func() { s.serve(conn, after) })
	}
}

func (s *socket) serve(conn net.Conn, after func(net.Conn)) {
	defer func() { _ = conn.Close() }()
	reader := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, req.Body)
		if req.URL.Path != "/v2/time" {
			s.posts.Add(1)
			after(conn)
			return
		}
		body := fmt.Sprintf(`{"time":%d}`, venueTime.UnixMilli())
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
}

func (s *socket) stop() {
	_ = s.listener.Close()
	s.mu.Lock()
	for conn := range s.open {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}

// hang keeps the connection open until the other side gives up.
func hang(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func write(text string, then func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = io.WriteString(conn, text)
		then(conn)
	}
}

func drop(net.Conn) {}

func reset(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }

func TestLostReplyIsUnknownNotFailed(t *testing.T) {
	accepted := orderJSON("o-1", testID.String(), "buy", "new")
	for name, after := range map[string]func(net.Conn){
		"dropped after it was read": drop,
		"reset after it was read":   reset,
		"never answered":            hang,
		"header cut off":            write("HTTP/1.1 200 O", drop),
		"not HTTP":                  write("SSH-2.0-OpenSSH\r\n\r\n", drop),
		"body cut off":              write("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"+accepted, drop),
		"body stalled":              write("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"+accepted, hang),
		"chunk cut off":             write("HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n1f\r\n{\"errorCode\":205", drop),
		"refusal cut off":           write("HTTP/1.1 400 Bad Request\r\nContent-Length: 40\r\n\r\n{\"errorCode\":205}", drop),
		"endless body":              write("HTTP/1.1 200 OK\r\n\r\n"+strings.Repeat(" ", maxReply)+accepted, drop),
		"upgrade":                   write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", hang),
		"empty":                     write("HTTP/1.1 204 No Content\r\n\r\n", drop),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSocket(t, after)
			c := newClient(t, s.url(), nil)
			c.clock.remember(venueTime)
			var placed trade.AttemptResult
			// Where the time was over before the order had left, nothing was lost.
			for c.timeout = time.Second; s.posts.Load() == 0 && c.timeout < time.Hour; c.timeout *= 2 {
				placed = c.Place(ctx(t), limitPlan(), testID, venueTime.Add(time.Hour))
			}
			require.Equal(t, trade.Unknown, placed.Reply, placed.Message)
			require.Equal(t, int32(1), s.posts.Load())
		})
	}
}

func TestCallerWhoGivesUpMidwayGetsUnknown(t *testing.T) {
	giving, cancel := context.WithCancel(ctx(t))
	defer cancel()
	s := newSocket(t, func(conn net.Conn) { cancel(); hang(conn) })

	placed := newClient(t, s.url(), nil).Place(giving, limitPlan(), testID, deadline())

	require.Equal(t, trade.Unknown, placed.Reply)
	require.Equal(t, CodeNoReply, placed.Code)
}

// net/http re-sends what it takes for safe when a kept-alive connection dies.
// An order is not safe, on the package's own transport or on any other.
func TestOrderOnADyingKeptAliveConnectionIsSentOnce(t *testing.T) {
	shared := &http.Transport{}
	t.Cleanup(shared.CloseIdleConnections)
	for name, transport := range map[string]http.RoundTripper{"own": nil, "shared": shared} {
		for fate, after := range map[string]func(net.Conn){"dropped": drop, "reset": reset} {
			s := newSocket(t, after)
			c := newClient(t, s.url(), transport)
			_, err := c.Time(ctx(t)) // leaves an idle connection behind
			require.NoError(t, err)

			placed := c.Place(ctx(t), limitPlan(), testID, deadline())

			require.Equal(t, trade.Unknown, placed.Reply, "%s %s", name, fate)
			require.Equal(t, int32(1), s.posts.Load(), "%s %s", name, fate)
		}
	}
}

func TestOrderNeverUsesAConnectionThatServedBefore(t *testing.T) {
	v := newVenue(t)
	var mu sync.Mutex
	addresses := map[string]int{}
	accept := says(200, orderJSON("o-1", testID.String(), "buy", "new"))
	v.on("POST /v2/order", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		addresses[r.RemoteAddr]++
		mu.Unlock()
		accept(w, r)
	})
	for range 5 {
		require.Equal(t, trade.Accepted, v.client.Place(ctx(t), limitPlan(), testID, deadline()).Reply)
	}
	require.Len(t, addresses, 5)
}

func TestNoConnectionIsNotSent(t *testing.T) {
	plain := newSocket(t, drop)
	secure := strings.Replace(plain.url(), "http://", "https://", 1)
	for name, c := range map[string]*Client{
		"refused":               newClient(t, "http://"+listentest.Refusing(t)+"/v2", nil),
		"no TLS at the far end": newClient(t, secure, nil),
		"name unknown":          newClient(t, "http://exchange/v2", dials(&net.DNSError{Err: "no such host", Name: "exchange", IsNotFound: true})),
		"connect timeout":       newClient(t, "http://exchange/v2", dials(nil)),
	} {
		c.timeout = 200 * time.Millisecond
		c.clock.remember(venueTime)
		placed := c.Place(ctx(t), limitPlan(), testID, deadline())
		require.Equal(t, trade.NotSent, placed.Reply, "%s: %s", name, placed.Message)
		require.Equal(t, CodeUnreachable, placed.Code, name)
	}
	require.Zero(t, plain.posts.Load())
}

// dials is a transport whose connections fail with err, or never come about.
func dials(err error) *http.Transport {
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		if err == nil {
			<-ctx.Done()
			err := ctx.Err()
			return nil, err
		}
		return nil, err
	}}
}

func TestConnectionThatTakesUntilTheDeadlineIsGivenUp(t *testing.T) {
	c := newClient(t, "http://exchange/v2", dials(nil))
	c.timeout = 24 * time.Hour // which no test sees the end of
	c.clock.remember(venueTime)

	placed := c.Place(ctx(t), limitPlan(), testID, venueTime.Add(50*time.Millisecond))

	require.Equal(t, trade.NotSent, placed.Reply)
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestTransportThatReportsNothingProvesNothing(t *testing.T) {
	c := newClient(t, "http://exchange/v2", tripper(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("connection refused")
	}))
	c.clock.remember(venueTime)
	require.Equal(t, trade.Unknown, c.Place(ctx(t), limitPlan(), testID, deadline()).Reply)
}

func TestPanicIsUnknownAndKeepsTheSecret(t *testing.T) {
	c := newClient(t, "http://exchange/v2", tripper(func(req *http.Request) (*http.Response, error) {
		panic("dump: " + testSecret + " " + req.Header.Get("Bitvavo-Access-Key"))
	}))
	c.clock.remember(venueTime)

	placed := c.Place(ctx(t), limitPlan(), testID, deadline())

	require.Equal(t, trade.Unknown, placed.Reply)
	require.Equal(t, CodePanic, placed.Code)
	require.NotContains(t, placed.Message, testSecret)
	require.NotContains(t, placed.Message, testKey)
}

func TestOrderHasNoSecondCopyOfItsBody(t *testing.T) {
	var second func() (io.ReadCloser, error)
	c := newClient(t, "http://exchange/v2", tripper(func(req *http.Request) (*http.Response, error) {
		second = req.GetBody
		return nil, errors.New("gone")
	}))
	c.clock.remember(venueTime)
	c.Place(ctx(t), limitPlan(), testID, deadline())
	require.Nil(t, second)
}
