package trade

import (
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// OrderStatus is the exchange's word for where an order is.
type OrderStatus string

// orderFinal says of every status known of the exchange whether it is final;
// the last two come from other clients' lists, not from its documentation. A
// status that is not listed is ambiguous: never final, never an error.
var orderFinal = map[OrderStatus]bool{
	"new":                         false,
	"awaitingTrigger":             false,
	"partiallyFilled":             false,
	"filled":                      true,
	"canceled":                    true,
	"canceledAuction":             true,
	"canceledSelfTradePrevention": true,
	"canceledIOC":                 true,
	"canceledFOK":                 true,
	"canceledMarketProtection":    true,
	"canceledPostOnly":            true,
	"expired":                     true,
	"rejected":                    true,
}

// Final reports whether the order can no longer change, except for fills that
// settle late.
func (s OrderStatus) Final() bool { return orderFinal[s] }

// Known reports whether s is a status we know the meaning of.
func (s OrderStatus) Known() bool { _, known := orderFinal[s]; return known }

// Order is what the exchange says of an order.
type Order struct {
	OrderID           string          `json:"orderId"`
	ClientOrderID     string          `json:"clientOrderId,omitempty"`
	Market            Market          `json:"market"`
	Side              Side            `json:"side"`
	OrderType         string          `json:"orderType"`
	Status            OrderStatus     `json:"status"`
	Amount            decimal.Decimal `json:"amount"`      // base asset; zero when the order was given in quote
	AmountQuote       decimal.Decimal `json:"amountQuote"` // quote asset; zero when it was given in base
	Price             decimal.Decimal `json:"price"`       // zero for market orders
	FilledAmount      decimal.Decimal `json:"filledAmount"`
	FilledAmountQuote decimal.Decimal `json:"filledAmountQuote"`
	FeePaid           decimal.Decimal `json:"feePaid"`
	FeeCurrency       string          `json:"feeCurrency,omitempty"`
	Fills             []Fill          `json:"fills,omitempty"`
	OperatorID        int64           `json:"operatorId,omitempty"`
	CreatedAt         time.Time       `json:"createdAt"` // exchange clock
	UpdatedAt         time.Time       `json:"updatedAt"` // exchange clock
}

// Settled reports whether every fill has its fee, and the fills add up to what
// the order says was filled.
func (o Order) Settled() bool {
	filled := decimal.Zero
	for _, f := range o.Fills {
		if !f.Settled {
			return false
		}
		filled = filled.Add(f.Amount)
	}
	return filled.Equal(o.FilledAmount)
}

// Over reports whether nothing of the order can change any more, its fills
// included.
func (o Order) Over() bool { return o.Status.Final() && o.Settled() }

// LastFill is when the order last traded, by the exchange's clock; the zero
// time when it never did.
func (o Order) LastFill() time.Time {
	var last time.Time
	for _, f := range o.Fills {
		if f.At.After(last) {
			last = f.At
		}
	}
	return last
}

// Fill is one trade of an order. Its ID is unique within a market.
type Fill struct {
	ID          string          `json:"id"`
	At          time.Time       `json:"at"` // exchange clock
	Amount      decimal.Decimal `json:"amount"`
	Price       decimal.Decimal `json:"price"`
	Fee         decimal.Decimal `json:"fee"`
	FeeCurrency string          `json:"feeCurrency,omitempty"`
	Taker       bool            `json:"taker"`
	Settled     bool            `json:"settled"`
}

// clientOrderSpace separates our order IDs from every other use of UUIDv5.
var clientOrderSpace = uuid.MustParse("6f1c2a0e-52c4-5d0b-9a1f-8a4be6f3c7d1")

// ClientOrderID derives the one ID under which a proposal may ever have an
// order. Length prefixes keep ("a","bc") and ("ab","c") apart.
func ClientOrderID(installation uuid.UUID, account, user, proposal string) uuid.UUID {
	var name []byte
	for _, part := range []string{installation.String(), account, user, proposal} {
		n := len(part)
		name = append(name, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
		name = append(name, part...)
	}
	return uuid.NewSHA1(clientOrderSpace, name)
}

// Plan is exactly what would be sent for a proposal, and the prices it was
// judged at. It is fixed by the claim.
type Plan struct {
	Market         Market           `json:"market"`
	Side           Side             `json:"side"`
	OrderType      OrderType        `json:"orderType"`             // as it goes out
	TimeInForce    string           `json:"timeInForce,omitempty"` // IOC or GTC; empty for market orders
	Amount         *decimal.Decimal `json:"amount,omitempty"`
	AmountQuote    *decimal.Decimal `json:"amountQuote,omitempty"`
	Price          *decimal.Decimal `json:"price,omitempty"`
	ReferencePrice decimal.Decimal  `json:"referencePrice"` // market price at the claim
	LowestPrice    decimal.Decimal  `json:"lowestPrice"`    // collar, lower bound
	HighestPrice   decimal.Decimal  `json:"highestPrice"`   // collar, upper bound
	WorstQuote     decimal.Decimal  `json:"worstQuote"`     // most quote asset it can move, before the exchange's fee
	TimeToLive     Duration         `json:"timeToLive"`     // of a limit order
	PriceMaxAge    Duration         `json:"priceMaxAge"`    // of the price an attempt is judged by
	Reduces        bool             `json:"reduces"`        // it can only shrink what is held
}

// WithinCollar reports whether the market may be traded at price: a buy never
// above the collar, a sell never below it. Zero is no price.
func (p Plan) WithinCollar(price decimal.Decimal) bool {
	switch {
	case !price.IsPositive():
		return false
	case p.Side == Buy:
		return price.LessThanOrEqual(p.HighestPrice)
	case p.Side == Sell:
		return price.GreaterThanOrEqual(p.LowestPrice)
	}
	return false
}

// Matches reports whether o could be the order that p describes: the same
// market, side and amount. What o filled does not matter.
func (p Plan) Matches(o Order) bool {
	if o.Market != p.Market || o.Side != p.Side {
		return false
	}
	switch {
	case p.AmountQuote != nil:
		return o.AmountQuote.Equal(*p.AmountQuote)
	case p.Amount != nil:
		return o.Amount.Equal(*p.Amount)
	}
	return false
}
