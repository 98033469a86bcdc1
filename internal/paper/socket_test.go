package paper

import (
	"encoding/json"
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
	require.NoError(l.b.t, l.conn.SetReadDeadline(time.Now().Add(10*time.Second)))
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
	require.NoError(l.b.t, l.conn.SetReadDeadline(time.Now().Add(10*time.Second)))
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
