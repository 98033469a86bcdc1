package paper

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// line is a socket as a client holds it.
type line struct {
	b    *bench
	conn *websocket.Conn
}

func (b *bench) dial() *line {
	b.t.Helper()
	conn, resp, err := websocket.DefaultDialer.Dial(b.socketURL(), nil)
	require.NoError(b.t, err)
	require.NoError(b.t, resp.Body.Close())
	b.t.Cleanup(func() { _ = conn.Close() })
	return &line{b, conn}
}

func (b *bench) socketURL() string { return "ws" + strings.TrimPrefix(b.server.URL, "http") + "/v2/" }

// authenticated is a socket of a key.
func (b *bench) authenticated(key Key) *line {
	b.t.Helper()
	l := b.dial()
	require.JSONEq(b.t, `{"event":"authenticate","authenticated":true}`, l.ask(b.login(key)))
	return l
}

func (b *bench) login(key Key) string {
	stamp := strconv.FormatInt(b.clock.Now().UnixMilli(), 10)
	return `{"action":"authenticate","key":"` + key.Key + `","signature":"` +
		signature(key.Secret, stamp, http.MethodGet, "/v2/websocket", nil) + `","timestamp":` + stamp + `}`
}

func (l *line) say(text string) {
	l.b.t.Helper()
	require.NoError(l.b.t, l.conn.WriteMessage(websocket.TextMessage, []byte(text)))
}

func (l *line) hear() string {
	l.b.t.Helper()
	require.NoError(l.b.t, l.conn.SetReadDeadline(time.Now().Add(timeout)))
	_, text, err := l.conn.ReadMessage()
	require.NoError(l.b.t, err)
	return string(text)
}

// ask says something and hears what comes next.
func (l *line) ask(text string) string {
	l.b.t.Helper()
	l.say(text)
	return l.hear()
}

func (l *line) object(text string) map[string]any {
	l.b.t.Helper()
	var m map[string]any
	require.NoError(l.b.t, json.Unmarshal([]byte(text), &m), text)
	return m
}

func (l *line) code(text string) int {
	l.b.t.Helper()
	code, _ := l.object(text)["errorCode"].(float64)
	return int(code)
}

// ended waits for the connection to end and says how.
func (l *line) ended() error {
	l.b.t.Helper()
	require.NoError(l.b.t, l.conn.SetReadDeadline(time.Now().Add(timeout)))
	for {
		if _, _, err := l.conn.ReadMessage(); err != nil {
			return err
		}
	}
}

// with adds fields to a message or an order in JSON.
func (l *line) with(text string, fields map[string]any) string {
	m := l.object(text)
	for name, value := range fields {
		m[name] = value
	}
	out, err := json.Marshal(m)
	require.NoError(l.b.t, err)
	return string(out)
}

func (l *line) order(body string) string {
	return l.with(body, map[string]any{"action": "privateCreateOrder"})
}

func TestEveryActionAnswersWhatItsEndpointAnswers(t *testing.T) {
	b := newBench(t)
	l := b.authenticated(b.key)
	b.place(orderJSON(named(uuidA)))
	resting := b.place(limitJSON(nil))["orderId"].(string)
	for message, path := range map[string]string{
		`{"action":"getTime"}`:                                                            "/time",
		`{"action":"getMarkets"}`:                                                         "/markets",
		`{"action":"getMarkets","market":"BTC-EUR"}`:                                      "/markets?market=BTC-EUR",
		`{"action":"getAssets","symbol":"BTC"}`:                                           "/assets?symbol=BTC",
		`{"action":"getTrades","market":"BTC-EUR","limit":2}`:                             "/BTC-EUR/trades?limit=2",
		`{"action":"getCandles","market":"BTC-EUR","interval":"1h","limit":"3"}`:          "/BTC-EUR/candles?interval=1h&limit=3",
		`{"action":"getTickerPrice"}`:                                                     "/ticker/price",
		`{"action":"getTickerBook","market":"ADA-EUR"}`:                                   "/ticker/book?market=ADA-EUR",
		`{"action":"getTicker24h","market":"BTC-EUR"}`:                                    "/ticker/24h?market=BTC-EUR",
		`{"action":"privateGetOrder","market":"BTC-EUR","clientOrderId":"` + uuidA + `"}`: "/order?market=BTC-EUR&clientOrderId=" + uuidA,
		`{"action":"privateGetOrder","market":"BTC-EUR","orderId":"` + resting + `"}`:     "/order?market=BTC-EUR&orderId=" + resting,
		`{"action":"privateGetOrders","market":"BTC-EUR","limit":1}`:                      "/orders?market=BTC-EUR&limit=1",
		`{"action":"privateGetOrdersOpen"}`:                                               "/ordersOpen",
		`{"action":"privateGetTrades","market":"BTC-EUR"}`:                                "/trades?market=BTC-EUR",
		`{"action":"privateGetAccount"}`:                                                  "/account",
		`{"action":"privateGetFees","market":"BTC-EUR"}`:                                  "/account/fees?market=BTC-EUR",
		`{"action":"privateGetBalance","symbol":"EUR"}`:                                   "/balance?symbol=EUR",
		`{"action":"privateGetDepositHistory"}`:                                           "/depositHistory",
		`{"action":"privateGetWithdrawalHistory"}`:                                        "/withdrawalHistory",
	} {
		var answer struct {
			Action   string
			Response json.RawMessage
		}
		require.NoError(t, json.Unmarshal([]byte(l.ask(message)), &answer), message)
		require.Equal(t, l.object(message)["action"], answer.Action)
		require.JSONEq(t, string(b.call(b.key, http.MethodGet, path, "").body), string(answer.Response), message)
	}
	var book struct{ Response bookView }
	require.NoError(t, json.Unmarshal([]byte(l.ask(`{"action":"getBook","market":"BTC-EUR","depth":1}`)), &book))
	require.Len(t, book.Response.Asks, 1)
}

func TestSocketSignatureMatchesThePublishedVector(t *testing.T) {
	require.Equal(t, "653fc0505431c63a043273da4bd2f0927eae83948d796084f313e5d1131b0d6f",
		signature("bitvavo", "1548175200641", http.MethodGet, "/v2/websocket", nil))
}

func TestSocketBelongsToWhoeverSignedForIt(t *testing.T) {
	b := newBench(t)
	good := b.login(b.key)
	for name, c := range map[string]struct {
		fields map[string]any
		code   int
	}{
		"numbers":           {map[string]any{"window": 10_000}, 0},
		"texts":             {map[string]any{"window": "10000", "timestamp": strconv.FormatInt(b.clock.Now().UnixMilli(), 10)}, 0},
		"no key":            {map[string]any{"key": ""}, 300},
		"a short key":       {map[string]any{"key": "k"}, 301},
		"a made-up time":    {map[string]any{"timestamp": "today"}, 302},
		"a wide window":     {map[string]any{"window": 60_001}, 303},
		"an old time":       {map[string]any{"timestamp": b.clock.Now().Add(-11 * time.Second).UnixMilli()}, 304},
		"an unknown key":    {map[string]any{"key": NewKey("x").Key}, 305},
		"half a signature":  {map[string]any{"signature": "ab"}, 308},
		"another signature": {map[string]any{"signature": strings.Repeat("0", 64)}, 309},
	} {
		t.Run(name, func(t *testing.T) {
			l := b.dial()
			answer := l.ask(l.with(good, c.fields))
			require.Equal(t, c.code, l.code(answer), answer)
			require.Equal(t, c.code == 0, l.object(answer)["authenticated"] == true)
			require.Equal(t, c.code == 0, l.code(l.ask(`{"action":"privateGetBalance"}`)) == 0)
			require.JSONEq(t, string(b.get("/time").body), string(encoded(l.object(l.ask(`{"action":"getTime"}`))["response"])), "the socket lives on")
		})
	}
}

func TestEachActionNeedsTheRightOfItsEndpoint(t *testing.T) {
	viewer, nobody := NewKey("main", View), NewKey("main")
	b := newBench(t, func(c *Config) { c.Keys = append(c.Keys, viewer, nobody) })
	l := b.authenticated(viewer)
	require.Equal(t, 310, l.code(l.ask(l.order(orderJSON(nil)))))
	require.Equal(t, 312, l.code(l.ask(`{"action":"privateWithdrawAssets","symbol":"BTC","amount":"1","address":"x"}`)))
	l = b.authenticated(nobody)
	require.Equal(t, 311, l.code(l.ask(`{"action":"privateGetBalance"}`)))
	require.Equal(t, 311, l.code(l.ask(`{"action":"subscribe","channels":[{"name":"account","markets":["BTC-EUR"]}]}`)))
	require.Equal(t, 300, l.code(b.dial().ask(l.order(orderJSON(nil)))))
	require.Empty(t, b.recorded())
}

func TestRequestIDsComeBackDigitByDigit(t *testing.T) {
	b := newBench(t)
	l := b.authenticated(b.key)
	require.Contains(t, l.ask(`{"action":"getTime","requestId":98765432109876543}`), `"requestId":98765432109876543,`)
	require.JSONEq(t, `{"action":"privateCreateOrder","requestId":98765432109876543,"market":"BTC-EUR","errorCode":216,
		"error":"You do not have sufficient balance to complete this operation."}`,
		l.ask(`{"requestId":98765432109876543,`+l.order(orderJSON(with("amount", "3")))[1:]))
	require.NotContains(t, l.ask(`{"action":"getTime"}`), "requestId")
}

func TestWhatIsNoRequestIsRefusedAndTheSocketStaysOpen(t *testing.T) {
	b := newBench(t)
	l := b.authenticated(b.key)
	for text, want := range map[string]string{
		`{"action":`:                                        `{"errorCode":102,"error":"Invalid JSON."}`,
		`null`:                                              `{"errorCode":102,"error":"Invalid JSON."}`,
		`["getTime"]`:                                       `{"errorCode":102,"error":"Invalid JSON."}`,
		`{"action":"getRich","requestId":5}`:                `{"action":"unknown","requestId":5,"errorCode":415,"error":"Invalid action."}`,
		`{"requestId":5}`:                                   `{"requestId":5,"errorCode":203,"error":"action parameter is required."}`,
		`{"action":7}`:                                      `{"errorCode":205,"error":"action parameter is invalid."}`,
		`{"action":"getTime","requestId":"a"}`:              `{"action":"getTime","errorCode":205,"error":"requestId parameter is invalid."}`,
		`{"action":"getTime","zone":"utc"}`:                 `{"action":"getTime","errorCode":201,"error":"Body parameter zone is not accepted."}`,
		`{"action":"getBook"}`:                              `{"action":"getBook","errorCode":203,"error":"market parameter is required."}`,
		`{"action":"getBook","market":7}`:                   `{"action":"getBook","errorCode":205,"error":"market parameter is invalid."}`,
		`{"action":"getBook","market":"../order"}`:          `{"action":"getBook","market":"../order","errorCode":205,"error":"market parameter ../order is invalid."}`,
		`{"action":"getBook","market":"BTC-EUR","depth":0}`: `{"action":"getBook","market":"BTC-EUR","errorCode":205,"error":"depth parameter is invalid."}`,
		`{"action":"privateDepositAssets","symbol":"BTC"}`:  `{"action":"privateDepositAssets","errorCode":401,"error":"Deposits for this asset are not available at this time."}`,
	} {
		require.JSONEq(t, want, l.ask(text), text)
	}
}

func TestRefusalsOnASocketAreThoseOfREST(t *testing.T) {
	for _, c := range placementRefusals() {
		if c.code == codeInvalidJSON || c.method != http.MethodPost || c.path != "/order" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			if c.before != nil {
				c.before(b)
			}
			orders := len(b.recorded())
			l := b.authenticated(b.key)
			require.Equal(t, c.code, l.code(l.ask(`{"action":"privateCreateOrder",`+c.body[1:])))
			require.Len(t, b.recorded(), orders)
		})
	}
}

func TestOperatorOnASocketIsANumberUnlessLenient(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		b := newBench(t, func(c *Config) { c.Options.Lenient = lenient })
		l := b.authenticated(b.key)
		var want [3]int
		if !lenient {
			want = [3]int{205, 205, 203}
		}
		require.Equal(t, want[0], l.code(l.ask(l.order(limitJSON(with("operatorId", "7"))))))
		require.Equal(t, want[1], l.code(l.ask(`{"action":"privateCancelOrders","operatorId":"7"}`)))
		require.Equal(t, want[2], l.code(l.ask(`{"action":"privateCancelOrders"}`)))
		require.Zero(t, l.code(l.ask(`{"action":"privateCancelOrders","operatorId":7}`)))
	}
}

func TestListsAreAnsweredToThoseWhoReadOnlyLists(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Options.AlwaysLists = true })
	l := b.dial()
	for message, path := range map[string]string{
		`{"action":"getMarkets","market":"BTC-EUR"}`:     "/markets?market=BTC-EUR",
		`{"action":"getAssets","symbol":"BTC"}`:          "/assets?symbol=BTC",
		`{"action":"getTickerPrice","market":"BTC-EUR"}`: "/ticker/price?market=BTC-EUR",
		`{"action":"getTickerBook","market":"BTC-EUR"}`:  "/ticker/book?market=BTC-EUR",
		`{"action":"getTicker24h","market":"BTC-EUR"}`:   "/ticker/24h?market=BTC-EUR",
	} {
		require.Len(t, l.object(l.ask(message))["response"], 1, message)
		var rows []any
		b.get(path).into(t, &rows)
		require.Len(t, rows, 1, path)
	}
}

func TestOneBudgetIsSpentBySocketAndREST(t *testing.T) {
	b := newBench(t, func(c *Config) { c.WeightPerMinute = 20 })
	l := b.authenticated(b.key)
	for range 3 {
		require.Zero(t, l.code(l.ask(`{"action":"privateGetBalance"}`)))
	}
	require.Equal(t, "0", b.call(b.key, "GET", "/balance", "").header.Get("bitvavo-ratelimit-remaining"))
	answer := l.ask(l.order(orderJSON(nil)))
	require.Equal(t, 105, l.code(answer))
	require.Contains(t, l.object(answer)["error"], " at 1772625720000.")
	require.Equal(t, 105, b.call(b.key, "POST", "/order", orderJSON(nil)).code(t))
	require.Equal(t, 105, l.code(b.authenticated(b.key).ask(`{"action":"getTime"}`)), "another socket of the key")
	require.Zero(t, l.code(b.dial().ask(`{"action":"getTime"}`)), "a socket of nobody")
	require.Empty(t, b.recorded())
	b.clock.Move(2 * time.Minute)
	require.Zero(t, l.code(l.ask(l.order(orderJSON(nil)))))
}

func TestMessagesOfASocketAreLimitedPerSecond(t *testing.T) {
	b := newBench(t)
	l := b.dial()
	counts := map[int]int{}
	heard := make(chan error, 1)
	go func() {
		for range perSecond + 2 {
			_, text, err := l.conn.ReadMessage()
			if err != nil {
				heard <- err
				return
			}
			var no refusal
			if err := json.Unmarshal(text, &no); err != nil {
				heard <- err
				return
			}
			counts[no.Code]++
		}
		heard <- nil
	}()
	for range perSecond + 2 {
		l.say(`{"action":"getTime"}`)
	}
	require.NoError(t, <-heard)
	require.Equal(t, map[int]int{0: perSecond, 112: 2}, counts)
	b.clock.Move(time.Second)
	require.Zero(t, l.code(l.ask(`{"action":"getTime"}`)))
	require.Zero(t, l.code(b.dial().ask(`{"action":"getTime"}`)))
}

func TestASocketAnswersPingsAndAClose(t *testing.T) {
	b := newBench(t)
	l := b.dial()
	ponged := make(chan string, 1)
	l.conn.SetPongHandler(func(s string) error { ponged <- s; return nil })
	require.NoError(t, l.conn.WriteControl(websocket.PingMessage, []byte("hey"), time.Now().Add(timeout)))
	l.ask(`{"action":"getTime"}`)
	require.Equal(t, "hey", <-ponged)
	require.NoError(t, l.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(timeout)))
	require.True(t, websocket.IsCloseError(l.ended(), websocket.CloseNormalClosure))
}

func TestTheExchangePingsAnIdleSocket(t *testing.T) {
	b := newBench(t)
	b.ex.pingEvery = time.Millisecond
	l := b.dial()
	pinged := make(chan string, 1)
	l.conn.SetPingHandler(func(s string) error {
		pinged <- s
		return errors.New("enough")
	})
	require.ErrorContains(t, l.ended(), "enough")
	require.Equal(t, "ping", <-pinged)
}

// FuzzNothingSaidOnASocketBreaksIt reads whatever a client may say as far as
// that goes without the exchange's lock.
func FuzzNothingSaidOnASocketBreaksIt(f *testing.F) {
	f.Add([]byte(`{"action":"getBook","market":"BTC-EUR","requestId":1}`))
	f.Add([]byte(`{"action":"subscribe","channels":[{"name":"candles","interval":"1m","markets":"*"}]}`))
	f.Add([]byte(`{"action":"privateCreateOrder","market":null,"operatorId":"7","\ud800":"\xff"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := readMessage(text)
		require.True(t, json.Valid(encoded(m.refused(refuse(codeInvalid)))))
		if err != nil {
			require.IsType(t, refusal{}, err)
			return
		}
		_, _ = m.channels()
		if m.route = actions[m.action]; m.route != "" {
			m.endpoint = endpoints[m.route]
			r := m.request("127.0.0.1")
			require.True(t, json.Valid(r.body))
			if err := m.fill(&r, m.endpoint, true); err == nil {
				require.NotNil(t, r.query)
			}
		}
	})
}

func TestOtherOriginsMayNotOpenASocket(t *testing.T) {
	b := newBench(t)
	_, resp, err := websocket.DefaultDialer.Dial(b.socketURL(), http.Header{"Origin": {"https://elsewhere.example"}})
	require.Error(t, err)
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
}
