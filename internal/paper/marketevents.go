package paper

import (
	"time"

	"github.com/shopspring/decimal"
)

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
