package paper

import (
	"time"

	"github.com/shopspring/decimal"
)

// marketState is one market at this moment.
type marketState struct {
	Market
	ticks   int64 // the tick size in units
	book    Book
	feed    feed
	origin  time.Time
	step    time.Duration
	steps   int64
	mid     int64 // units, on a tick
	source  int64 // what the feed says, also while pinned
	pinned  bool
	nonce   int64
	taken   map[bool]map[int]decimal.Decimal // by asks, by level
	history history
	tape    []publicTrade
	told    int64
	moved   bool   // since the last publish
	shown   *shown // nil while nobody listens
}

// publicTrade is one trade that everyone sees; price and amount in units.
type publicTrade struct {
	n, at, price, amount int64
	buy                  bool
}

const tapeLength = 1000

func newMarketState(m Market, cfg Config, origin time.Time) (*marketState, error) {
	f, err := cfg.Prices.open(m, cfg.Seed, origin, cfg.Step)
	if err != nil {
		return nil, err
	}
	s := &marketState{Market: m, ticks: unitsOf(m.tick()), book: cfg.Book, feed: f, origin: origin, step: cfg.Step,
		taken: map[bool]map[int]decimal.Decimal{true: {}, false: {}}}
	for _, b := range f.past() {
		s.history.bars = append(s.history.bars, s.rounded(b))
	}
	s.move(origin)
	return s, nil
}

// rounded puts a bar on the market's ticks.
func (s *marketState) rounded(b bar) bar {
	t := s.ticks
	b.open, b.high, b.low, b.close = onTick(b.open, t), onTick(b.high, t), onTick(b.low, t), onTick(b.close, t)
	return b
}

// advance takes every step that is due and calls moved after each.
func (s *marketState) advance(now time.Time, moved func(at time.Time)) {
	for due := int64(now.Sub(s.origin) / s.step); s.steps < due; {
		s.steps++
		at := s.origin.Add(time.Duration(s.steps) * s.step)
		s.move(at)
		if moved != nil {
			moved(at)
		}
	}
}

// move takes one step of the feed. A pinned market's feed moves on unseen.
func (s *marketState) move(at time.Time) {
	t := s.feed.next(at)
	s.source = onTick(t.price, s.ticks)
	if !s.pinned {
		s.mid = s.source
	}
	t.price = s.mid
	s.refresh()
	s.history.add(at, t)
	s.tell(at, t.price, t.volume, s.told%2 == 0)
}

// refresh forgets what takers took: the house quotes anew around the price.
func (s *marketState) refresh() {
	s.moved = true
	clear(s.taken[true])
	clear(s.taken[false])
}

// pin holds the price; an empty text lets it move again.
func (s *marketState) pin(price string) {
	s.pinned = price != ""
	s.mid = s.source
	if s.pinned {
		s.mid = onTick(unitsOf(number(price)), s.ticks)
	}
	s.refresh()
}

func (s *marketState) tell(at time.Time, price, amount int64, buy bool) {
	if amount <= 0 {
		return
	}
	s.told++
	s.moved = true
	s.tape = append(s.tape, publicTrade{s.told, at.UnixMilli(), price, amount, buy})
	if len(s.tape) > 2*tapeLength {
		s.tape = append(s.tape[:0], s.tape[len(s.tape)-tapeLength:]...)
	}
}

func (s *marketState) price() decimal.Decimal { return priceOf(s.mid) }

func (s *marketState) levels(asks bool) []level {
	return s.book.levels(s.Market, s.mid, asks, s.taken[asks])
}

// best is the first level of a side; false when everything is taken.
func (s *marketState) best(asks bool) (level, bool) {
	levels := s.levels(asks)
	if len(levels) == 0 {
		return level{}, false
	}
	return levels[0], true
}

func (s *marketState) consume(asks bool, m match) {
	s.taken[asks][m.index] = s.taken[asks][m.index].Add(m.amount)
	s.moved = true
}
