package paper

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/waittest"
)

func TestSignatureMatchesThePublishedVector(t *testing.T) {
	body := `{"market":"BTC-EUR","side":"buy","price":"5000","amount":"1.23","orderType":"limit"}`
	got := signature("bitvavo", "1548172481125", "POST", "/v2/order", []byte(body))
	require.Equal(t, "44d022723a20973a18f7ee97398b9fdd405d2d019c8d39e24b8cc0dcb39ca016", got)
}

// sign sets every header by hand, for requests that are wrong in one of them.
func sign(r *http.Request, k Key, stamp, over string) {
	r.Header.Set("Bitvavo-Access-Key", k.Key)
	r.Header.Set("Bitvavo-Access-Timestamp", stamp)
	r.Header.Set("Bitvavo-Access-Signature", signature(k.Secret, stamp, r.Method, r.URL.RequestURI(), []byte(over)))
}

func TestSignatureIsAcceptedOverCompactAndOverNoReadBody(t *testing.T) {
	b := newBench(t)
	spaced := `{"market": "BTC-EUR", "side": "buy", "orderType": "market", "operatorId": 7, "amount": "0.1"}`
	for _, c := range []struct{ name, method, path, body, over string }{
		{"raw", http.MethodPost, "/order", spaced, spaced},
		{"compact", http.MethodPost, "/order", spaced, strings.ReplaceAll(spaced, ": ", ":")},
		{"read signed without its body", http.MethodGet, "/balance", "{}", ""},
		{"query as sent", http.MethodGet, "/orders?market=BTC-EUR&limit=5", "", ""},
		{"public", http.MethodGet, "/time", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequest(c.method, b.server.URL+"/v2"+c.path, strings.NewReader(c.body))
			require.NoError(t, err)
			over := strings.ReplaceAll(c.over, ", ", ",")
			if c.name == "raw" {
				over = c.over
			}
			sign(r, b.key, strconv.FormatInt(b.clock.Now().UnixMilli(), 10), over)
			a := b.send(r)
			require.Equal(t, http.StatusOK, a.status, "%s", a.body)
		})
	}
}

func TestEachFlawInAuthenticationHasItsCode(t *testing.T) {
	reader := NewKey("main", View)
	trader := NewKey("main", Trade)
	b := newBench(t, func(c *Config) { c.Keys = append(c.Keys, reader, trader) })
	ms := func(d time.Duration) string { return strconv.FormatInt(b.clock.Now().Add(d).UnixMilli(), 10) }
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Bitvavo-Access-"+name, value) }
	}
	at := func(stamp string) func(*http.Request) {
		return func(r *http.Request) { sign(r, b.key, stamp, "") }
	}
	as := func(k Key) func(*http.Request) { return func(r *http.Request) { sign(r, k, ms(0), "") } }
	for _, c := range []struct {
		name, method, path string
		flaw               func(*http.Request)
		code               int
	}{
		{"no key", "GET", "/balance", func(r *http.Request) { r.Header.Del("Bitvavo-Access-Key") }, 300},
		{"short key", "GET", "/balance", header("Key", "abc"), 301},
		{"timestamp in words", "GET", "/balance", header("Timestamp", "now"), 302},
		{"timestamp in seconds", "GET", "/balance", header("Timestamp", "1772625600"), 302},
		{"window too short", "GET", "/balance", header("Window", "99"), 303},
		{"window too long", "GET", "/balance", header("Window", "60001"), 303},
		{"window in words", "GET", "/balance", header("Window", "wide"), 303},
		{"window zero", "GET", "/balance", header("Window", "0"), 303},
		{"arrived too late", "GET", "/balance", at(ms(-10_001 * time.Millisecond)), 304},
		{"from the far future", "GET", "/balance", at(ms(10_001 * time.Millisecond)), 304},
		{"just in time", "GET", "/balance", at(ms(-10_000 * time.Millisecond)), 0},
		{"a little early", "GET", "/balance", at(ms(9 * time.Second)), 0},
		{"unknown key", "GET", "/balance", as(NewKey("main", View)), 305},
		{"signature of odd length", "GET", "/balance", header("Signature", "abc"), 308},
		{"signature not hex", "GET", "/balance", header("Signature", strings.Repeat("z", 64)), 308},
		{"wrong signature", "GET", "/balance", header("Signature", strings.Repeat("a", 64)), 309},
		{"wrong signature on a public path", "GET", "/time", header("Signature", strings.Repeat("a", 64)), 309},
		{"reader cannot trade", "DELETE", "/orders?operatorId=1", as(reader), 310},
		{"trader cannot view", "GET", "/balance", as(trader), 311},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := b.signed(b.key, c.method, c.path, "")
			c.flaw(r)
			a := b.send(r)
			if c.code == 0 {
				require.Equal(t, http.StatusOK, a.status, "%s", a.body)
				return
			}
			require.Equal(t, c.code, a.code(t), "%s", a.body)
			require.Equal(t, http.StatusForbidden, a.status)
		})
	}
}

func TestOrderThatReachesTheEngineAfterItsWindowIsNotPlaced(t *testing.T) {
	b := newBench(t)
	b.lever(http.MethodPost, "/delay", map[string]int{"engineDelayMs": 10_001})
	a := b.call(b.key, http.MethodPost, "/order", orderJSON(nil))
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Equal(t, 108, a.code(t))
	require.Empty(t, b.recorded())

	b.lever(http.MethodPost, "/delay", map[string]int{"engineDelayMs": 10_000})
	b.place(orderJSON(nil))
	require.Len(t, b.recorded(), 1)
}

func TestSlowReplyDoesNotUndoThePlacement(t *testing.T) {
	b := newBench(t)
	b.lever(http.MethodPost, "/delay", map[string]int{"replyDelayMs": 60_000})
	require.Equal(t, "filled", b.place(orderJSON(nil))["status"])
	require.Len(t, b.recorded(), 1)
}

func TestWriteIsCarriedOutThoughTheCallerHungUp(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	b := newBench(t, func(c *Config) {
		c.EngineDelay = time.Second
		inner := c.Wait
		c.Wait = func(ctx context.Context, d time.Duration) error {
			if d == time.Second {
				close(arrived)
				<-release
			}
			return inner(ctx, 0)
		}
	})
	r := b.signed(b.key, http.MethodPost, "/order", orderJSON(nil))
	ctx, hangUp := context.WithCancel(context.Background())
	failed := make(chan answer, 1)
	go func() { failed <- b.send(r.WithContext(ctx)) }()
	<-arrived
	hangUp()
	require.Error(t, (<-failed).err)
	close(release)
	waittest.Closely(t, "the order", func() error {
		n := len(b.recorded())
		return waittest.Is(n == 1, "there are %d orders", n)
	})
}
