package orders

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/leaktest"
	"interlock/internal/trade"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const (
	testKey    = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	testSecret = "a-secret-nobody-may-ever-read-in-a-log"
)

var (
	testID = uuid.MustParse("2be7d0df-d8dc-4b93-a550-8876f3b393e9")

	// venueTime is far from this machine's clock, so that a test notices when
	// the wrong one is used.
	venueTime = time.UnixMilli(1_548_172_481_125).UTC()
)

// asked is a request as it arrived.
type asked struct {
	method, path string
	query        url.Values
	header       http.Header
	body         string
}

// venue is an exchange of recorded replies, which checks every signature.
type venue struct {
	t      *testing.T
	server *httptest.Server
	client *Client

	mu      sync.Mutex
	seen    []asked
	replies map[string]http.HandlerFunc
}

func newVenue(t *testing.T) *venue {
	t.Helper()
	v := &venue{t: t, replies: map[string]http.HandlerFunc{}}
	v.on("GET /v2/time", says(200, fmt.Sprintf(`{"time":%d,"timeNs":%d000000}`, venueTime.UnixMilli(), venueTime.UnixMilli())))
	v.server = httptest.NewServer(v)
	t.Cleanup(v.server.Close)
	v.client = newClient(t, v.server.URL+"/v2", nil)
	return v
}

func newClient(t *testing.T, base string, transport http.RoundTripper) *Client {
	t.Helper()
	c, err := New(Config{URL: base, Key: testKey, Secret: testSecret, OperatorID: 543462, Transport: transport, RequestTimeout: 5 * time.Minute})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	c.clock.elapsed = func() time.Duration { return 0 } // no deadline passes while the machine stands still
	return c
}

func (v *venue) on(route string, reply http.HandlerFunc) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.replies[route] = reply
}

func (v *venue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	v.mu.Lock()
	v.seen = append(v.seen, asked{r.Method, r.URL.Path, r.URL.Query(), r.Header, string(body)})
	reply := v.replies[r.Method+" "+r.URL.Path]
	v.mu.Unlock()
	if r.URL.Path != "/v2/time" && !signedWell(r, body) {
		says(403, `{"errorCode":309,"error":"The signature is invalid."}`)(w, r)
		return
	}
	if reply == nil {
		says(404, "<html>no such path</html>")(w, r)
		return
	}
	reply(w, r)
}

func signedWell(r *http.Request, body []byte) bool {
	k := keys{key: testKey, secret: []byte(testSecret)}
	want := k.signature(r.Header.Get("Bitvavo-Access-Timestamp"), r.Method, r.URL.RequestURI(), body)
	return r.Header.Get("Bitvavo-Access-Signature") == want && r.Header.Get("Bitvavo-Access-Key") == testKey
}

// requests lists what arrived for a route.
func (v *venue) requests(route string) []asked {
	v.mu.Lock()
	defer v.mu.Unlock()
	var list []asked
	for _, a := range v.seen {
		if a.method+" "+a.path == route {
			list = append(list, a)
		}
	}
	return list
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func dec(text string) *decimal.Decimal {
	d := decimal.RequireFromString(text)
	return &d
}

func limitPlan() trade.Plan {
	return trade.Plan{Market: "BTC-EUR", Side: trade.Buy, OrderType: trade.LimitOrder, TimeInForce: "IOC", Amount: dec("0.01"), Price: dec("75000")}
}

func marketPlan() trade.Plan {
	return trade.Plan{Market: "BTC-EUR", Side: trade.Sell, OrderType: trade.MarketOrder, AmountQuote: dec("25.50")}
}

// deadline is when the exchange stops acting on an order signed now.
func deadline() time.Time { return venueTime.Add(trade.AccessWindow) }

// orderJSON is a recorded order in the exchange's words.
func orderJSON(orderID, clientOrderID, side, status string) string {
	id := ""
	if clientOrderID != "" {
		id = `"clientOrderId":` + strconv.Quote(clientOrderID) + `,`
	}
	return `{"orderId":` + strconv.Quote(orderID) + `,` + id + `"market":"BTC-EUR","created":1548172481200,"updated":1548172481300,` +
		`"status":"` + status + `","side":"` + side + `","orderType":"limit","amount":"0.01","amountRemaining":"0.004","price":"75000",` +
		`"onHold":"0","onHoldCurrency":"EUR","filledAmount":"0.006","filledAmountQuote":"450","feePaid":"1.12","feeCurrency":"EUR",` +
		`"fills":[{"id":"f1","timestamp":1548172481250,"amount":"0.004","price":"75000","taker":true,"fee":"1.12","feeCurrency":"EUR","settled":true},` +
		`{"id":"f2","timestamp":1548172481260,"amount":"0.002","price":"75000","taker":true,"settled":false}],` +
		`"selfTradePrevention":"decrementAndCancel","visible":true,"timeInForce":"IOC","postOnly":false,"disableMarketProtection":false,"operatorId":543462}`
}

func ctx(t *testing.T) context.Context {
	t.Helper()
	return t.Context()
}
