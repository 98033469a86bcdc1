package paper

import (
	"slices"
	"time"
)

// bar is what one market did from start (ms) on; prices and volume in units.
type bar struct {
	start                          int64
	open, high, low, close, volume int64
}

func (b *bar) merge(later bar) {
	b.high, b.low = max(b.high, later.high), min(b.low, later.low)
	b.close = later.close
	b.volume += later.volume
}

// history is everything a market did, oldest first: minutes since the birth of
// the exchange, wider bars before.
type history struct{ bars []bar }

func (h *history) add(at time.Time, t tick) {
	b := bar{at.Truncate(time.Minute).UnixMilli(), t.price, t.price, t.price, t.price, t.volume}
	if last := len(h.bars) - 1; last >= 0 && h.bars[last].start >= b.start {
		h.bars[last].merge(b)
		return
	}
	h.bars = append(h.bars, b)
}

// candles gathers bars into intervals, newest first, of those that start in [from, to].
func (h *history) candles(start func(int64) int64, from, to int64, limit int) []bar {
	var out []bar
	for _, b := range slices.Backward(h.bars) {
		at := start(b.start)
		if at > to {
			continue
		}
		if n := len(out); n > 0 && out[n-1].start == at {
			out[n-1].prepend(b)
			continue
		}
		if at < from || len(out) == limit {
			break
		}
		b.start = at
		out = append(out, b)
	}
	return out
}

func (b *bar) prepend(earlier bar) {
	b.high, b.low = max(b.high, earlier.high), min(b.low, earlier.low)
	b.open = earlier.open
	b.volume += earlier.volume
}

// since gathers every bar from a moment on into one, at least the last.
func (h *history) since(from int64) bar {
	i, _ := slices.BinarySearchFunc(h.bars, from, func(b bar, t int64) int { return int(b.start - t) })
	if i == len(h.bars) {
		i--
	}
	sum := h.bars[i]
	for _, b := range h.bars[i+1:] {
		sum.merge(b)
	}
	return sum
}

const day = 24 * time.Hour

var fixedIntervals = map[string]time.Duration{
	"1m": time.Minute, "5m": 5 * time.Minute, "15m": 15 * time.Minute, "30m": 30 * time.Minute,
	"1h": time.Hour, "2h": 2 * time.Hour, "4h": 4 * time.Hour, "6h": 6 * time.Hour,
	"8h": 8 * time.Hour, "12h": 12 * time.Hour, "1d": day,
}

// intervalStart says when the candle of an interval that holds a moment began:
// weeks on Monday, months on their first, all in UTC.
func intervalStart(name string) (func(int64) int64, bool) {
	if d, ok := fixedIntervals[name]; ok {
		return func(ms int64) int64 { return ms - ms%d.Milliseconds() }, true
	}
	switch name {
	case "1W":
		return weekStart, true
	case "1M":
		return monthStart, true
	}
	return nil, false
}

func weekStart(ms int64) int64 {
	t := time.UnixMilli(ms).UTC().Truncate(day)
	return t.AddDate(0, 0, -(int(t.Weekday())+6)%7).UnixMilli()
}

func monthStart(ms int64) int64 {
	t := time.UnixMilli(ms).UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC).UnixMilli()
}
