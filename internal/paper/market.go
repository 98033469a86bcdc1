package paper

import (
	"fmt"
	"slices"

	"github.com/shopspring/decimal"
)

// Market is what may be traded and in which steps.
type Market struct {
	Base, Quote string
	// Status is trading, halted, auction, auctionMatching or cancelOnly.
	Status string
	// TickSize is the text shown; every price is a multiple of it.
	TickSize          string
	QuantityDecimals  int32
	NotionalDecimals  int32
	MinBase, MinQuote string
	MaxBase, MaxQuote string
	MaxOpenOrders     int
	// StartPrice is where a random walk begins and what replayed candles of
	// another market are scaled to.
	StartPrice decimal.Decimal
}

// Asset is one row of the asset list.
type Asset struct {
	Symbol, Name string
	Decimals     int
	// DepositFee and the like are shown and never charged.
	WithdrawalFee, WithdrawalMin string
	Confirmations                int
	Networks                     []string
}

// Name is the market as clients write it: BTC-EUR.
func (m Market) Name() string { return m.Base + "-" + m.Quote }

// DefaultMarkets are four euro markets with sizes near the real ones.
func DefaultMarkets() []Market {
	return []Market{
		euroMarket("BTC", "1.00", "0.00006100", "85000"),
		euroMarket("ETH", "0.10", "0.00180000", "2800"),
		euroMarket("SOL", "0.01", "0.03500000", "140"),
		euroMarket("ADA", "0.00001", "8.00000000", "0.62"),
	}
}

func euroMarket(base, tick, minBase, price string) Market {
	return Market{Base: base, Quote: "EUR", Status: statusTrading, TickSize: tick,
		QuantityDecimals: 8, NotionalDecimals: 2, MinBase: minBase, MinQuote: "5.00",
		MaxBase: "1000000000.00000000", MaxQuote: "1000000000.00", MaxOpenOrders: 100,
		StartPrice: decimal.RequireFromString(price)}
}

// DefaultAssets are the assets of DefaultMarkets.
func DefaultAssets() []Asset {
	return []Asset{
		{Symbol: "ADA", Name: "Cardano", Decimals: 6, WithdrawalFee: "0.9", WithdrawalMin: "1", Confirmations: 15, Networks: []string{"ADA"}},
		{Symbol: "BTC", Name: "Bitcoin", Decimals: 8, WithdrawalFee: "0.00002", WithdrawalMin: "0.0001", Confirmations: 1, Networks: []string{"BTC"}},
		{Symbol: "ETH", Name: "Ethereum", Decimals: 8, WithdrawalFee: "0.0005", WithdrawalMin: "0.001", Confirmations: 32, Networks: []string{"ETH"}},
		{Symbol: "EUR", Name: "Euro", Decimals: 2, WithdrawalFee: "0", WithdrawalMin: "5", Confirmations: 0, Networks: []string{"Mainnet"}},
		{Symbol: "SOL", Name: "Solana", Decimals: 8, WithdrawalFee: "0.005", WithdrawalMin: "0.01", Confirmations: 1, Networks: []string{"SOL"}},
	}
}

const statusTrading = "trading"

// closedToOrders names the refusal of each status that takes no new orders.
var closedToOrders = map[string]int{
	"halted": 423, "cancelOnly": 424, "auction": 425, "auctionMatching": 426,
}

func (m Market) check() error {
	for _, text := range []string{m.TickSize, m.MinBase, m.MinQuote, m.MaxBase, m.MaxQuote} {
		if d, err := decimal.NewFromString(text); err != nil || !d.IsPositive() {
			return fmt.Errorf("market %s: %q is no positive number", m.Name(), text)
		}
	}
	if unitsOf(m.tick()) < 1 || !priceOf(unitsOf(m.tick())).Equal(m.tick()) {
		return fmt.Errorf("market %s: tick size below %s", m.Name(), priceOf(1))
	}
	if !knownStatus(m.Status) || !pinnable(m.StartPrice.String()) || m.MaxOpenOrders < 1 {
		return fmt.Errorf("market %s: want a known status, a start price and room for orders", m.Name())
	}
	return nil
}

func knownStatus(s string) bool {
	return s == statusTrading || slices.Contains([]string{"halted", "cancelOnly", "auction", "auctionMatching"}, s)
}

func (m Market) tick() decimal.Decimal { return decimal.RequireFromString(m.TickSize) }

func number(text string) decimal.Decimal { return decimal.RequireFromString(text) }

// Prices are counted in units of 1e-8 of the quote asset while they move:
// integers are exact, equal on every machine, and fast to roll forward.
const unitDecimals = 8

func unitsOf(d decimal.Decimal) int64 { return d.Shift(unitDecimals).Round(0).IntPart() }

func priceOf(units int64) decimal.Decimal { return decimal.New(units, -unitDecimals) }

// highest is the largest price any market may reach: beyond it units overflow.
var highest = decimal.New(1, 8)

func pinnable(price string) bool {
	return plainNumber.MatchString(price) && number(price).IsPositive() && number(price).LessThanOrEqual(highest)
}

// onTick rounds a price to the nearest tick, and never to zero.
func onTick(units, tick int64) int64 {
	return max((units+tick/2)/tick, 1) * tick
}
