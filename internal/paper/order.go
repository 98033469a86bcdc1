package paper

import (
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

const (
	buy  = "buy"
	sell = "sell"

	typeMarket = "market"
	typeLimit  = "limit"

	untilCancelled    = "GTC"
	immediateOrCancel = "IOC"
	fillOrKill        = "FOK"

	isNew             = "new"
	isPartly          = "partiallyFilled"
	isFilled          = "filled"
	isCanceled        = "canceled"
	isCanceledIOC     = "canceledIOC"
	isCanceledFOK     = "canceledFOK"
	isCanceledPost    = "canceledPostOnly"
	isCanceledProtect = "canceledMarketProtection"
)

// order is one line of the exchange's own ledger, as the state file keeps it.
type order struct {
	Seq           int64           `json:"seq"`
	Account       string          `json:"account"`
	ID            string          `json:"orderId"`
	ClientOrderID string          `json:"clientOrderId,omitempty"`
	Market        string          `json:"market"`
	Side          string          `json:"side"`
	Type          string          `json:"orderType"`
	Created       int64           `json:"created"`
	Updated       int64           `json:"updated"`
	Status        string          `json:"status"`
	Amount        decimal.Decimal `json:"amount"`      // zero when given in quote
	Quote         decimal.Decimal `json:"amountQuote"` // zero when given in base
	Price         decimal.Decimal `json:"price"`
	TimeInForce   string          `json:"timeInForce,omitempty"`
	PostOnly      bool            `json:"postOnly,omitempty"`
	SelfTrade     string          `json:"selfTradePrevention"`
	OperatorID    int64           `json:"operatorId"`
	Hold          decimal.Decimal `json:"onHold"`
	Restatement   string          `json:"restatementReason,omitempty"`
	Fills         []fill          `json:"fills"`
	// Skew is how far off (ms) the clock was that stamped the creation.
	Skew int64 `json:"clockOffset,omitempty"`
	// Repeats says that other markets may have an order of this id.
	Repeats bool `json:"repeatedId,omitempty"`

	fate fate
	// told is how many fills subscribers were told of.
	told int
}

// fill is one trade of an order. Seq orders the fills of the whole exchange.
type fill struct {
	Seq    int64           `json:"seq"`
	ID     string          `json:"id"`
	At     int64           `json:"timestamp"`
	Amount decimal.Decimal `json:"amount"`
	Price  decimal.Decimal `json:"price"`
	Taker  bool            `json:"taker"`
	Fee    decimal.Decimal `json:"fee"`
	Skew   int64           `json:"clockOffset,omitempty"`
}

func (o *order) open() bool { return o.Status == isNew || o.Status == isPartly }

func (o *order) buys() bool { return o.Side == buy }

// filled sums up what the order traded.
func (o *order) filled() (base, quote, fees decimal.Decimal) {
	for _, f := range o.Fills {
		base = base.Add(f.Amount)
		quote = quote.Add(f.Amount.Mul(f.Price))
		fees = fees.Add(f.Fee)
	}
	return base, quote, fees
}

func (o *order) remaining() decimal.Decimal {
	base, _, _ := o.filled()
	return o.Amount.Sub(base)
}

// quoteRemaining is what is left of an amount in quote: a buyer's pays fees too.
func (o *order) quoteRemaining() decimal.Decimal {
	_, quote, fees := o.filled()
	if o.buys() {
		quote = quote.Add(fees)
	}
	return o.Quote.Sub(quote)
}

// holdAsset is what the order takes from its owner.
func (o *order) holdAsset(m Market) string {
	if o.buys() {
		return m.Quote
	}
	return m.Base
}

// orderLog finds orders. It keeps every order for ever.
type orderLog struct {
	all      []*order
	byID     map[string]*order
	byClient map[string]*order
	lists    map[string][]*order
	open     map[string][]*order
	fills    int64
	perMkt   map[string]int64
	repeats  map[string]int64
}

func newOrderLog() *orderLog {
	return &orderLog{byID: map[string]*order{}, byClient: map[string]*order{},
		lists: map[string][]*order{}, open: map[string][]*order{},
		perMkt: map[string]int64{}, repeats: map[string]int64{}}
}

func joined(parts ...string) string { return strings.Join(parts, "|") }

// put files a new order, or the newer state of one that is known by its number.
func (l *orderLog) put(o *order) {
	if o.Seq <= int64(len(l.all)) {
		known := l.all[o.Seq-1]
		if known != o {
			*known = *o
		}
		l.count(known)
		return
	}
	l.all = append(l.all, o)
	l.perMkt[o.Market]++
	if o.Repeats {
		l.repeats[o.Market]++
	}
	l.byID[joined(o.Account, o.Market, o.ID)] = o
	if o.ClientOrderID != "" {
		l.byClient[joined(o.Account, o.Market, o.ClientOrderID)] = o
	}
	list := joined(o.Account, o.Market)
	l.lists[list] = append(l.lists[list], o)
	l.count(o)
}

// count keeps the list of open orders and the number of the last fill.
func (l *orderLog) count(o *order) {
	listed := slices.Contains(l.open[o.Market], o)
	switch {
	case o.open() && !listed:
		l.open[o.Market] = append(l.open[o.Market], o)
	case !o.open() && listed:
		l.open[o.Market] = slices.DeleteFunc(l.open[o.Market], func(other *order) bool { return other == o })
	}
	for _, f := range o.Fills {
		l.fills = max(l.fills, f.Seq)
	}
}

// find looks an order up; a client order id wins over an order id, and its
// newest bearer over older ones.
func (l *orderLog) find(account, market, id, clientOrderID string) (*order, bool) {
	if clientOrderID != "" {
		o, ok := l.byClient[joined(account, market, clientOrderID)]
		return o, ok
	}
	o, ok := l.byID[joined(account, market, id)]
	return o, ok
}

// openOf lists the open orders of an account in a market, oldest first.
func (l *orderLog) openOf(account, market string) []*order {
	var own []*order
	for _, o := range l.open[market] {
		if o.Account == account {
			own = append(own, o)
		}
	}
	return own
}
