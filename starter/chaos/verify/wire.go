package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// The wire structs hold pointers, so that what is absent can be told from what
// is zero. What may be absent says omitempty.

type orderWire struct {
	Account           *string          `json:"account"`
	OrderID           *string          `json:"orderId"`
	ClientOrderID     *string          `json:"clientOrderId,omitempty"`
	Market            *string          `json:"market"`
	Side              *string          `json:"side"`
	OrderType         *string          `json:"orderType"`
	TimeInForce       *string          `json:"timeInForce,omitempty"`
	Status            *string          `json:"status"`
	Created           *int64           `json:"created"`
	Updated           *int64           `json:"updated"`
	Amount            *decimal.Decimal `json:"amount,omitempty"`
	AmountQuote       *decimal.Decimal `json:"amountQuote,omitempty"`
	Price             *decimal.Decimal `json:"price,omitempty"`
	OnHold            *decimal.Decimal `json:"onHold"`
	OnHoldCurrency    *string          `json:"onHoldCurrency"`
	FilledAmount      *decimal.Decimal `json:"filledAmount"`
	FilledAmountQuote *decimal.Decimal `json:"filledAmountQuote"`
	FeePaid           *decimal.Decimal `json:"feePaid"`
	FeeCurrency       *string          `json:"feeCurrency"`
	Fills             *[]fillWire      `json:"fills"`
}

type fillWire struct {
	ID          *string          `json:"id"`
	Timestamp   *int64           `json:"timestamp"`
	Amount      *decimal.Decimal `json:"amount"`
	Price       *decimal.Decimal `json:"price"`
	Taker       *bool            `json:"taker"`
	Fee         *decimal.Decimal `json:"fee,omitempty"`
	FeeCurrency *string          `json:"feeCurrency,omitempty"`
	Settled     *bool            `json:"settled"`
}

type holdingWire struct {
	Available *decimal.Decimal `json:"available"`
	InOrder   *decimal.Decimal `json:"inOrder"`
}

type ledgerWire struct {
	Accounts *map[string]map[string]holdingWire `json:"accounts"`
	House    *map[string]decimal.Decimal        `json:"house"`
	Fees     *map[string]decimal.Decimal        `json:"fees"`
}

func (w orderWire) order() (Order, error) {
	o := Order{
		Holder: *w.Account, OrderID: *w.OrderID, ClientOrderID: orEmpty(w.ClientOrderID), Market: *w.Market, Side: *w.Side,
		Type: *w.OrderType, TimeInForce: orEmpty(w.TimeInForce), Status: *w.Status, CreatedAt: time.UnixMilli(*w.Created),
		Amount: w.Amount, AmountQuote: w.AmountQuote, Price: w.Price, OnHold: *w.OnHold, OnHoldAsset: *w.OnHoldCurrency,
		FilledAmount: *w.FilledAmount, FilledQuote: *w.FilledAmountQuote, FeePaid: *w.FeePaid, FeeCurrency: *w.FeeCurrency,
	}
	if (o.Amount == nil) == (o.AmountQuote == nil) {
		return o, errors.New("it must have either amount or amountQuote")
	}
	for _, f := range *w.Fills {
		if *f.Settled && (f.Fee == nil || f.FeeCurrency == nil) {
			return o, fmt.Errorf("fill %s: it is settled and has no fee", *f.ID)
		}
		o.Fills = append(o.Fills, f.fill())
	}
	return o, nil
}

func (w fillWire) fill() Fill {
	f := Fill{ID: *w.ID, At: time.UnixMilli(*w.Timestamp), Amount: *w.Amount, Price: *w.Price, Taker: *w.Taker}
	if *w.Settled {
		f.Fee, f.FeeCurrency = w.Fee, *w.FeeCurrency
	}
	return f
}

func (w ledgerWire) into(l *Ledger) error {
	if err := complete(w); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	l.Accounts, l.House, l.Fees = map[string]map[string]Holding{}, *w.House, *w.Fees
	for account, assets := range *w.Accounts {
		l.Accounts[account] = map[string]Holding{}
		for asset, h := range assets {
			if err := complete(h); err != nil {
				return fmt.Errorf("ledger: %s of %s: %w", asset, account, err)
			}
			l.Accounts[account][asset] = Holding{*h.Available, *h.InOrder}
		}
	}
	return nil
}

// complete names the first required field of a wire struct that is absent, its
// own wire structs included.
func complete(wire any) error {
	v := reflect.ValueOf(wire)
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		field := v.Field(i)
		if field.Kind() == reflect.Pointer && field.IsNil() {
			if options != "omitempty" {
				return fmt.Errorf("%s is missing", name)
			}
			continue
		}
		if err := inside(field); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// inside looks into wire structs and lists of them.
func inside(field reflect.Value) error {
	v := reflect.Indirect(field)
	switch {
	case v.Kind() == reflect.Struct && strings.HasSuffix(v.Type().Name(), "Wire"):
		return complete(v.Interface())
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			if err := inside(v.Index(i)); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
	}
	return nil
}

// decode reads a body of the audit into a wire struct, completely.
func decode[T any](text string) (T, error) {
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return v, err
	}
	return v, complete(v)
}

func orEmpty(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
