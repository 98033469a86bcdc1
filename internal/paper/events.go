package paper

import (
	"encoding/json"
	"fmt"
	"time"
)

// shown is how a market was when its subscribers were last told of it.
type shown struct {
	bids, asks []level
	best       bestView
	last       int64
	trades     int64
	candles    map[string][6]any
}

// watch remembers what a new subscriber's market is before it changes. The
// caller holds mu and has published what changed before.
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
