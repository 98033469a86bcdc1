package prompt

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// Snapshot is everything a model gets to see of the market and the account.
type Snapshot struct {
	At       time.Time       `json:"at"` // exchange clock
	Markets  []MarketView    `json:"markets"`
	Holdings []trade.Holding `json:"holdings"`
}

// MarketView is one market at one moment.
type MarketView struct {
	Market   trade.Market    `json:"market"`
	Last     decimal.Decimal `json:"last"`
	Bid      decimal.Decimal `json:"bid"`
	Ask      decimal.Decimal `json:"ask"`
	Spread   decimal.Decimal `json:"spread"`   // part of the bid
	BidDepth decimal.Decimal `json:"bidDepth"` // quote asset on the book, best levels
	AskDepth decimal.Decimal `json:"askDepth"`
	Position decimal.Decimal `json:"position"` // base asset held and on order
	Short    Series          `json:"short"`
	Long     Series          `json:"long"`
}

// Series is candles of one length, oldest first.
type Series struct {
	Interval string   `json:"interval"`
	Candles  []Candle `json:"candles"`
}

// Candle is what a market did from At on.
type Candle struct {
	At     time.Time       `json:"at"`
	Open   decimal.Decimal `json:"open"`
	High   decimal.Decimal `json:"high"`
	Low    decimal.Decimal `json:"low"`
	Close  decimal.Decimal `json:"close"`
	Volume decimal.Decimal `json:"volume"`
}

// Text is the snapshot as it is kept and shown, with the digest of that text.
func (s Snapshot) Text() (text []byte, digest string, err error) {
	text, err = json.Marshal(s)
	return text, Digest(text), err
}

// Digest names a text by its content.
func Digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Last is the last price of a market, if the snapshot has it.
func (s Snapshot) Last(m trade.Market) (decimal.Decimal, bool) {
	for _, v := range s.Markets {
		if v.Market == m {
			return v.Last, true
		}
	}
	return decimal.Decimal{}, false
}
