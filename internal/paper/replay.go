package paper

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Candle is one recorded row.
type Candle struct {
	Start                          time.Time
	Open, High, Low, Close, Volume decimal.Decimal
}

// Replay moves the markets along recorded candles. Past the last candle the
// price stays where the record ends.
type Replay struct {
	Candles []Candle
	// Market is whose record it is: that market moves at the recorded prices,
	// every other in proportion from its own StartPrice.
	Market string
	// Speed is how many seconds of the record pass in one second; 0 means 1.
	Speed int64
	// From is where the replay begins; earlier candles become the past. The
	// zero time is the first candle.
	From time.Time
}

type replay struct {
	bars   []bar
	first  int
	width  int64
	from   int64
	origin int64
	speed  int64
	step   int64
}

func (r Replay) open(m Market, _ uint64, origin time.Time, step time.Duration) (feed, error) {
	if len(r.Candles) < 2 {
		return nil, errors.New("replay: want at least two candles")
	}
	first := 0
	if !r.From.IsZero() {
		first = slices.IndexFunc(r.Candles, func(c Candle) bool { return !c.Start.Before(r.From) })
	}
	if first < 0 {
		return nil, fmt.Errorf("replay: no candle from %s on", r.From.Format(time.RFC3339))
	}
	scale := decimal.NewFromInt(1)
	if m.Name() != r.Market {
		scale = m.StartPrice.Div(r.Candles[first].Open)
	}
	f := &replay{first: first, origin: origin.UnixMilli(), speed: max(r.Speed, 1), step: step.Milliseconds(),
		from: r.Candles[first].Start.UnixMilli(), bars: scaled(r.Candles, scale)}
	f.width = f.bars[1].start - f.bars[0].start
	return f, nil
}

func scaled(candles []Candle, by decimal.Decimal) []bar {
	bars := make([]bar, len(candles))
	price := func(d decimal.Decimal) int64 { return max(unitsOf(d.Mul(by)), 1) }
	for i, c := range candles {
		bars[i] = bar{c.Start.UnixMilli(), price(c.Open), price(c.High), price(c.Low), price(c.Close),
			unitsOf(c.Volume.Div(by))}
	}
	return bars
}

// past is the record before the beginning, moved so that it ends at the birth.
func (f *replay) past() []bar {
	bars := slices.Clone(f.bars[:f.first])
	for i := range bars {
		bars[i].start += f.origin - f.from
	}
	return bars
}

func (f *replay) next(at time.Time) tick {
	now := f.from + (at.UnixMilli()-f.origin)*f.speed
	i, exact := slices.BinarySearchFunc(f.bars, now, func(b bar, t int64) int { return int(b.start - t) })
	if !exact {
		i = max(i-1, 0)
	}
	b := f.bars[i]
	traded := b.volume / max(f.width/max(f.step*f.speed, 1), 1)
	return tick{b.along(now-b.start, f.width), traded}
}

// along is the price within a bar: from the open over the nearer extreme and
// the farther one to the close, a third of the time each.
func (b bar) along(passed, width int64) int64 {
	path := [4]int64{b.open, b.low, b.high, b.close}
	if b.close < b.open {
		path[1], path[2] = b.high, b.low
	}
	if passed >= width {
		return b.close
	}
	third := max(width/3, 1)
	leg := min(passed/third, 2)
	return path[leg] + (path[leg+1]-path[leg])/1000*((passed-leg*third)*1000/third)
}

// ReadCandles reads a CSV whose first line names its columns: timestamp_ms (or
// timestamp, time, open_time), open, high, low, close and perhaps volume, in
// any order. It fails on a row that is no candle or not later than the one before.
func ReadCandles(r io.Reader) ([]Candle, error) {
	rows := csv.NewReader(r)
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("candles: header: %w", err)
	}
	columns, err := candleColumns(header)
	if err != nil {
		return nil, err
	}
	var candles []Candle
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return candles, nil
		}
		if err != nil {
			return nil, fmt.Errorf("candles: %w", err)
		}
		c, err := parseCandle(row, columns)
		if err == nil && len(candles) > 0 && !c.Start.After(candles[len(candles)-1].Start) {
			err = errors.New("not later than the row before")
		}
		if err != nil {
			return nil, fmt.Errorf("candles: row %d: %w", len(candles)+1, err)
		}
		candles = append(candles, c)
	}
}

// candleColumns finds time, open, high, low, close and volume; the last may be -1.
func candleColumns(header []string) (columns [6]int, err error) {
	names := [6][]string{{"timestamp_ms", "timestamp", "time", "open_time"}, {"open"}, {"high"}, {"low"}, {"close"}, {"volume"}}
	for i, known := range names {
		columns[i] = slices.IndexFunc(header, func(h string) bool {
			return slices.Contains(known, strings.ToLower(strings.TrimSpace(h)))
		})
		if columns[i] < 0 && i < 5 {
			return columns, fmt.Errorf("candles: no column %s in %q", known[0], header)
		}
	}
	return columns, nil
}

func parseCandle(row []string, columns [6]int) (Candle, error) {
	var v [6]decimal.Decimal
	for i, column := range columns {
		if column < 0 {
			continue
		}
		text := strings.TrimSpace(row[column])
		// Recorded volumes carry the digits of floating point; more are no candle.
		if len(text) > 40 || strings.ContainsAny(text, "eE") {
			return Candle{}, fmt.Errorf("%q is no plain number", text)
		}
		d, err := decimal.NewFromString(text)
		if err != nil || d.IsNegative() || d.GreaterThan(decimal.New(1, 14)) {
			return Candle{}, fmt.Errorf("%q is out of range", text)
		}
		v[i] = d
	}
	c := Candle{candleTime(v[0].IntPart()), v[1], v[2], v[3], v[4], v[5].Truncate(unitDecimals)}
	bottom, top := decimal.Min(c.Open, c.Close), decimal.Max(c.Open, c.Close)
	if !c.Low.IsPositive() || c.Low.GreaterThan(bottom) || c.High.LessThan(top) || c.High.GreaterThan(highest) {
		return Candle{}, errors.New("prices do not fit each other")
	}
	return c, nil
}

// candleTime takes seconds and milliseconds apart by their size.
func candleTime(n int64) time.Time {
	if n < 100_000_000_000 {
		return time.Unix(n, 0)
	}
	return time.UnixMilli(n)
}
