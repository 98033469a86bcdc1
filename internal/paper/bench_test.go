package paper

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

// timeout bounds what a test waits for; it judges nothing.
const timeout = 5 * time.Minute

// handClock is moved by hand and by the delays that pass on it.
type handClock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *handClock {
	return &handClock{now: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)}
}

func (c *handClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *handClock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *handClock) Wait(ctx context.Context, d time.Duration) error {
	c.Move(d)
	return ctx.Err()
}

// bench is an exchange over real HTTP with a clock in the test's hand.
type bench struct {
	t      testing.TB
	ex     *Exchange
	clock  *handClock
	server *httptest.Server
	key    Key // of account main: view and trade
	other  Key // of account other
}

// flatBook has no spread, so a pinned price is also the best bid and ask; a
// level trades 20000 and the next is 0.1 % away.
func flatBook() Book {
	return Book{LevelGapBps: 10, Levels: 10, DepthQuote: decimal.NewFromInt(20_000), FillFraction: decimal.NewFromInt(1)}
}

func newBench(t testing.TB, change ...func(*Config)) *bench {
	t.Helper()
	b := &bench{t: t, clock: newClock(), key: NewKey("main", View, Trade), other: NewKey("other", View, Trade)}
	cfg := Config{Clock: b.clock.Now, Wait: b.clock.Wait, Seed: 7, Book: flatBook(), Admin: true,
		Keys: []Key{b.key, b.other}}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	b.ex, err = New(cfg)
	require.NoError(t, err)
	require.NoError(t, b.ex.Pin("BTC-EUR", "50000"))
	b.server = httptest.NewServer(b.ex.Handler())
	t.Cleanup(func() {
		b.server.Close()
		require.NoError(t, b.ex.Close())
	})
	return b
}

// answer is a reply as a client sees it.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error
}

func (a answer) into(t testing.TB, v any) {
	t.Helper()
	require.NoError(t, a.err)
	require.NoError(t, json.Unmarshal(a.body, v), "%s", a.body)
}

func (a answer) object(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	a.into(t, &m)
	return m
}

func (a answer) code(t testing.TB) int {
	t.Helper()
	code, _ := a.object(t)["errorCode"].(float64)
	return int(code)
}

// call signs and sends; body is JSON text or empty.
func (b *bench) call(key Key, method, path, body string) answer {
	b.t.Helper()
	return b.send(b.signed(key, method, path, body))
}

func (b *bench) signed(key Key, method, path, body string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequest(method, b.server.URL+"/v2"+path, strings.NewReader(body))
	require.NoError(b.t, err)
	stamp := strconv.FormatInt(b.clock.Now().UnixMilli(), 10)
	r.Header.Set("Bitvavo-Access-Key", key.Key)
	r.Header.Set("Bitvavo-Access-Timestamp", stamp)
	r.Header.Set("Bitvavo-Access-Signature", signature(key.Secret, stamp, method, "/v2"+path, []byte(body)))
	return r
}

func (b *bench) send(r *http.Request) answer {
	b.t.Helper()
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, body, err}
}

func (b *bench) get(path string) answer {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.server.URL+"/v2"+path, nil)
	require.NoError(b.t, err)
	return b.send(r)
}

// lever pulls an admin lever and expects it to work.
func (b *bench) lever(method, path string, body any) answer {
	b.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(b.t, err)
	r, err := http.NewRequest(method, b.server.URL+"/admin"+path, bytes.NewReader(text))
	require.NoError(b.t, err)
	a := b.send(r)
	require.NoError(b.t, a.err)
	require.Equal(b.t, http.StatusOK, a.status, "%s", a.body)
	return a
}

// orderJSON is a valid market buy with fields replaced; nil removes one.
func orderJSON(fields map[string]any) string {
	all := map[string]any{"market": "BTC-EUR", "side": "buy", "orderType": "market", "operatorId": 7, "amount": "0.1"}
	for name, value := range fields {
		if all[name] = value; value == nil {
			delete(all, name)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// limitJSON is a limit order that does not trade at 50000 unless changed.
func limitJSON(fields map[string]any) string {
	all := map[string]any{"orderType": "limit", "price": "40000"}
	for name, value := range fields {
		all[name] = value
	}
	return orderJSON(all)
}

// place sends an order that must be accepted.
func (b *bench) place(body string) map[string]any {
	b.t.Helper()
	a := b.call(b.key, http.MethodPost, "/order", body)
	require.Equal(b.t, http.StatusOK, a.status, "%s", a.body)
	return a.object(b.t)
}

func (b *bench) order(id any) map[string]any {
	b.t.Helper()
	return b.call(b.key, http.MethodGet, "/order?market=BTC-EUR&orderId="+id.(string), "").object(b.t)
}

func (b *bench) pin(price string) {
	b.t.Helper()
	require.NoError(b.t, b.ex.Pin("BTC-EUR", price))
}

// recorded is every order in the exchange's own ledger.
func (b *bench) recorded() []map[string]any {
	b.t.Helper()
	var rows []map[string]any
	b.lever(http.MethodGet, "/orders", nil).into(b.t, &rows)
	return rows
}

func (b *bench) balance(symbol string) (available, inOrder string) {
	b.t.Helper()
	var rows []struct{ Symbol, Available, InOrder string }
	b.call(b.key, http.MethodGet, "/balance?symbol="+symbol, "").into(b.t, &rows)
	require.Len(b.t, rows, 1)
	return rows[0].Available, rows[0].InOrder
}

const uuidA, uuidB = "11111111-2222-7333-8444-555555555555", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
