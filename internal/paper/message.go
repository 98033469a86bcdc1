package paper

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// actions are what a socket may ask, each by the endpoint that answers it: an
// order placed here and one placed by REST go the same way.
var actions = map[string]string{
	"getTime": "GET /time", "getMarkets": "GET /markets", "getAssets": "GET /assets",
	"getBook": "GET /{market}/book", "getTrades": "GET /{market}/trades", "getCandles": "GET /{market}/candles",
	"getTickerPrice": "GET /ticker/price", "getTickerBook": "GET /ticker/book", "getTicker24h": "GET /ticker/24h",

	"privateCreateOrder": "POST /order", "privateUpdateOrder": "PUT /order",
	"privateCancelOrder": "DELETE /order", "privateCancelOrders": "DELETE /orders",

	"privateGetOrder": "GET /order", "privateGetOrders": "GET /orders", "privateGetOrdersOpen": "GET /ordersOpen",
	"privateGetTrades": "GET /trades", "privateGetAccount": "GET /account", "privateGetFees": "GET /account/fees",
	"privateGetBalance": "GET /balance",

	"privateDepositAssets": "GET /deposit", "privateGetDepositHistory": "GET /depositHistory",
	"privateWithdrawAssets": "POST /withdrawal", "privateGetWithdrawalHistory": "GET /withdrawalHistory",
}

// message is one thing a client said on a socket.
type message struct {
	params
	action   string
	id       json.RawMessage // of the request, as it came: it may exceed a float
	key      *Key
	route    string // its endpoint, as actions names it
	endpoint endpoint
}

var wholeNumber = regexp.MustCompile(`^-?[0-9]{1,30}$`)

// readMessage takes the action and the request's id off a message. What it
// returns can be answered also when there is an error.
func readMessage(text []byte) (*message, error) {
	m := &message{}
	if err := json.Unmarshal(text, &m.raw); err != nil || m.raw == nil {
		m.raw = map[string]json.RawMessage{}
		return m, refuse(codeInvalidJSON)
	}
	m.need("action")
	m.action = m.text("action")
	if id, given := m.raw["requestId"]; given {
		if wholeNumber.Match(id) {
			m.id = id
		} else {
			m.fail(invalid("requestId"))
		}
	}
	delete(m.raw, "action")
	delete(m.raw, "requestId")
	return m, m.err
}

// market is the market that the message names, or nothing.
func (m *message) market() (name string) {
	_ = json.Unmarshal(m.raw["market"], &name) // what is no text names none
	return name
}

// request is the message as its endpoint reads it.
func (m *message) request(address string) request {
	method, path, _ := strings.Cut(m.route, " ")
	r := request{method: method, path: strings.Replace(path, "{market}", m.market(), 1), address: address, message: m}
	if m.ofPath() {
		r.market = m.market()
	}
	r.body = encoded(m.raw)
	return r
}

// ofPath says that REST names the market in the path.
func (m *message) ofPath() bool { return strings.Contains(m.route, "{market}") }

// fill takes in the fields that the endpoint takes; one that reads a body reads
// it by itself.
func (m *message) fill(r *request, end endpoint, lenient bool) error {
	if r.method == http.MethodPost || r.method == http.MethodPut {
		r.query = &params{}
		return nil
	}
	if m.ofPath() {
		m.need("market")
		m.text("market")
	}
	for name := range m.raw {
		if !slices.Contains(end.query, name) && (name != "market" || !m.ofPath()) {
			m.fail(refusef(codeBodyParam, "Body parameter %s is not accepted.", name))
		}
	}
	m.loose = end.needs != Trade || lenient
	r.query = &m.params
	return m.err
}

// said is what comes back on a socket: a response or, with a code, a refusal.
type said struct {
	Event    string          `json:"event,omitempty"`
	Action   string          `json:"action,omitempty"`
	ID       json.RawMessage `json:"requestId,omitempty"`
	Market   string          `json:"market,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
	*refusal
}

// refused answers the message with an error.
func (m *message) refused(no refusal) said {
	return said{Action: m.action, ID: m.id, Market: m.market(), refusal: &no}
}

// answered turns the reply of an endpoint into what is said on the socket. A
// page cannot be said there: whoever would answer one has lost the connection.
func (m *message) answered(out reply) (said, bool) {
	if out.header["Content-Type"] != "application/json" {
		return said{}, false
	}
	if out.status == http.StatusOK {
		return said{Action: m.action, ID: m.id, Response: out.body}, true
	}
	var no refusal
	if json.Unmarshal(out.body, &no) != nil {
		return said{}, false
	}
	return m.refused(no), true
}
