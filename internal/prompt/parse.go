package prompt

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

const (
	maxReply     = 64 << 10 // bytes; ten ideas need a tenth of it
	maxRationale = 500      // characters
	maxBody      = 2000     // characters kept of one idea
	maxRefused   = 20       // refused ideas that are kept one by one
)

var ideaFields = []string{"market", "side", "amountQuote", "confidence", "rationale"}

// Idea is one thing a model proposed, within every bound.
type Idea struct {
	Number      int             `json:"number"` // place in the reply, from 1
	Market      trade.Market    `json:"market"`
	Side        trade.Side      `json:"side"`
	AmountQuote decimal.Decimal `json:"amountQuote"`
	Confidence  decimal.Decimal `json:"confidence"`
	Rationale   string          `json:"rationale"`
	Body        string          `json:"body"` // as it was written
}

// Refused is one thing a model wrote that is no idea, and why.
type Refused struct {
	Number int    `json:"number"`
	Reason string `json:"reason"`
	Body   string `json:"body"`
}

// Parse reads a reply to ask. An idea that does not fit is refused with its
// reason and the others stand; a reply that is not the asked form is an error
// and yields nothing.
func Parse(reply string, ask Ask) (ideas []Idea, refused []Refused, err error) {
	list, err := parseReply(reply)
	if err != nil {
		return nil, nil, fmt.Errorf("reply: %w", err)
	}
	for i, raw := range list {
		number, body := i+1, keep(string(raw))
		idea, err := parseIdea(raw, ask)
		if err == nil && len(ideas) >= ask.MaxIdeas {
			err = fmt.Errorf("more than the %d ideas that were asked for", ask.MaxIdeas)
		}
		switch {
		case err == nil:
			idea.Number, idea.Body = number, body
			ideas = append(ideas, idea)
		case len(refused) < maxRefused:
			refused = append(refused, Refused{number, keep(err.Error()), body})
		}
	}
	return ideas, refused, nil
}

func parseReply(reply string) ([]json.RawMessage, error) {
	switch {
	case len(reply) > maxReply:
		return nil, fmt.Errorf("has %d bytes, at most %d are read", len(reply), maxReply)
	case !utf8.ValidString(reply):
		return nil, errors.New("is not UTF-8")
	}
	fields, err := trade.StrictFields([]byte(reply), "ideas")
	if err != nil {
		return nil, err
	}
	list := []json.RawMessage{}
	if err := json.Unmarshal(fields["ideas"], &list); err != nil || list == nil {
		return nil, errors.New("ideas: must be a list")
	}
	return list, nil
}

// parseIdea reads exactly the fields that exist. Anything else in it, a policy
// or an override for instance, refuses the idea.
func parseIdea(raw json.RawMessage, ask Ask) (Idea, error) {
	fields, err := trade.StrictFields(raw, ideaFields...)
	if err != nil {
		return Idea{}, err
	}
	text := map[string]string{}
	for _, name := range ideaFields {
		var value *string
		if err := json.Unmarshal(fields[name], &value); err != nil || value == nil {
			return Idea{}, fmt.Errorf("%s: must be a string", name)
		}
		text[name] = *value
	}
	market, err := askedMarket(text["market"], ask)
	side, badSide := exactSide(text["side"])
	amount, badAmount := bounded("amountQuote", text["amountQuote"], ask.MaxQuote)
	confidence, badConfidence := bounded("confidence", text["confidence"], decimal.NewFromInt(1))
	if badAmount == nil && !amount.IsPositive() {
		badAmount = errors.New("amountQuote: must be above zero")
	}
	err = errors.Join(err, badSide, badAmount, badConfidence, checkRationale(text["rationale"]))
	return Idea{Market: market, Side: side, AmountQuote: amount, Confidence: confidence, Rationale: text["rationale"]}, err
}

func askedMarket(text string, ask Ask) (trade.Market, error) {
	market, err := trade.ParseMarket("market", text)
	if err == nil && !slices.Contains(ask.Markets, market) {
		err = fmt.Errorf("market: %s was not asked about", market)
	}
	return market, err
}

func exactSide(text string) (trade.Side, error) {
	side, err := trade.ParseSide("side", text)
	if err == nil && string(side) != text {
		err = fmt.Errorf("side: %q must be written %q", trade.Clip(text), side)
	}
	return side, err
}

func bounded(field, text string, most decimal.Decimal) (decimal.Decimal, error) {
	value, err := trade.ParseDecimal(field, text)
	if err == nil && (value.IsNegative() || value.GreaterThan(most)) {
		err = fmt.Errorf("%s: %s is not between 0 and %s", field, value, most)
	}
	return value, err
}

func checkRationale(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return errors.New("rationale: is empty")
	case utf8.RuneCountInString(text) > maxRationale:
		return fmt.Errorf("rationale: has %d characters, at most %d are allowed", utf8.RuneCountInString(text), maxRationale)
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("rationale: has characters that do not print")
	}
	return nil
}

// keep is as much of foreign text as a row may hold.
func keep(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "?")
	if runes := []rune(text); len(runes) > maxBody {
		return string(runes[:maxBody]) + "…"
	}
	return text
}
