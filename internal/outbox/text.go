package outbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// body is every field that an event of some kind has.
type body struct {
	For               string           `json:"for"`
	Market            trade.Market     `json:"market"`
	Side              trade.Side       `json:"side"`
	Amount            *decimal.Decimal `json:"amount"`
	AmountQuote       *decimal.Decimal `json:"amountQuote"`
	Rationale         string           `json:"rationale"`
	ExpiresAt         time.Time        `json:"expiresAt"`
	OverrideID        string           `json:"overrideId"`
	Actor             string           `json:"actor"`
	Reason            string           `json:"reason"`
	Blocks            []trade.Block    `json:"blocks"`
	OrderID           string           `json:"orderId"`
	Status            string           `json:"status"`
	FilledAmount      decimal.Decimal  `json:"filledAmount"`
	FilledAmountQuote decimal.Decimal  `json:"filledAmountQuote"`
	Code              string           `json:"code"`
	ExchangeCode      string           `json:"exchangeCode"`
	Message           string           `json:"message"`
	State             string           `json:"state"`
	Detail            string           `json:"detail"`
	Job               string           `json:"job"`
	Difference        string           `json:"difference"`
	Ended             int              `json:"ended"`
	Failed            int              `json:"failed"`
}

var sentences = map[Kind]func(Event, body) string{
	Waiting: waiting, Executed: executed, Failed: failed, Blocked: blocked, Unresolved: unresolved, Halted: halted,
	Resumed: resumed, BudgetExhausted: exhausted, Difference: differs, FailureRate: failing,
	Test: func(Event, body) string { return "This is a test: notifications arrive here." },
}

// Text says what happened in a plain sentence, with the event's ID. It never
// fails: what cannot be read is told by its kind.
func (e Event) Text() string {
	var b body
	sentence, known := sentences[e.Kind]
	if !known || json.Unmarshal(e.Body, &b) != nil {
		return fmt.Sprintf("Interlock, %s: %s. (event %d)", scope(e), e.Kind, e.ID)
	}
	return fmt.Sprintf("Interlock, %s: %s (event %d)", scope(e), sentence(e, b), e.ID)
}

func scope(e Event) string {
	if e.AccountID == "*" {
		return "all accounts"
	}
	return "account " + e.AccountID
}

func waiting(e Event, b body) string {
	if b.For == "confirm" {
		return fmt.Sprintf("an override of proposal %s waits for a second person. %s gave it, because %q. Confirm override %s, or leave it.",
			e.ProposalID, b.Actor, b.Reason, b.OverrideID)
	}
	base, quote := b.Market.Base(), b.Market.Quote()
	text := fmt.Sprintf("proposal %s waits for a person until %s: %s ", e.ProposalID, b.ExpiresAt.UTC().Format("15:04 UTC"), b.Side)
	if b.AmountQuote != nil {
		text += fmt.Sprintf("%s for %s %s.", base, b.AmountQuote, quote)
	} else {
		text += fmt.Sprintf("%s %s.", b.Amount, base)
	}
	if b.Rationale != "" {
		text += fmt.Sprintf(" Why: %q.", b.Rationale)
	}
	return text
}

func executed(e Event, b body) string {
	if b.FilledAmount.IsZero() {
		return fmt.Sprintf("proposal %s was executed: order %s ended %s with nothing filled.", e.ProposalID, b.OrderID, b.Status)
	}
	verb := "bought"
	if b.Side == trade.Sell {
		verb = "sold"
	}
	return fmt.Sprintf("proposal %s was executed: %s %s %s for %s %s.",
		e.ProposalID, verb, b.FilledAmount, b.Market.Base(), b.FilledAmountQuote, b.Market.Quote())
}

func failed(e Event, b body) string {
	text := fmt.Sprintf("proposal %s failed with %s and placed nothing", e.ProposalID, b.Code)
	if b.Message != "" {
		text += ": " + strings.TrimSuffix(b.Message, ".")
	}
	return text + "."
}

func blocked(e Event, b body) string {
	var reasons []string
	for _, r := range b.Blocks {
		reasons = append(reasons, fmt.Sprintf("%s (%s)", r.Code, r.Message))
	}
	return fmt.Sprintf("proposal %s was blocked by %s.", e.ProposalID, strings.Join(reasons, ", "))
}

func unresolved(e Event, _ body) string {
	return fmt.Sprintf("whether proposal %s has an order at the exchange is unknown. Nothing is sent again; it is being looked for.", e.ProposalID)
}

func halted(_ Event, b body) string {
	what := "trading is halted"
	if b.State == string(trade.Reducing) {
		what = "trading only reduces what is held"
	}
	return fmt.Sprintf("%s. %s did it, because %q.", what, b.Actor, b.Reason)
}

func resumed(_ Event, b body) string {
	return fmt.Sprintf("trading goes on. %s did it, because %q.", b.Actor, b.Reason)
}

func exhausted(e Event, b body) string {
	return fmt.Sprintf("a model budget of %s is used up (%s), so job %s did not scan: %s.", e.UserID, b.Code, b.Job, strings.TrimSuffix(b.Detail, "."))
}

func differs(_ Event, b body) string {
	if b.Difference == "contradiction" {
		return fmt.Sprintf("ALARM: order %s in %s contradicts the records: %s. The account is halted.", b.OrderID, b.Market, b.Detail)
	}
	return fmt.Sprintf("order %s in %s at the exchange differs from the records: %s.", b.OrderID, b.Market, b.Detail)
}

func failing(_ Event, b body) string {
	return fmt.Sprintf("%d of %d executions that ended in the last hour failed.", b.Failed, b.Ended)
}
