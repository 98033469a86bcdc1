// Command goclient makes the documented calls of the official Go client over a
// socket and prints what came back. It is a program of its own because the
// client races with itself, which the race detector of a test would report.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/bitvavo/go-bitvavo-api"
)

const market = "BTC-EUR"

type body = map[string]string

func main() {
	rest, url := os.Args[1], os.Args[2]
	client := bitvavo.Bitvavo{ApiKey: os.Getenv("KEY"), ApiSecret: os.Getenv("SECRET"), RestUrl: rest, WsUrl: url, AccessWindow: 10_000}
	ws, errs := client.NewWebsocket()
	refused := make(chan bitvavo.MyError, 100)
	go func() {
		for e := range errs {
			refused <- e
		}
	}()
	seen := map[string]any{}
	orders, fills := ws.SubscriptionAccount(market)
	ticker, day := ws.SubscriptionTicker(market), ws.SubscriptionTicker24h(market)
	trades, candles := ws.SubscriptionTrades(market), ws.SubscriptionCandles(market, "1m")
	updates := ws.SubscriptionBookUpdate(market)
	// The answer says that the subscriptions before it are in force.
	seen["time"] = next(ws.Time())
	seen["markets"] = next(ws.Markets(body{}))
	seen["assets"] = next(ws.Assets(body{}))
	seen["book"] = next(ws.Book(market, body{"depth": "3"}))
	seen["publicTrades"] = next(ws.PublicTrades(market, body{"limit": "3"}))
	seen["candles"] = next(ws.Candles(market, "1h", body{"limit": "4"}))
	seen["tickerPrice"] = next(ws.TickerPrice(body{"market": market}))
	seen["tickerBook"] = next(ws.TickerBook(body{"market": market}))
	seen["ticker24h"] = next(ws.Ticker24h(body{"market": market}))

	byREST, err := client.PlaceOrder(market, "buy", "market", body{"amount": "0.01", "operatorId": "1"})
	must(err)
	seen["placedByREST"] = byREST
	seen["orderEvent"], seen["fillEvent"] = next(orders), next(fills)
	seen["tickerEvent"], seen["ticker24hEvent"] = next(ticker), next(day)
	seen["tradeEvent"], seen["candleEvent"], seen["bookEvent"] = next(trades), next(candles), next(updates)

	placed := next(ws.PlaceOrder(market, "buy", "limit", body{"amount": "0.1", "price": "40000", "operatorId": "1"}))
	seen["placed"] = placed
	seen["got"] = next(ws.GetOrder(market, placed.OrderId))
	seen["updated"] = next(ws.UpdateOrder(market, placed.OrderId, body{"price": "41000", "operatorId": "1"}))
	seen["open"] = next(ws.OrdersOpen(body{"market": market}))
	seen["canceled"] = next(ws.CancelOrder(market, placed.OrderId))
	seen["allCanceled"] = next(ws.CancelOrders(body{"market": market}))
	seen["orders"] = next(ws.GetOrders(market, body{"limit": "10"}))
	seen["trades"] = next(ws.Trades(market, body{}))
	seen["account"] = next(ws.Account())
	seen["balance"] = next(ws.Balance(body{}))
	seen["depositHistory"] = next(ws.DepositHistory(body{}))
	ws.GetOrder(market, "nobody")
	seen["refusal"] = next(refused).CustomError.Code
	ws.DepositAssets("BTC")
	seen["depositRefusal"] = next(refused).CustomError.Code
	text, err := json.Marshal(seen)
	must(err)
	fmt.Println(string(text))
}

func next[T any](c chan T) T {
	select {
	case v := <-c:
		letFinish()
		return v
	case <-time.After(20 * time.Second):
		var none T
		panic(fmt.Sprintf("no %T came", none))
	}
}

// letFinish waits until the client has left its last write: it writes from a
// goroutine per call and panics when an answer is quicker than that goroutine.
func letFinish() {
	stacks := make([]byte, 1<<20)
	for strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "sendPrivate") {
		runtime.Gosched()
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
