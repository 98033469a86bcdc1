package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// Trade is one fill of the account, with the order it belongs to. Its ID is
// unique within a market.
type Trade struct {
	trade.Fill
	OrderID       string
	ClientOrderID string
	Market        trade.Market
	Side          trade.Side
}

// Balance is what the account holds of one asset.
type Balance struct {
	Symbol    string
	Available decimal.Decimal
	InOrder   decimal.Decimal
}

// Order fetches an order with its fills. An order the exchange does not know
// is ErrNotActive.
func (c *Client) Order(ctx context.Context, market trade.Market, orderID string) (trade.Order, error) {
	o, err := c.order(ctx, url.Values{"market": {string(market)}, "orderId": {orderID}})
	switch {
	case err != nil:
		return trade.Order{}, fmt.Errorf("fetch order %s: %w", clip(orderID), err)
	case o.OrderID != orderID || o.Market != market:
		return trade.Order{}, fmt.Errorf("fetch order %s in %s: %w: the reply is %s in %s", clip(orderID), market, ErrUnavailable, o.OrderID, o.Market)
	}
	return o, nil
}

func (c *Client) order(ctx context.Context, query url.Values) (trade.Order, error) {
	reply, err := c.signed(ctx, http.MethodGet, "/order", query, maxReply)
	if err != nil {
		return trade.Order{}, err
	}
	o, err := decodeOrder(reply)
	if err != nil {
		return trade.Order{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return o, nil
}

// Cancel asks for an order's end. It is a wish: fetch the order afterwards,
// also after ErrNotActive, because it may have been filled first.
func (c *Client) Cancel(ctx context.Context, market trade.Market, orderID string) error {
	reply, err := c.signed(ctx, http.MethodDelete, "/order", url.Values{
		"market":     {string(market)},
		"orderId":    {orderID},
		"operatorId": {strconv.FormatInt(c.operator, 10)},
	}, maxReply)
	if err != nil {
		return fmt.Errorf("cancel order %s: %w", clip(orderID), err)
	}
	var cancelled struct {
		OrderID string `json:"orderId"`
	}
	if err := json.Unmarshal(reply, &cancelled); err != nil || cancelled.OrderID != orderID {
		return fmt.Errorf("cancel order %s: %w: the reply does not confirm it", clip(orderID), ErrUnavailable)
	}
	return nil
}

// OpenOrders lists the account's open orders in all markets.
func (c *Client) OpenOrders(ctx context.Context) ([]trade.Order, error) {
	return c.openOrders(ctx, nil)
}

func (c *Client) openOrders(ctx context.Context, query url.Values) ([]trade.Order, error) {
	reply, err := c.signed(ctx, http.MethodGet, "/ordersOpen", query, maxList)
	if err != nil {
		return nil, fmt.Errorf("list open orders: %w", err)
	}
	list, err := decodeRows(reply, wireOrder.order)
	if err != nil {
		return nil, fmt.Errorf("list open orders: %w", err)
	}
	return list, nil
}

// Orders lists the account's orders in market since then, newest first and to
// the end: a list that may be incomplete is an error.
func (c *Client) Orders(ctx context.Context, market trade.Market, since time.Time) ([]trade.Order, error) {
	list, err := orderRows.collect(ctx, func(ctx context.Context, before time.Time) ([]trade.Order, error) {
		return ordersPage(ctx, c, pageQuery(market, since, before))
	})
	if err != nil {
		return nil, fmt.Errorf("list orders in %s: %w", market, err)
	}
	for _, o := range list {
		if o.Market != market {
			return nil, fmt.Errorf("list orders in %s: %w: got one in %s", market, ErrUnavailable, o.Market)
		}
	}
	return list, nil
}

func ordersPage(ctx context.Context, c *Client, query url.Values) ([]trade.Order, error) {
	reply, err := c.signed(ctx, http.MethodGet, "/orders", query, maxList)
	if err != nil {
		return nil, err
	}
	return decodeRows(reply, func(w wireOrder) (trade.Order, error) {
		if w.Created <= 0 {
			return trade.Order{}, errors.New("order without a time")
		}
		return w.order()
	})
}

// Trades lists the account's fills in market since then, newest first and to
// the end: a list that may be incomplete is an error.
func (c *Client) Trades(ctx context.Context, market trade.Market, since time.Time) ([]Trade, error) {
	list, err := tradeRows.collect(ctx, func(ctx context.Context, before time.Time) ([]Trade, error) {
		reply, err := c.signed(ctx, http.MethodGet, "/trades", pageQuery(market, since, before), maxList)
		if err != nil {
			return nil, err
		}
		return decodeRows(reply, wireTrade.trade)
	})
	if err != nil {
		return nil, fmt.Errorf("list trades in %s: %w", market, err)
	}
	for _, t := range list {
		if t.Market != market {
			return nil, fmt.Errorf("list trades in %s: %w: got one in %s", market, ErrUnavailable, t.Market)
		}
	}
	return list, nil
}

// Balances lists what the account holds; assets it holds nothing of are absent.
func (c *Client) Balances(ctx context.Context) ([]Balance, error) {
	reply, err := c.signed(ctx, http.MethodGet, "/balance", nil, maxList)
	if err != nil {
		return nil, fmt.Errorf("list balances: %w", err)
	}
	list, err := decodeRows(reply, wireBalance.balance)
	if err != nil {
		return nil, fmt.Errorf("list balances: %w", err)
	}
	return list, nil
}

type wireBalance struct {
	Symbol    string `json:"symbol"`
	Available amount `json:"available"`
	InOrder   amount `json:"inOrder"`
}

func (w wireBalance) balance() (Balance, error) {
	if w.Symbol == "" {
		return Balance{}, errors.New("balance without a symbol")
	}
	return Balance{Symbol: w.Symbol, Available: w.Available.Decimal, InOrder: w.InOrder.Decimal}, nil
}
