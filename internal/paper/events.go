package paper

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// shown is how a market was when its subscribers were last told of it.
type shown struct {
	bids, asks []level
	best       bestView
	last       int64
	trades     int64
	candles    map[string][6]any
}

// watch remembers what a new subscriber's market is before it changes. The caller holds mu and has published what changed before.
func (e *Exchange) watch(sub subscription) {
	s, ok := e.markets[sub.market]
	if !ok || sub.channel == onAccount || sub.channel == onDay {
		return
	}
	if s.shown == nil {
		s.shown = s.look()
	}
	if sub.channel == onCandles {
		s.shown.candles[sub.interval], _ = e.candle(s, sub.interval)
	}
}

// forget stops comparing once nobody listens.
func (e *Exchange) forget() {
	for _, s := range e.markets {
		s.shown = nil
	}
}

func (s *marketState) look() *shown {
	return &shown{bids: s.levels(false), asks: s.levels(true), best: bestOf(s), last: s.mid, trades: s.told,
		candles: map[string][6]any{}}
}

// publish tells subscribers what changed in each market since it last did. It
// counts the change whether or not anyone listens. The caller holds mu.
func (e *Exchange) publish(now time.Time) {
	for _, m := range e.cfg.Markets {
		s := e.markets[m.Name()]
		if !s.moved {
			continue
		}
		s.moved = false
		s.nonce++
		if s.shown != nil {
			e.announce(s, now)
		}
	}
	if len(e.sessions) > 0 && now.Sub(e.dayTold).Abs() >= time.Second {
		e.dayTold = now
		e.announceDays(now)
	}
}

func (e *Exchange) announce(s *marketState, now time.Time) {
	before, after := s.shown, s.look()
	after.candles = before.candles
	s.shown = after
	e.tell(subscription{onBook, "", s.Name()}, func() any {
		return struct {
			Event string `json:"event"`
			bookView
		}{"book", bookView{s.Name(), s.nonce, s.changed(before.bids, after.bids), s.changed(before.asks, after.asks), now.UnixNano()}}
	})
	if v, news := tickerOf(before, after); news {
		v.Market = s.Name()
		e.tell(subscription{onTicker, "", s.Name()}, func() any { return v })
	}
	e.announceTrades(s, before.trades)
	e.announceCandles(s)
}

// changed lists the levels that are not as they were; one that is gone has size
// 0. Prices have all decimals of the tick, as the real exchange's have here and
// not in a snapshot: who compares texts finds out.
func (s *marketState) changed(before, after []level) [][2]string {
	padded := func(l level) string { return l.price.StringFixed(-s.tick().Exponent()) }
	rows := [][2]string{}
	was := map[string]string{}
	for _, l := range before {
		was[padded(l)] = l.size.String()
	}
	for _, l := range after {
		price, size := padded(l), l.size.String()
		if was[price] != size {
			rows = append(rows, [2]string{price, size})
		}
		delete(was, price)
	}
	for _, l := range before {
		if _, gone := was[padded(l)]; gone {
			rows = append(rows, [2]string{padded(l), "0"})
		}
	}
	return rows
}

// tickerEvent has only those fields that changed.
type tickerEvent struct {
	Event       string           `json:"event"`
	Market      string           `json:"market"`
	BestBid     *decimal.Decimal `json:"bestBid,omitempty"`
	BestBidSize *decimal.Decimal `json:"bestBidSize,omitempty"`
	BestAsk     *decimal.Decimal `json:"bestAsk,omitempty"`
	BestAskSize *decimal.Decimal `json:"bestAskSize,omitempty"`
	LastPrice   *decimal.Decimal `json:"lastPrice,omitempty"`
}

func tickerOf(before, after *shown) (v tickerEvent, news bool) {
	v.Event = "ticker"
	for _, f := range []struct {
		to        **decimal.Decimal
		was, here *decimal.Decimal
	}{
		{&v.BestBid, before.best.Bid, after.best.Bid}, {&v.BestBidSize, before.best.BidSize, after.best.BidSize},
		{&v.BestAsk, before.best.Ask, after.best.Ask}, {&v.BestAskSize, before.best.AskSize, after.best.AskSize},
		{&v.LastPrice, ref(priceOf(before.last)), ref(priceOf(after.last))},
	} {
		if f.here != nil && (f.was == nil || !f.was.Equal(*f.here)) {
			*f.to, news = f.here, true
		}
	}
	return v, news
}

func (e *Exchange) announceTrades(s *marketState, since int64) {
	for _, t := range s.tape {
		if t.n > since {
			e.tell(subscription{onTrades, "", s.Name()}, func() any {
				return struct {
					Event  string `json:"event"`
					Market string `json:"market"`
					publicTradeView
				}{"trade", s.Name(), e.viewPublicTrade(s, t)}
			})
		}
	}
}

// announceCandles tells the newest candle of each interval that changed.
func (e *Exchange) announceCandles(s *marketState) {
	for interval, before := range s.shown.candles {
		row, ok := e.candle(s, interval)
		if !ok || row == before {
			continue
		}
		s.shown.candles[interval] = row
		e.tell(subscription{onCandles, interval, s.Name()}, func() any {
			return struct {
				Event    string   `json:"event"`
				Market   string   `json:"market"`
				Interval string   `json:"interval"`
				Candle   [][6]any `json:"candle"`
			}{"candle", s.Name(), interval, [][6]any{row}}
		})
	}
}

// announceDays tells each subscriber the day of all its markets at once.
func (e *Exchange) announceDays(now time.Time) {
	for listener := range e.sessions {
		days := []any{}
		for _, sub := range sorted(listener.subs) {
			if sub.channel == onDay {
				days = append(days, e.viewDay(e.markets[sub.market], now))
			}
		}
		if len(days) > 0 {
			listener.push(frame{text: encoded(map[string]any{"event": "ticker24h", "data": days})})
		}
	}
}

// encoded is what a socket sends of a value of ours: that it cannot be written
// as JSON is a mistake in this package.
func encoded(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("paper: encode %T: %w", v, err))
	}
	return text
}

// tell queues an event for whoever subscribed to it.
func (e *Exchange) tell(of subscription, event func() any) {
	var text []byte
	for listener := range e.sessions {
		if !listener.subs[of] {
			continue
		}
		if text == nil {
			text = encoded(event())
		}
		listener.push(frame{text: text})
	}
}

// orderEvent is an order without its fills: those are events of their own.
type orderEvent struct {
	Event string `json:"event"`
	orderView
	Fills *struct{} `json:"fills,omitempty"`
}

type fillEvent struct {
	Event         string           `json:"event"`
	Timestamp     int64            `json:"timestamp"`
	Market        string           `json:"market"`
	OrderID       string           `json:"orderId"`
	ClientOrderID string           `json:"clientOrderId,omitempty"`
	FillID        string           `json:"fillId"`
	Side          string           `json:"side"`
	Amount        decimal.Decimal  `json:"amount"`
	Price         decimal.Decimal  `json:"price"`
	Taker         bool             `json:"taker"`
	Fee           *decimal.Decimal `json:"fee,omitempty"`
	FeeCurrency   string           `json:"feeCurrency,omitempty"`
	OperatorID    int64            `json:"operatorId"`
}

// tellOrder tells an order's account how it is now and what it filled since it
// was last told. A hidden order stays untold as long as reads do not show it.
func (e *Exchange) tellOrder(o *order) {
	now := e.now()
	if o.fate.hide > 0 && !e.visible(o, now) {
		return
	}
	fresh := o.Fills[o.told:]
	o.told = len(o.Fills)
	var frames []frame
	for listener := range e.sessions {
		if !listener.hears(o) {
			continue
		}
		if frames == nil {
			frames = e.orderFrames(o, fresh, now)
		}
		for _, f := range frames {
			listener.push(f)
		}
	}
}

func (s *session) hears(o *order) bool {
	return s.key != nil && s.key.may(View) && s.key.Account == o.Account &&
		(s.subs[subscription{onAccount, "", o.Market}] || s.subs[subscription{onAccount, "", everyMarket}])
}

func (e *Exchange) orderFrames(o *order, fresh []fill, now time.Time) []frame {
	events := []any{orderEvent{Event: "order", orderView: e.view(o, now)}}
	for _, f := range fresh {
		v := e.viewTrade(o, f, now)
		events = append(events, fillEvent{"fill", v.Timestamp, v.Market, v.OrderID, v.ClientOrderID, v.ID, v.Side,
			v.Amount, v.Price, v.Taker, v.Fee, v.FeeCurrency, v.OperatorID})
	}
	frames := make([]frame, 0, len(events))
	for _, event := range events {
		frames = append(frames, frame{text: encoded(event), durable: true})
	}
	return frames
}
