package market

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"interlock/internal/trade"
)

// marketRow is one row of GET /markets. Numbers of decimals are documented as
// integers and shown as strings.
type marketRow struct {
	Market           string      `json:"market"`
	Status           string      `json:"status"`
	TickSize         string      `json:"tickSize"`
	QuantityDecimals json.Number `json:"quantityDecimals"`
	NotionalDecimals json.Number `json:"notionalDecimals"`
	MinBase          string      `json:"minOrderInBaseAsset"`
	MinQuote         string      `json:"minOrderInQuoteAsset"`
}

// Rules reads the exchange's limits on the orders of every market. A market
// with an unreadable rule is absent; none at all is an error.
//
// It does not use the official client: that one's type for a market has
// neither tick size nor decimals, and a second request for the rest would mix
// two states of the exchange. The request is public and carries no key.
func (r *Reader) Rules(ctx context.Context) (map[trade.Market]trade.MarketRules, error) {
	const what = "read market rules"
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	reply, err := r.get(ctx, r.base.JoinPath("markets"), nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	rules, err := decodeRules(reply)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", what, ErrUnavailable, err)
	}
	return rules, someOf(what, len(rules))
}

func decodeRules(reply []byte) (map[trade.Market]trade.MarketRules, error) {
	var rows []json.RawMessage
	if err := json.Unmarshal(reply, &rows); err != nil {
		return nil, err
	}
	all := make(map[trade.Market]trade.MarketRules, len(rows))
	for _, raw := range rows {
		var row marketRow
		if json.Unmarshal(raw, &row) != nil {
			continue
		}
		// A market whose rules are in doubt has none: nothing is traded there.
		if market, rules, err := row.rules(); err == nil {
			all[market] = rules
		}
	}
	return all, nil
}

func (w marketRow) rules() (trade.Market, trade.MarketRules, error) {
	market, badMarket := trade.ParseMarket("market", w.Market)
	tick, badTick := trade.ParsePositive("tickSize", w.TickSize)
	quantity, badQuantity := places("quantityDecimals", w.QuantityDecimals)
	notional, badNotional := places("notionalDecimals", w.NotionalDecimals)
	minBase, badBase := trade.ParseDecimal("minOrderInBaseAsset", w.MinBase)
	minQuote, badQuote := trade.ParseDecimal("minOrderInQuoteAsset", w.MinQuote)
	err := errors.Join(badMarket, badTick, badQuantity, badNotional, badBase, badQuote)
	if w.Status == "" || minBase.IsNegative() || minQuote.IsNegative() {
		err = errors.Join(err, errors.New("status missing or minimum below zero"))
	}
	return market, trade.MarketRules{
		TickSize: tick, QuantityDecimals: quantity, NotionalDecimals: notional,
		MinBase: minBase, MinQuote: minQuote, Status: w.Status,
	}, err
}

// places reads a number of decimals that trade.ParseDecimal could hold.
func places(field string, text json.Number) (int32, error) {
	const most = 18
	n, err := strconv.ParseInt(strings.TrimSpace(text.String()), 10, 32)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%s: %q is not a number of decimals", field, clip(text.String()))
	}
	return int32(n), nil
}
