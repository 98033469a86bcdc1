package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/shopspring/decimal"
)

// Ledger is what the exchange itself says of every order and balance.
type Ledger struct {
	Orders   []Order                       // every order ever, of every account
	Accounts map[string]map[string]Holding // account to asset
	House    map[string]decimal.Decimal    // what the exchange's own side gained
	Fees     map[string]decimal.Decimal    // what was paid in fees
}

// Holding is what an account has of one asset.
type Holding struct {
	Available, InOrder decimal.Decimal
}

// Order is one order of the exchange's ledger. Amount and AmountQuote exclude
// each other; Price is nil for market orders.
type Order struct {
	Holder        string // account at the exchange
	OrderID       string
	ClientOrderID string // empty: it was placed without one
	Market        string
	Side          string
	Type          string
	TimeInForce   string // empty for market orders
	Status        string
	CreatedAt     time.Time
	Amount        *decimal.Decimal
	AmountQuote   *decimal.Decimal
	Price         *decimal.Decimal
	OnHold        decimal.Decimal
	OnHoldAsset   string
	FilledAmount  decimal.Decimal
	FilledQuote   decimal.Decimal
	FeePaid       decimal.Decimal
	FeeCurrency   string
	Fills         []Fill
}

// Key names the order.
func (o Order) Key() OrderKey { return OrderKey{o.Market, o.OrderID} }

// Fill is one trade of an order. Fee is nil while the fill is not settled.
type Fill struct {
	ID          string
	At          time.Time
	Amount      decimal.Decimal
	Price       decimal.Decimal
	Taker       bool
	Fee         *decimal.Decimal
	FeeCurrency string
}

// ReadLedger reads the exchange's ledger from its admin side, whose address
// looks like http://127.0.0.1:8090/admin. A field that is missing is an error,
// never a zero. Orders and balances are two requests, so it reads until no
// order moved between them; an error when they do not stand still.
func ReadLedger(ctx context.Context, adminURL string) (Ledger, error) {
	const tries = 10
	before, err := get(ctx, adminURL+"/orders")
	for range tries {
		if err != nil {
			return Ledger{}, err
		}
		sums, err := get(ctx, adminURL+"/ledger")
		if err != nil {
			return Ledger{}, err
		}
		after, err := get(ctx, adminURL+"/orders")
		if err != nil {
			return Ledger{}, err
		}
		if bytes.Equal(before, after) {
			return readLedger(after, sums)
		}
		before = after
	}
	return Ledger{}, errors.New("ledger: orders kept moving while it was read")
}

// readLedger decodes the two answers that make a ledger.
func readLedger(orders, sums []byte) (Ledger, error) {
	var l Ledger
	var rows []orderWire
	if err := json.Unmarshal(orders, &rows); err != nil {
		return l, fmt.Errorf("ledger: orders: %w", err)
	}
	for i, row := range rows {
		if err := complete(row); err != nil {
			return l, fmt.Errorf("ledger: order %d: %w", i, err)
		}
		o, err := row.order()
		if err != nil {
			return l, fmt.Errorf("ledger: order %s: %w", *row.OrderID, err)
		}
		l.Orders = append(l.Orders, o)
	}
	var w ledgerWire
	if err := json.Unmarshal(sums, &w); err != nil {
		return l, fmt.Errorf("ledger: balances: %w", err)
	}
	return l, w.into(&l)
}

const ledgerPatience = time.Minute

func get(ctx context.Context, url string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, ledgerPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return nil, fmt.Errorf("ledger: %s: %w", url, err)
	}
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ledger: %s answered %s", url, reply.Status)
	}
	return body, nil
}
