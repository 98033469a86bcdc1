package paper

import "github.com/shopspring/decimal"

// bpsOne is half of a price in hundredths of a percent, so that half a spread
// stays a whole number: price * bps / (2 * 10000).
const bpsOne = 10_000

// level is one price of the made-up book; index counts from the best.
type level struct {
	price, size decimal.Decimal
	index       int
}

// levels builds one side of the book around a price (in units), best first,
// less what was taken of each level since the price last moved.
func (b Book) levels(m Market, mid int64, asks bool, taken map[int]decimal.Decimal) []level {
	tick := unitsOf(m.tick())
	levels := make([]level, 0, b.Levels)
	last := int64(0)
	for i := range b.Levels {
		units := b.levelPrice(mid, tick, int64(i), asks)
		if i > 0 { // a coarse tick must not put two levels at one price
			units = apart(units, last, tick, asks)
		}
		if units <= 0 {
			break
		}
		last = units
		price := priceOf(units)
		size := b.DepthQuote.DivRound(price, m.QuantityDecimals+1).Truncate(m.QuantityDecimals).Sub(taken[i])
		if size.IsPositive() {
			levels = append(levels, level{price, size, i})
		}
	}
	return levels
}

func (b Book) levelPrice(mid, tick, i int64, asks bool) int64 {
	away := b.SpreadBps + 2*i*b.LevelGapBps
	// Split, so that large prices do not overflow.
	offset := mid/(2*bpsOne)*away + mid%(2*bpsOne)*away/(2*bpsOne)
	if asks {
		return (mid + offset + tick - 1) / tick * tick
	}
	return (mid - offset) / tick * tick
}

func apart(units, last, tick int64, asks bool) int64 {
	if asks {
		return max(units, last+tick)
	}
	return min(units, last-tick)
}

// match is what an order trades with one level.
type match struct {
	price, amount decimal.Decimal
	index         int
}

// want is what an order asks of the book: amount of base, or quote to spend or
// to receive, no worse than limit where one is given.
type want struct {
	buy                  bool
	amount, quote, limit decimal.Decimal
	fee                  decimal.Decimal
	decimals, cents      int32
}

// plan is what the book gives: the matches, whether they cover all that was
// wanted, and whether the price ran away before they could.
type plan struct {
	matches   []match
	done      bool
	protected bool
}

// protection is how far from the best price an order may trade.
var protection = decimal.New(10, -2)

// take plans what w trades with the levels, best first. It changes nothing.
func take(levels []level, w want) plan {
	var p plan
	for _, l := range levels {
		if w.outOfLimit(l.price) {
			return p
		}
		if l.price.Sub(levels[0].price).Abs().GreaterThan(levels[0].price.Mul(protection)) {
			p.protected = true
			return p
		}
		ask := w.ask(l.price)
		amount := decimal.Min(ask, l.size)
		if amount.IsPositive() {
			p.matches = append(p.matches, match{l.price, amount, l.index})
			w.reduce(l.price, amount)
		}
		if ask.LessThanOrEqual(l.size) {
			p.done = true
			return p
		}
	}
	return p
}

func (w *want) outOfLimit(price decimal.Decimal) bool {
	if w.limit.IsZero() {
		return false
	}
	if w.buy {
		return price.GreaterThan(w.limit)
	}
	return price.LessThan(w.limit)
}

// ask is how much base w still wants at a price. A buyer's quote pays the fee too.
func (w *want) ask(price decimal.Decimal) decimal.Decimal {
	if w.quote.IsZero() {
		return w.amount
	}
	if w.buy {
		price = price.Mul(decimal.NewFromInt(1).Add(w.fee))
	}
	amount, _ := w.quote.QuoRem(price, w.decimals)
	return amount
}

func (w *want) reduce(price, amount decimal.Decimal) {
	if w.quote.IsZero() {
		w.amount = w.amount.Sub(amount)
		return
	}
	gross := price.Mul(amount)
	if w.buy {
		gross = gross.Add(feeFor(w.buy, gross, w.fee, w.cents))
	}
	w.quote = w.quote.Sub(gross)
}

// feeFor is the fee on a gross amount of quote. It is bent so that what the
// owner pays or gets lands on whole cents: a buyer's total and a seller's
// proceeds are both cut. A buyer's fee is never negative and never above the
// rate, so a hold of gross and rate always covers it.
func feeFor(buy bool, gross, rate decimal.Decimal, cents int32) decimal.Decimal {
	raw := gross.Mul(rate)
	if buy {
		return decimal.Max(gross.Add(raw).Truncate(cents).Sub(gross), decimal.Zero)
	}
	return gross.Sub(gross.Sub(raw).Truncate(cents))
}
