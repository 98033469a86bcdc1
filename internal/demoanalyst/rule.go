// Package demoanalyst answers like a language model's server without being one:
// it applies one plain momentum rule to the candles in the request, so that a
// stack without a key runs its whole path through the real client. It knows
// nothing of the rest of the system but the form of request and reply, and can
// be told to misbehave.
package demoanalyst

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// ModelName says what answers. It is not a language model.
const ModelName = "demo-momentum-rule"

// asked is the part of a request that the rule looks at.
type asked struct {
	Ask struct {
		Markets  []string        `json:"markets"`
		MaxIdeas int             `json:"maxIdeas"`
		MaxQuote decimal.Decimal `json:"maxQuote"`
	} `json:"ask"`
	Snapshot struct {
		At      time.Time `json:"at"`
		Markets []view    `json:"markets"`
	} `json:"snapshot"`
}

type view struct {
	Market   string          `json:"market"`
	Last     decimal.Decimal `json:"last"`
	Position decimal.Decimal `json:"position"`
	Short    struct {
		Interval string `json:"interval"`
		Candles  []struct {
			Close decimal.Decimal `json:"close"`
		} `json:"candles"`
	} `json:"short"`
}

type idea struct {
	Market      string `json:"market"`
	Side        string `json:"side"`
	AmountQuote string `json:"amountQuote"`
	Confidence  string `json:"confidence"`
	Rationale   string `json:"rationale"`
}

// Rule is the whole rule: a market whose last price is above the mean close of
// its short candles is bought for the most that may be asked, one below is sold
// for as much, if so much is held. The further from the mean, the higher the
// confidence, from 0.55 to 0.95. It proposes one market at a time, by the
// minute, and nothing where price and mean are equal.
func Rule(user string) (string, error) {
	var in asked
	if err := json.Unmarshal([]byte(user), &in); err != nil {
		return "", fmt.Errorf("the request is not the one that this rule knows: %w", err)
	}
	if len(in.Snapshot.Markets) == 0 {
		return "", errors.New("the request has no markets")
	}
	ideas := []idea{}
	turn := int(in.Snapshot.At.Unix()/60) % len(in.Snapshot.Markets)
	if i, found := one(in.Snapshot.Markets[turn], in.Ask.MaxQuote); found && in.Ask.MaxIdeas > 0 {
		ideas = append(ideas, i)
	}
	text, err := json.Marshal(map[string]any{"ideas": ideas})
	return string(text), err
}

func one(v view, most decimal.Decimal) (idea, bool) {
	if len(v.Short.Candles) == 0 {
		return idea{}, false
	}
	var sum decimal.Decimal
	for _, c := range v.Short.Candles {
		sum = sum.Add(c.Close)
	}
	mean := sum.DivRound(decimal.NewFromInt(int64(len(v.Short.Candles))), 8)
	if !mean.IsPositive() || v.Last.Equal(mean) {
		return idea{}, false
	}
	away := v.Last.Sub(mean).DivRound(mean, 6)
	i := idea{Market: v.Market, Side: "buy", AmountQuote: most.String(), Confidence: confidence(away.Abs())}
	where := "above"
	if away.IsNegative() {
		i.Side, where = "sell", "below"
		if v.Position.Mul(v.Last).LessThan(most.Mul(decimal.NewFromInt(2))) {
			return idea{}, false
		}
	}
	i.Rationale = fmt.Sprintf("Momentum rule, no language model: the price %s is %s the mean %s of %d %s closes.",
		v.Last, where, mean.Round(4), len(v.Short.Candles), strings.TrimSpace(v.Short.Interval))
	return i, true
}

// confidence grows by 0.1 with each half percent away from the mean.
func confidence(away decimal.Decimal) string {
	c := decimal.RequireFromString("0.55").Add(away.Mul(decimal.NewFromInt(20)))
	return decimal.Min(c, decimal.RequireFromString("0.95")).Round(2).String()
}
