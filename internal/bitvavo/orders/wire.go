package orders

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// amount is a decimal as the exchange writes it: a string. A bare number is
// read by its digits, never through a float; null is zero, as if absent.
type amount struct{ decimal.Decimal }

func (a *amount) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	d, err := trade.ParseDecimal("number", string(bytes.Trim(data, `"`)))
	a.Decimal = d
	return err
}

// millis is an instant in Unix milliseconds; zero means absent.
type millis int64

// latest is the last instant that can be written down: JSON has no fifth digit
// of a year. A later one is taken for it, so that a wrong stamp keeps no order
// from being followed and recorded.
var latest = time.Date(9998, time.December, 31, 0, 0, 0, 0, time.UTC)

func (m millis) time() time.Time {
	switch {
	case m <= 0:
		return time.Time{}
	case int64(m) > latest.UnixMilli():
		return latest
	}
	return time.UnixMilli(int64(m)).UTC()
}

type wireOrder struct {
	OrderID           string     `json:"orderId"`
	ClientOrderID     string     `json:"clientOrderId"`
	Market            string     `json:"market"`
	Side              string     `json:"side"`
	OrderType         string     `json:"orderType"`
	Status            string     `json:"status"`
	Created           millis     `json:"created"`
	Updated           millis     `json:"updated"`
	Amount            amount     `json:"amount"`
	AmountQuote       amount     `json:"amountQuote"`
	Price             amount     `json:"price"`
	FilledAmount      amount     `json:"filledAmount"`
	FilledAmountQuote amount     `json:"filledAmountQuote"`
	FeePaid           amount     `json:"feePaid"`
	FeeCurrency       string     `json:"feeCurrency"`
	Fills             []wireFill `json:"fills"`
	OperatorID        int64      `json:"operatorId"`
}

type wireFill struct {
	ID          string `json:"id"`
	Timestamp   millis `json:"timestamp"`
	Amount      amount `json:"amount"`
	Price       amount `json:"price"`
	Taker       bool   `json:"taker"`
	Fee         amount `json:"fee"`
	FeeCurrency string `json:"feeCurrency"`
	Settled     bool   `json:"settled"`
}

type wireTrade struct {
	wireFill
	OrderID       string `json:"orderId"`
	ClientOrderID string `json:"clientOrderId"`
	Market        string `json:"market"`
	Side          string `json:"side"`
}

// order checks what identifies an order and keeps the rest as it is; a status
// nobody documented is not an error, only never final.
func (w wireOrder) order() (trade.Order, error) {
	side, err := checkRow(w.OrderID, w.Market, w.Side)
	if err != nil {
		return trade.Order{}, err
	}
	o := trade.Order{
		OrderID: w.OrderID, ClientOrderID: w.ClientOrderID, Market: trade.Market(w.Market), Side: side,
		OrderType: w.OrderType, Status: trade.OrderStatus(w.Status),
		Amount: w.Amount.Decimal, AmountQuote: w.AmountQuote.Decimal, Price: w.Price.Decimal,
		FilledAmount: w.FilledAmount.Decimal, FilledAmountQuote: w.FilledAmountQuote.Decimal,
		FeePaid: w.FeePaid.Decimal, FeeCurrency: w.FeeCurrency, OperatorID: w.OperatorID,
		CreatedAt: w.Created.time(), UpdatedAt: w.Updated.time(),
	}
	for _, f := range w.Fills {
		o.Fills = append(o.Fills, f.fill())
	}
	return o, nil
}

func (w wireFill) fill() trade.Fill {
	return trade.Fill{
		ID: w.ID, At: w.Timestamp.time(), Amount: w.Amount.Decimal, Price: w.Price.Decimal,
		Fee: w.Fee.Decimal, FeeCurrency: w.FeeCurrency, Taker: w.Taker, Settled: w.Settled,
	}
}

func (w wireTrade) trade() (Trade, error) {
	side, err := checkRow(w.OrderID, w.Market, w.Side)
	if err != nil {
		return Trade{}, err
	}
	if w.ID == "" || w.Timestamp <= 0 {
		return Trade{}, errors.New("trade without an ID or a time")
	}
	return Trade{Fill: w.fill(), OrderID: w.OrderID, ClientOrderID: w.ClientOrderID, Market: trade.Market(w.Market), Side: side}, nil
}

func checkRow(orderID, market, side string) (trade.Side, error) {
	const longest = 100
	switch {
	case orderID == "" || len(orderID) > longest:
		return "", fmt.Errorf("orderId: %q is not an order ID", clip(orderID))
	case market == "" || len(market) > longest:
		return "", fmt.Errorf("market: %q is not a market", clip(market))
	case side != string(trade.Buy) && side != string(trade.Sell):
		return "", fmt.Errorf("side: %q is neither buy nor sell", clip(side))
	}
	return trade.Side(side), nil
}

func decodeOrder(body []byte) (trade.Order, error) {
	var w wireOrder
	if err := json.Unmarshal(body, &w); err != nil {
		return trade.Order{}, err
	}
	return w.order()
}

// decodeRows reads a JSON array. null is no array: it must not pass for "none".
func decodeRows[W, R any](body []byte, convert func(W) (R, error)) ([]R, error) {
	var rows []W
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("[")) {
		return nil, fmt.Errorf("%w: reply is not a list", ErrUnavailable)
	}
	if err := json.Unmarshal(body, &rows); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	list := make([]R, 0, len(rows))
	for _, w := range rows {
		r, err := convert(w)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		list = append(list, r)
	}
	return list, nil
}

// bears reports whether text is id, however its letters are written.
func bears(text string, id uuid.UUID) bool {
	parsed, err := uuid.Parse(text)
	return err == nil && parsed == id
}
