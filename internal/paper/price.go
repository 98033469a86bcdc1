package paper

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Prices is how the markets of an exchange move: RandomWalk or Replay.
type Prices interface {
	open(m Market, seed uint64, origin time.Time, step time.Duration) (feed, error)
}

// feed moves one market, one step after the other, from the exchange's birth.
// What it says depends on nothing but its settings and the number of steps.
type feed interface {
	// past is what had happened before the exchange was born, oldest first.
	past() []bar
	next(at time.Time) tick
}

// tick is one step: a price in units and what others traded at it.
type tick struct{ price, volume int64 }

// RandomWalk moves every step by up to about 1.7 times StepPPM millionths of the
// price, up or down alike.
type RandomWalk struct {
	// StepPPM is the standard deviation of a step; 0 means 50, near 1.5 % a day
	// with a step each second.
	StepPPM int64
}

const million = 1_000_000

type walk struct {
	price, span, volume int64
	rng                 *rand.Rand
	bars                []bar
}

func (w RandomWalk) open(m Market, seed uint64, origin time.Time, step time.Duration) (feed, error) {
	ppm := w.StepPPM
	if ppm <= 0 {
		ppm = 50
	}
	span := ppm * 173 / 100 // a uniform draw in ±√3σ has the deviation σ
	start := unitsOf(m.StartPrice)
	// About ten thousand of quote change hands per step.
	volume := min(unitsOf(number("10000").Div(m.StartPrice)), million*million)
	f := &walk{price: start, span: max(span, 1), volume: volume}
	f.bars = pastWalk(start, f.span, f.volume, origin, step, randomFor(m, seed, 1))
	f.rng = randomFor(m, seed, 2)
	return f, nil
}

func randomFor(m Market, seed, stream uint64) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(m.Name())) // never fails
	return rand.New(rand.NewPCG(seed, h.Sum64()+stream))
}

func (f *walk) past() []bar { return f.bars }

func (f *walk) next(time.Time) tick {
	f.price = nudge(f.price, f.span, f.rng)
	return tick{f.price, f.rng.Int64N(f.volume + 1)}
}

func nudge(price, spanPPM int64, rng *rand.Rand) int64 {
	d := rng.Int64N(2*spanPPM+1) - spanPPM
	return max(price+price/million*d+price%million*d/million, 1)
}

// pastSpans are the widths a made-up past consists of, newest first: minutes
// for five days, hours for sixty, days for two years.
var pastSpans = []struct {
	width time.Duration
	count int
}{{time.Minute, 7200}, {time.Hour, 1440}, {24 * time.Hour, 730}}

// pastWalk invents the bars before origin, walking backwards from its price.
func pastWalk(price, span, volume int64, origin time.Time, step time.Duration, rng *rand.Rand) []bar {
	var bars []bar
	end := origin.UnixMilli()
	for _, s := range pastSpans {
		width := s.width.Milliseconds()
		steps := max(width/max(step.Milliseconds(), 1), 1)
		wide := max(min(span*root(steps), million/20), 1)
		for range s.count {
			end -= width
			b := bar{start: end, close: price, volume: rng.Int64N(volume*min(steps, 100_000) + 1)}
			price = nudge(price, wide, rng)
			b.open = price
			b.high = max(b.open, b.close) + max(b.open, b.close)/million*rng.Int64N(wide/2+1)
			b.low = min(b.open, b.close) - min(b.open, b.close)/million*rng.Int64N(wide/2+1)
			bars = append(bars, b)
		}
	}
	reverse(bars)
	return bars
}

func reverse(bars []bar) {
	for i, j := 0, len(bars)-1; i < j; i, j = i+1, j-1 {
		bars[i], bars[j] = bars[j], bars[i]
	}
}

// root is the whole square root.
func root(n int64) int64 {
	r := int64(0)
	for (r+1)*(r+1) <= n {
		r++
	}
	return r
}
