package paper

import (
	"time"

	"github.com/shopspring/decimal"
)

// orderView is an order as clients see it. Amounts in quote and in base exclude
// each other; market orders show neither price nor time in force.
type orderView struct {
	OrderID              string           `json:"orderId"`
	ClientOrderID        string           `json:"clientOrderId,omitempty"`
	Market               string           `json:"market"`
	Created              int64            `json:"created"`
	Updated              int64            `json:"updated"`
	Status               string           `json:"status"`
	Side                 string           `json:"side"`
	OrderType            string           `json:"orderType"`
	Amount               *decimal.Decimal `json:"amount,omitempty"`
	AmountRemaining      *decimal.Decimal `json:"amountRemaining,omitempty"`
	AmountQuote          *decimal.Decimal `json:"amountQuote,omitempty"`
	AmountQuoteRemaining *decimal.Decimal `json:"amountQuoteRemaining,omitempty"`
	Price                *decimal.Decimal `json:"price,omitempty"`
	OnHold               decimal.Decimal  `json:"onHold"`
	OnHoldCurrency       string           `json:"onHoldCurrency"`
	FilledAmount         decimal.Decimal  `json:"filledAmount"`
	FilledAmountQuote    decimal.Decimal  `json:"filledAmountQuote"`
	FeePaid              decimal.Decimal  `json:"feePaid"`
	FeeCurrency          string           `json:"feeCurrency"`
	Fills                []fillView       `json:"fills"`
	SelfTradePrevention  string           `json:"selfTradePrevention"`
	Visible              bool             `json:"visible"`
	TimeInForce          string           `json:"timeInForce,omitempty"`
	PostOnly             *bool            `json:"postOnly,omitempty"`
	MarketProtection     *bool            `json:"disableMarketProtection,omitempty"`
	OperatorID           int64            `json:"operatorId"`
	RestatementReason    string           `json:"restatementReason,omitempty"`
}

// fillView has a fee only once it is settled.
type fillView struct {
	ID          string           `json:"id"`
	Timestamp   int64            `json:"timestamp"`
	Amount      decimal.Decimal  `json:"amount"`
	Price       decimal.Decimal  `json:"price"`
	Taker       bool             `json:"taker"`
	Fee         *decimal.Decimal `json:"fee,omitempty"`
	FeeCurrency string           `json:"feeCurrency,omitempty"`
	Settled     bool             `json:"settled"`
}

// tradeView is a fill with the order it belongs to.
type tradeView struct {
	OrderID       string `json:"orderId"`
	ClientOrderID string `json:"clientOrderId,omitempty"`
	Market        string `json:"market"`
	Side          string `json:"side"`
	OperatorID    int64  `json:"operatorId"`
	fillView
}

// briefView answers a new or updated order that asked for no response.
type briefView struct {
	Market        string `json:"market"`
	OrderID       string `json:"orderId"`
	ClientOrderID string `json:"clientOrderId,omitempty"`
	Created       int64  `json:"created"`
	Updated       int64  `json:"updated"`
}

// cancelView answers a cancel.
type cancelView struct {
	OrderID       string `json:"orderId"`
	ClientOrderID string `json:"clientOrderId,omitempty"`
	OperatorID    int64  `json:"operatorId"`
}

// view shows an order as it is now.
func (e *Exchange) view(o *order, now time.Time) orderView {
	base, quote, fees := o.filled()
	m := e.markets[o.Market].Market
	v := orderView{
		OrderID: o.ID, ClientOrderID: o.ClientOrderID, Market: o.Market, Created: o.Created, Updated: o.Updated,
		Status: o.Status, Side: o.Side, OrderType: o.Type, OnHold: o.Hold, OnHoldCurrency: o.holdAsset(m),
		FilledAmount: base, FilledAmountQuote: quote, FeePaid: fees, FeeCurrency: m.Quote, Fills: []fillView{},
		SelfTradePrevention: o.SelfTrade, OperatorID: o.OperatorID, RestatementReason: o.Restatement,
	}
	if o.Quote.IsPositive() {
		v.AmountQuote, v.AmountQuoteRemaining = ref(o.Quote), ref(o.quoteRemaining())
	} else {
		v.Amount, v.AmountRemaining = ref(o.Amount), ref(o.remaining())
	}
	if o.Type == typeLimit {
		v.Price, v.TimeInForce, v.PostOnly, v.Visible = ref(o.Price), o.TimeInForce, ref(o.PostOnly), true
	} else {
		v.MarketProtection = ref(false)
	}
	for _, f := range o.Fills {
		v.Fills = append(v.Fills, f.view(m, e.settled(o, f, now)))
	}
	return v
}

func ref[T any](v T) *T { return &v }

func (e *Exchange) settled(o *order, f fill, now time.Time) bool {
	return e.since(f.At, f.Skew, now) >= max(e.tempo.settle, o.fate.settle)
}

func (f fill) view(m Market, settled bool) fillView {
	v := fillView{ID: f.ID, Timestamp: f.At, Amount: f.Amount, Price: f.Price, Taker: f.Taker, Settled: settled}
	if settled {
		v.Fee, v.FeeCurrency = ref(f.Fee), m.Quote
	}
	return v
}

func (e *Exchange) viewTrade(o *order, f fill, now time.Time) tradeView {
	return tradeView{o.ID, o.ClientOrderID, o.Market, o.Side, o.OperatorID,
		f.view(e.markets[o.Market].Market, e.settled(o, f, now))}
}
