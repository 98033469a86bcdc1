package orders

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"interlock/internal/paper"
	"interlock/internal/trade"
)

// witness notes every request that reaches an exchange.
type witness struct {
	http.Handler

	mu   sync.Mutex
	seen []string
}

func (w *witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.seen = append(w.seen, r.Method+" "+r.URL.Path)
	w.mu.Unlock()
	w.Handler.ServeHTTP(out, r)
}

// probed asks everything of a paper exchange with a key of these rights.
func probed(t *testing.T, rights ...paper.Permission) (view, trading bool, seen []string) {
	t.Helper()
	key := paper.NewKey("a", rights...)
	ex, err := paper.New(paper.Config{Keys: []paper.Key{key}, Seed: 7})
	require.NoError(t, err)
	w := &witness{Handler: ex.Handler()}
	server := httptest.NewServer(w)
	t.Cleanup(func() { server.Close(); require.NoError(t, ex.Close()) })
	p := prober(t, Config{URL: server.URL + "/v2", Key: key.Key, Secret: key.Secret})
	view, err = p.MayView(t.Context())
	require.NoError(t, err)
	trading, err = p.MayTrade(t.Context())
	require.NoError(t, err)
	return view, trading, w.seen
}

func prober(t *testing.T, cfg Config) *Prober {
	t.Helper()
	p, err := NewProber(cfg)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

func TestProbingTellsWhatAKeyMay(t *testing.T) {
	for _, c := range []struct {
		rights        []paper.Permission
		view, trading bool
	}{
		{[]paper.Permission{paper.View, paper.Trade}, true, true}, {[]paper.Permission{paper.View}, true, false},
		{[]paper.Permission{paper.Trade}, false, true}, {[]paper.Permission{paper.Withdraw}, false, false},
	} {
		view, trading, seen := probed(t, c.rights...)
		require.Equal(t, []bool{c.view, c.trading}, []bool{view, trading}, c.rights)
		require.Equal(t, []string{"DELETE /v2/order", "GET /v2/balance", "GET /v2/time"}, slices.Compact(slices.Sorted(slices.Values(seen))))
		require.Len(t, seen, 3, "each is asked once")
	}
}

func TestAKeyThatIsRefusedIsNoPermission(t *testing.T) {
	for status, body := range map[int]string{
		403: `{"errorCode":307,"error":"IP not whitelisted"}`, 503: `{"errorCode":107,"error":"overloaded"}`, 200: `{}`, 404: `<html>`, 429: `{"errorCode":105,"error":"banned"}`,
	} {
		v := newVenue(t)
		v.on("GET /v2/balance", says(status, body))
		v.on("DELETE /v2/order", says(status, body))
		p := prober(t, Config{URL: v.server.URL + "/v2", Key: testKey, Secret: testSecret})
		_, err := p.MayTrade(t.Context())
		require.Error(t, err)
		require.Equal(t, status == 403, errors.Is(err, ErrKey))
		_, err = p.MayView(t.Context())
		require.Error(t, err)
		require.Equal(t, status == 403, errors.Is(err, ErrKey))
	}
}

func TestAnEndedOrderIsNoPermission(t *testing.T) {
	v := newVenue(t)
	p := prober(t, Config{URL: v.server.URL + "/v2", Key: testKey, Secret: testSecret})
	v.on("DELETE /v2/order", says(200, `{"orderId":"`+p.order+`"}`))
	may, err := p.MayTrade(t.Context())
	require.ErrorIs(t, err, ErrUnavailable)
	require.False(t, may)
}

// TestAProberCannotMoveMoney uses the client behind the prober as a mistake
// would: nothing but the list goes out.
func TestAProberCannotMoveMoney(t *testing.T) {
	v := newVenue(t)
	p := prober(t, Config{URL: v.server.URL + "/v2", Key: testKey, Secret: testSecret})
	placed := p.client.Place(t.Context(), limitPlan(), testID, deadline())
	require.NotEqual(t, trade.Accepted, placed.Reply)
	require.Error(t, p.client.Cancel(t.Context(), "BTC-EUR", uuid.NewString()), "an order that may exist")
	_, err := p.client.OpenOrders(t.Context())
	require.Error(t, err)
	for _, c := range []struct{ method, path string }{
		{"POST", "/order"}, {"PUT", "/order"}, {"DELETE", "/orders"}, {"POST", "/withdrawal"}, {"POST", "/time"}, {"DELETE", "/balance"},
		{"DELETE", "/order?orderId=" + p.order}, {"DELETE", "/order?market=BTC-EUR&operatorId=1&orderId=" + p.order + "&orderId=other"},
		{"DELETE", "/order?market=BTC-EUR&operatorId=1&clientOrderId=" + p.order}, {"POST", "/v2/time"}, {"GET", "/balance?symbol=EUR"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, v.server.URL+"/v2"+c.path, nil)
		require.NoError(t, err)
		_, err = p.client.reads.Do(req)
		require.ErrorContains(t, err, "does not send this", c)
	}
	require.Equal(t, len(v.seen), len(v.requests("GET /v2/time")), "only the clock was read")
	require.NotEqual(t, prober(t, Config{URL: v.server.URL + "/v2", Key: testKey, Secret: testSecret, RequestTimeout: time.Second}).order, p.order)
}
