package audit

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// sentences say what a row of each kind tells. A kind that is not among them
// is told by its name and its body.
var sentences = map[string]func(Event) (string, error){
	"proposal.stored":      told(storedProposal),
	"proposal.expired":     told(expired),
	"proposal.cancel":      told(givenUp),
	"person.asked":         told(asked),
	"preflight.claimed":    told(claimed),
	"preflight.blocked":    told(blocked),
	"override.stored":      told(permitted),
	"override.refused":     told(notPermitted),
	"override.confirmed":   told(confirmed),
	"attempt.begun":        told(begun),
	"attempt.replied":      told(replied),
	"attempt.concluded":    told(concluded),
	"execution.unresolved": told(unresolved),
	"execution.resolve":    told(word),
	"execution.recorded":   told(recorded),
	"execution.failed":     told(failed),
	"order.looked":         told(looked),
	"order.contradicts":    told(contradicts),
	"halt.order":           told(cancelledByHalt),
	"signal.refused":       told(signalRefused),
}

// Tell says in plain words what e reports. It never fails: a body that is not
// as its kind should be is shown as it is.
func Tell(e Event) string {
	if sentence, known := sentences[e.Kind]; known {
		if text, err := sentence(e); err == nil {
			return text
		}
	}
	return fmt.Sprintf("%s by %s: %s", e.Kind, orNobody(e.Actor), e.Body)
}

// told decodes a row's body for the sentence about it.
func told[Body any](sentence func(Event, Body) string) func(Event) (string, error) {
	return func(e Event) (string, error) {
		var body Body
		if err := json.Unmarshal(e.Body, &body); err != nil {
			return "", err
		}
		return sentence(e, body), nil
	}
}

func orNobody(actor string) string {
	if actor == "" {
		return "the system"
	}
	return actor
}

func storedProposal(e Event, p trade.Proposal) string {
	text := fmt.Sprintf("%s stored the proposal: %s, for %s on account %s", orNobody(e.Actor), wish(p), p.UserID, p.AccountID)
	if p.Confidence != nil {
		text += ", confidence " + p.Confidence.String()
	}
	text += fmt.Sprintf("; it may be executed until %s.", moment(p.ExpiresAt))
	if p.Rationale != "" {
		text += fmt.Sprintf(" Why: %q.", p.Rationale)
	}
	return text
}

func wish(p trade.Proposal) string {
	base, quote, _ := strings.Cut(string(p.Market), "-")
	text := fmt.Sprintf("%s %s %s", p.Side, amountOf(p.Amount, base), "at the market")
	switch {
	case p.AmountQuote != nil:
		text = fmt.Sprintf("%s %s for %s at the market", p.Side, base, amountOf(p.AmountQuote, quote))
	case p.Price != nil:
		text = fmt.Sprintf("%s %s at %s %s or better", p.Side, amountOf(p.Amount, base), p.Price, quote)
	}
	return text
}

func amountOf(amount *decimal.Decimal, asset string) string {
	if amount == nil {
		return asset
	}
	return amount.String() + " " + asset
}

func expired(Event, struct{}) string { return "Its time was over: EXPIRED." }

type reasoned struct {
	Status trade.Status `json:"status"`
	Reason string       `json:"reason"`
}

func givenUp(e Event, b reasoned) string {
	text := fmt.Sprintf("%s gave it up, because %q", orNobody(e.Actor), b.Reason)
	if b.Status == trade.Cancelled {
		return text + ": CANCELLED."
	}
	return text + fmt.Sprintf(". It was %s already: no further attempt begins, an open order is cancelled.", b.Status)
}

type decided struct {
	Request trade.Request `json:"request"`
	Verdict trade.Verdict `json:"verdict"`
	Claim   *trade.Claim  `json:"claim"`
}

func (d decided) asked(e Event) string {
	text := fmt.Sprintf("%s asked to execute it (%s, request %s)", orNobody(e.Actor), d.Request.Via, d.Request.ID)
	if d.Request.Reason != "" {
		text += fmt.Sprintf(" and gave as reason %q", d.Request.Reason)
	}
	return text
}

func claimed(e Event, d decided) string {
	text := fmt.Sprintf("%s. It passed %s under policy version %d", d.asked(e), counted(len(d.Verdict.Checks), "check"), d.Verdict.PolicyVersion)
	for _, c := range d.Verdict.Checks {
		if len(c.OverriddenBy) > 0 {
			text += fmt.Sprintf(", %s lifted by override %s", c.Code, strings.Join(c.OverriddenBy, " and "))
		}
	}
	if d.Claim == nil {
		return text + "."
	}
	return fmt.Sprintf("%s, and it was claimed: %s, client order ID %s.", text, planned(d.Claim.Plan), d.Claim.ClientOrderID)
}

func planned(p trade.Plan) string {
	base, quote, _ := strings.Cut(string(p.Market), "-")
	text := fmt.Sprintf("a %s order to %s %s", p.OrderType, p.Side, amountOf(p.Amount, base))
	if p.AmountQuote != nil {
		text = fmt.Sprintf("a %s order to %s %s for %s", p.OrderType, p.Side, base, amountOf(p.AmountQuote, quote))
	}
	if p.Price != nil {
		text += fmt.Sprintf(" at %s %s or better", p.Price, quote)
	}
	if p.TimeInForce == "IOC" {
		text += ", at once or not at all"
	}
	return text + fmt.Sprintf(" (market price %s, collar %s to %s)", p.ReferencePrice, p.LowestPrice, p.HighestPrice)
}

func blocked(e Event, d decided) string {
	var reasons []string
	for _, b := range d.Verdict.Blocks() {
		reasons = append(reasons, fmt.Sprintf("%s (%s)", b.Code, b.Message))
	}
	return fmt.Sprintf("%s. It was blocked by %s.", d.asked(e), strings.Join(reasons, ", "))
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
