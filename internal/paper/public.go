package paper

import (
	"math"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

// marketView is a market as the live exchange shows it: sizes are strings,
// counts of decimals numbers, and pricePrecision is always null.
type marketView struct {
	Market               string   `json:"market"`
	Status               string   `json:"status"`
	Base                 string   `json:"base"`
	Quote                string   `json:"quote"`
	PricePrecision       *int     `json:"pricePrecision"`
	TickSize             string   `json:"tickSize"`
	MinOrderInBaseAsset  string   `json:"minOrderInBaseAsset"`
	MinOrderInQuoteAsset string   `json:"minOrderInQuoteAsset"`
	MaxOrderInBaseAsset  string   `json:"maxOrderInBaseAsset"`
	MaxOrderInQuoteAsset string   `json:"maxOrderInQuoteAsset"`
	QuantityDecimals     int32    `json:"quantityDecimals"`
	NotionalDecimals     int32    `json:"notionalDecimals"`
	MaxOpenOrders        int      `json:"maxOpenOrders"`
	FeeCategory          string   `json:"feeCategory"`
	OrderTypes           []string `json:"orderTypes"`
}

func viewMarket(s *marketState, _ time.Time) any {
	m := s.Market
	return marketView{
		Market: m.Name(), Status: m.Status, Base: m.Base, Quote: m.Quote, TickSize: m.TickSize,
		MinOrderInBaseAsset: m.MinBase, MinOrderInQuoteAsset: m.MinQuote,
		MaxOrderInBaseAsset: m.MaxBase, MaxOrderInQuoteAsset: m.MaxQuote,
		QuantityDecimals: m.QuantityDecimals, NotionalDecimals: m.NotionalDecimals,
		MaxOpenOrders: m.MaxOpenOrders, FeeCategory: "A", OrderTypes: []string{typeMarket, typeLimit},
	}
}

// perMarket answers one object for a named market and a list otherwise, or
// always a list.
func (e *Exchange) perMarket(r *request, view func(*marketState, time.Time) any) (any, error) {
	market := r.query.text("market")
	if r.query.err != nil {
		return nil, r.query.err
	}
	return e.look(func(now time.Time) (any, error) {
		states, err := e.selected(market)
		if err != nil {
			return nil, err
		}
		rows := make([]any, 0, len(states))
		for _, s := range states {
			rows = append(rows, view(s, now))
		}
		if market != "" && !e.cfg.Options.AlwaysLists {
			return rows[0], nil
		}
		return rows, nil
	})
}

func (e *Exchange) getMarkets(r *request) (any, error)     { return e.perMarket(r, viewMarket) }
func (e *Exchange) getTickerPrice(r *request) (any, error) { return e.perMarket(r, viewPrice) }
func (e *Exchange) getTickerBook(r *request) (any, error)  { return e.perMarket(r, viewBest) }
func (e *Exchange) getTicker24h(r *request) (any, error)   { return e.perMarket(r, e.viewDay) }

func viewPrice(s *marketState, _ time.Time) any {
	return map[string]string{"market": s.Name(), "price": s.price().String()}
}

// bestView has no bid or ask where that side is empty.
type bestView struct {
	Market  string           `json:"market"`
	Bid     *decimal.Decimal `json:"bid"`
	BidSize *decimal.Decimal `json:"bidSize"`
	Ask     *decimal.Decimal `json:"ask"`
	AskSize *decimal.Decimal `json:"askSize"`
}

func bestOf(s *marketState) bestView {
	v := bestView{Market: s.Name()}
	if l, ok := s.best(false); ok {
		v.Bid, v.BidSize = &l.price, &l.size
	}
	if l, ok := s.best(true); ok {
		v.Ask, v.AskSize = &l.price, &l.size
	}
	return v
}

func viewBest(s *marketState, _ time.Time) any { return bestOf(s) }

type dayView struct {
	bestView
	StartTimestamp int64           `json:"startTimestamp"`
	Timestamp      int64           `json:"timestamp"`
	Open           decimal.Decimal `json:"open"`
	OpenTimestamp  int64           `json:"openTimestamp"`
	High           decimal.Decimal `json:"high"`
	Low            decimal.Decimal `json:"low"`
	Last           decimal.Decimal `json:"last"`
	CloseTimestamp int64           `json:"closeTimestamp"`
	Volume         decimal.Decimal `json:"volume"`
	VolumeQuote    decimal.Decimal `json:"volumeQuote"`
}

// viewDay sums up the last 24 hours. The volume in quote is reckoned at the last price.
func (e *Exchange) viewDay(s *marketState, now time.Time) any {
	start, offset := now.Add(-day).UnixMilli(), e.offset().Milliseconds()
	b := s.history.since(start - offset)
	volume := priceOf(b.volume)
	return dayView{bestView: bestOf(s), StartTimestamp: start, Timestamp: now.UnixMilli(),
		Open: priceOf(b.open), OpenTimestamp: b.start + offset, High: priceOf(b.high), Low: priceOf(b.low),
		Last: s.price(), CloseTimestamp: now.UnixMilli(), Volume: volume,
		VolumeQuote: volume.Mul(s.price()).Truncate(s.NotionalDecimals)}
}

// assetView is one row of the asset list.
type assetView struct {
	Symbol               string   `json:"symbol"`
	Name                 string   `json:"name"`
	Decimals             int      `json:"decimals"`
	DepositFee           string   `json:"depositFee"`
	DepositConfirmations int      `json:"depositConfirmations"`
	DepositStatus        string   `json:"depositStatus"`
	WithdrawalFee        string   `json:"withdrawalFee"`
	WithdrawalMinAmount  string   `json:"withdrawalMinAmount"`
	WithdrawalStatus     string   `json:"withdrawalStatus"`
	Networks             []string `json:"networks"`
	Message              string   `json:"message"`
}

func (e *Exchange) getAssets(r *request) (any, error) {
	symbol := r.query.text("symbol")
	if r.query.err != nil {
		return nil, r.query.err
	}
	rows := []assetView{}
	for _, a := range e.cfg.Assets {
		v := assetView{a.Symbol, a.Name, a.Decimals, "0", a.Confirmations, "OK", a.WithdrawalFee, a.WithdrawalMin, "OK", a.Networks, ""}
		if a.Symbol == symbol && !e.cfg.Options.AlwaysLists {
			return v, nil
		}
		if a.Symbol == symbol {
			return []assetView{v}, nil
		}
		rows = append(rows, v)
	}
	if symbol != "" {
		return nil, refusef(codeInvalid, "symbol parameter %s is invalid.", symbol)
	}
	return rows, nil
}

// bookView is the made-up book; its timestamp counts nanoseconds.
type bookView struct {
	Market    string      `json:"market"`
	Nonce     int64       `json:"nonce"`
	Bids      [][2]string `json:"bids"`
	Asks      [][2]string `json:"asks"`
	Timestamp int64       `json:"timestamp"`
}

func (e *Exchange) getBook(r *request) (any, error) {
	depth := r.query.integer("depth", 1, 1000, 1000)
	if r.query.err != nil {
		return nil, r.query.err
	}
	return e.look(func(now time.Time) (any, error) {
		s, err := e.market(r.market)
		if err != nil {
			return nil, err
		}
		if s.Status == "halted" {
			return nil, refusef(codeNoMarketData, "getBook is not available for %s in state HALTED", s.Name())
		}
		return bookView{s.Name(), s.nonce, rungs(s.levels(false), depth), rungs(s.levels(true), depth), now.UnixNano()}, nil
	})
}

func rungs(levels []level, depth int64) [][2]string {
	rows := make([][2]string, 0, len(levels))
	for _, l := range levels[:min(int64(len(levels)), depth)] {
		rows = append(rows, [2]string{l.price.String(), l.size.String()})
	}
	return rows
}

type publicTradeView struct {
	ID        string          `json:"id"`
	Timestamp int64           `json:"timestamp"`
	Amount    decimal.Decimal `json:"amount"`
	Price     decimal.Decimal `json:"price"`
	Side      string          `json:"side"`
}

func (e *Exchange) getPublicTrades(r *request) (any, error) {
	q := r.query
	s := readSpan(q, "tradeId")
	if q.has("start") && q.has("end") && (s.end < s.start || s.end-s.start > day.Milliseconds()) {
		q.fail(invalid("end"))
	}
	if q.err != nil {
		return nil, q.err
	}
	return e.look(func(time.Time) (any, error) {
		m, err := e.market(r.market)
		if err != nil {
			return nil, err
		}
		rows := make([]publicTradeView, 0, len(m.tape))
		for _, t := range slices.Backward(m.tape) {
			rows = append(rows, e.viewPublicTrade(m, t))
		}
		return cut(s, rows, func(t publicTradeView) int64 { return t.Timestamp },
			func(t publicTradeView) string { return t.ID }, e.cfg.Options.ExclusivePaging), nil
	})
}

func (e *Exchange) viewPublicTrade(s *marketState, t publicTrade) publicTradeView {
	side := sell
	if t.buy {
		side = buy
	}
	return publicTradeView{e.identity("trade", s.Name(), t.n), t.at + e.offset().Milliseconds(), priceOf(t.amount), priceOf(t.price), side}
}

func (e *Exchange) getCandles(r *request) (any, error) {
	q := r.query
	q.need("interval")
	start, known := intervalStart(q.text("interval"))
	if !known {
		q.fail(invalid("interval"))
	}
	limit := q.integer("limit", 1, 1440, 1440)
	from, to := q.integer("start", 0, math.MaxInt64, 0), q.integer("end", 0, math.MaxInt64, math.MaxInt64)
	if q.err != nil {
		return nil, q.err
	}
	return e.look(func(time.Time) (any, error) {
		s, err := e.market(r.market)
		if err != nil {
			return nil, err
		}
		return e.candles(s, start, from, to, int(limit)), nil
	})
}

func (e *Exchange) candles(s *marketState, start func(int64) int64, from, to int64, limit int) [][6]any {
	rows := [][6]any{}
	offset := e.offset().Milliseconds()
	onClock := func(at int64) int64 { return start(at + offset) }
	for _, b := range s.history.candles(onClock, from, to, limit) {
		rows = append(rows, b.row())
	}
	return rows
}

// candle is the newest one of an interval.
func (e *Exchange) candle(s *marketState, interval string) ([6]any, bool) {
	start, known := intervalStart(interval)
	if !known {
		return [6]any{}, false
	}
	rows := e.candles(s, start, 0, math.MaxInt64, 1)
	if len(rows) == 0 {
		return [6]any{}, false
	}
	return rows[0], true
}

// row is a number and five strings: other shapes crash older clients.
func (b bar) row() [6]any {
	return [6]any{b.start, unitText(b.open), unitText(b.high), unitText(b.low), unitText(b.close), unitText(b.volume)}
}

func unitText(units int64) string { return priceOf(units).String() }
