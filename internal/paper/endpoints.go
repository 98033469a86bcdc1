package paper

import (
	"strings"
)

// endpoint is one thing a client may ask.
type endpoint struct {
	weight int
	// all is the weight without a market, where that is different.
	all   int
	needs Permission // "" is open to everyone
	query []string
	serve func(*Exchange, *request) (any, error)
}

var (
	page       = []string{"market", "limit", "start", "end"}
	orderPage  = append([]string{"orderIdFrom", "orderIdTo"}, page...)
	tradePage  = append([]string{"tradeIdFrom", "tradeIdTo"}, page...)
	publicPage = []string{"limit", "start", "end", "tradeIdFrom", "tradeIdTo"}
	oneOrder   = []string{"market", "orderId", "clientOrderId"}
	transfers  = []string{"symbol", "limit", "start", "end"}
)

// endpoints are found by method and path; {market} stands for any first part.
var endpoints = map[string]endpoint{
	"GET /time":             {1, 0, "", nil, (*Exchange).getTime},
	"GET /markets":          {1, 0, "", []string{"market"}, (*Exchange).getMarkets},
	"GET /assets":           {1, 0, "", []string{"symbol"}, (*Exchange).getAssets},
	"GET /{market}/book":    {1, 0, "", []string{"depth"}, (*Exchange).getBook},
	"GET /{market}/trades":  {5, 0, "", publicPage, (*Exchange).getPublicTrades},
	"GET /{market}/candles": {1, 0, "", []string{"interval", "limit", "start", "end"}, (*Exchange).getCandles},
	"GET /ticker/price":     {1, 0, "", []string{"market"}, (*Exchange).getTickerPrice},
	"GET /ticker/book":      {1, 0, "", []string{"market"}, (*Exchange).getTickerBook},
	"GET /ticker/24h":       {1, 25, "", []string{"market"}, (*Exchange).getTicker24h},

	"POST /order":    {1, 0, Trade, nil, (*Exchange).postOrder},
	"PUT /order":     {1, 0, Trade, nil, (*Exchange).putOrder},
	"DELETE /order":  {0, 0, Trade, append([]string{"operatorId"}, oneOrder...), (*Exchange).deleteOrder},
	"DELETE /orders": {0, 0, Trade, []string{"market", "operatorId"}, (*Exchange).deleteOrders},

	"GET /order":        {1, 0, View, oneOrder, (*Exchange).getOrder},
	"GET /orders":       {5, 0, View, orderPage, (*Exchange).getOrders},
	"GET /ordersOpen":   {1, 25, View, []string{"market", "base"}, (*Exchange).getOrdersOpen},
	"GET /trades":       {5, 0, View, tradePage, (*Exchange).getTrades},
	"GET /account":      {1, 0, View, nil, (*Exchange).getAccount},
	"GET /account/fees": {1, 0, View, []string{"market", "quote"}, (*Exchange).getFees},
	"GET /balance":      {5, 0, View, []string{"symbol"}, (*Exchange).getBalance},

	"GET /deposit":           {1, 0, View, []string{"symbol"}, (*Exchange).getDeposit},
	"GET /depositHistory":    {5, 0, View, transfers, (*Exchange).getTransfers},
	"POST /withdrawal":       {1, 0, Withdraw, nil, (*Exchange).postWithdrawal},
	"GET /withdrawalHistory": {5, 0, View, transfers, (*Exchange).getTransfers},
}

func findEndpoint(r *request) (endpoint, bool) {
	if r.message != nil {
		return r.message.endpoint, true
	}
	if end, ok := endpoints[r.method+" "+r.path]; ok {
		return end, true
	}
	market, rest, ok := strings.Cut(strings.TrimPrefix(r.path, "/"), "/")
	if !ok || !strings.Contains(market, "-") {
		return endpoint{}, false
	}
	r.market = market
	end, ok := endpoints[r.method+" /{market}/"+rest]
	return end, ok
}

func (e endpoint) weightOf(oneMarket bool) int {
	if e.all > 0 && !oneMarket {
		return e.all
	}
	return e.weight
}

func (e endpoint) permits(k *Key) error {
	switch {
	case e.needs == "":
		return nil
	case k == nil:
		return refuse(codeNoAuth)
	case k.may(e.needs):
		return nil
	case e.needs == Trade:
		return refuse(codeNoTrade)
	case e.needs == Withdraw:
		return refuse(codeNoWithdraw)
	}
	return refuse(codeNoView)
}

// getTime is the clock that signatures are judged by.
func (e *Exchange) getTime(*request) (any, error) {
	now := e.now()
	return map[string]int64{"time": now.UnixMilli(), "timeNs": now.UnixNano()}, nil
}
