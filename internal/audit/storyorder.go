package audit

import (
	"fmt"
	"strings"
	"time"

	"interlock/internal/trade"
)

type permission struct {
	Override trade.Override `json:"override"`
	Via      string         `json:"via"`
	Reason   string         `json:"reason"` // of a confirmation
	Problem  string         `json:"problem"`
}

func (p permission) who(e Event) string {
	trust := "unverified"
	if p.Override.Verified {
		trust = "verified"
	}
	return fmt.Sprintf("%s (%s, by %s)", orNobody(e.Actor), trust, p.Via)
}

func (p permission) lifts() string {
	var lifted []string
	if p.Override.Cooldown {
		lifted = append(lifted, "cooldown")
	}
	if p.Override.AntiFlip {
		lifted = append(lifted, "anti-flip")
	}
	if len(lifted) == 0 {
		return "nothing"
	}
	return strings.Join(lifted, " and ")
}

func permitted(e Event, p permission) string {
	return fmt.Sprintf("%s permitted one execution in spite of %s, because %q.", p.who(e), p.lifts(), p.Override.Reason)
}

func confirmed(e Event, p permission) string {
	return fmt.Sprintf("%s (verified) stands behind override %s of %s too, because %q.", orNobody(e.Actor), p.Override.ID, p.Override.Actor, p.Reason)
}

func notPermitted(e Event, p permission) string {
	return fmt.Sprintf("%s asked to lift %s, which was refused: %s.", p.who(e), p.lifts(), p.Problem)
}

type attempt struct {
	Number   int                 `json:"number"`
	Deadline time.Time           `json:"deadline"`
	Placing  trade.AttemptResult `json:"placing"`
	Finding  trade.Finding       `json:"finding"`
	Plan     trade.Plan          `json:"plan"`
	Look     trade.Lookup        `json:"look"`
	Code     string              `json:"replyCode"`
	Detail   string              `json:"replyDetail"`
}

func begun(e Event, a attempt) string {
	return fmt.Sprintf("Worker %s began attempt %d with %s. No request of it can act after %s on the exchange's clock.",
		orNobody(e.Actor), a.Number, planned(a.Plan), moment(a.Deadline))
}

func replied(_ Event, a attempt) string {
	p := a.Placing
	switch {
	case p.Reply == trade.Accepted && p.Order != nil:
		return fmt.Sprintf("Attempt %d was accepted as order %s (%s).", a.Number, p.Order.OrderID, p.Order.Status)
	case p.Reply == trade.Refused:
		return fmt.Sprintf("The exchange refused attempt %d: %s.", a.Number, said(p.Code, p.Message))
	case p.Reply == trade.NotSent:
		return fmt.Sprintf("Attempt %d surely was not sent: %s.", a.Number, said(p.Code, p.Message))
	}
	return fmt.Sprintf("What became of attempt %d is unknown: %s.", a.Number, said(p.Code, p.Message))
}

func said(code, message string) string {
	text := strings.TrimSpace(code + " " + message)
	if text == "" {
		return "nothing was said"
	}
	return text
}

func unresolved(_ Event, a attempt) string {
	return fmt.Sprintf("The order of attempt %d is in doubt (%s): UNRESOLVED. Nothing is concluded before %s plus the time within which the exchange shows an order.",
		a.Number, said(a.Code, a.Detail), moment(a.Deadline))
}

func looked(_ Event, a attempt) string {
	at := "at an unknown time of the exchange"
	if !a.Look.ExchangeTime.IsZero() {
		at = "at " + moment(a.Look.ExchangeTime) + " on the exchange's clock"
	}
	switch {
	case a.Look.Result == trade.Found && len(a.Look.Orders) > 0:
		var ids []string
		for _, o := range a.Look.Orders {
			ids = append(ids, fmt.Sprintf("%s (%s)", o.OrderID, o.Status))
		}
		return fmt.Sprintf("A look %s found order %s.", at, strings.Join(ids, " and "))
	case a.Look.Result == trade.NotThere:
		return fmt.Sprintf("A look %s found no order.", at)
	}
	return fmt.Sprintf("A look %s proved nothing: %s.", at, said("", a.Look.Detail))
}

func concluded(_ Event, a attempt) string {
	f := a.Finding
	switch f.Outcome {
	case trade.OutcomeAccepted:
		if f.Result.Order != nil {
			return fmt.Sprintf("Attempt %d is concluded: it placed order %s.", a.Number, f.Result.Order.OrderID)
		}
		return fmt.Sprintf("Attempt %d is concluded: it placed its order.", a.Number)
	case trade.OutcomeVoid:
		return fmt.Sprintf("Attempt %d is concluded: it never began, and never can.", a.Number)
	case trade.OutcomeAbsent:
		return fmt.Sprintf("Attempt %d is concluded: the exchange has no such order, and none can come (%s).", a.Number, said(f.Result.Code, f.Result.Message))
	}
	return fmt.Sprintf("Attempt %d is concluded: %s (%s).", a.Number, strings.ReplaceAll(string(f.Outcome), "_", " "), said(f.Result.Code, f.Result.Message))
}

type personsWord struct {
	Order   *trade.Order `json:"order"`
	Reason  string       `json:"reason"`
	Problem string       `json:"problem"`
}

func word(e Event, w personsWord) string {
	what := "there is no order"
	if w.Order != nil {
		what = "the order is " + w.Order.OrderID
	}
	outcome := "It was taken."
	if w.Problem != "" {
		outcome = "It was not taken: " + w.Problem + "."
	}
	return fmt.Sprintf("%s said that %s, because %q. %s", orNobody(e.Actor), what, w.Reason, outcome)
}

type ended struct {
	Order   trade.Order   `json:"order"`
	Failure trade.Failure `json:"failure"`
	Status  trade.Status  `json:"status"`
}

func recorded(_ Event, end ended) string {
	o := end.Order
	base, quote, _ := strings.Cut(string(o.Market), "-")
	if o.FilledAmount.IsZero() {
		return fmt.Sprintf("Order %s ended %s with nothing filled: EXECUTED.", o.OrderID, o.Status)
	}
	verb := "bought"
	if o.Side == trade.Sell {
		verb = "sold"
	}
	return fmt.Sprintf("Order %s ended %s: %s %s %s for %s %s in %s, fee %s %s. EXECUTED.",
		o.OrderID, o.Status, verb, o.FilledAmount, base, o.FilledAmountQuote, quote, counted(len(o.Fills), "fill"), o.FeePaid, o.FeeCurrency)
}

func failed(_ Event, end ended) string {
	return fmt.Sprintf("It failed with %s (%s): %s.", end.Failure.Code, said(end.Failure.ExchangeCode, end.Failure.Message), end.Status)
}

type contradiction struct {
	Order  trade.Order `json:"order"`
	Detail string      `json:"detail"`
}

func contradicts(_ Event, c contradiction) string {
	return fmt.Sprintf("ALARM: the exchange shows order %s, which the records had denied: %s. The account was halted.", c.Order.OrderID, c.Detail)
}

type haltedOrder struct {
	Order trade.CancelledOrder `json:"order"`
}

func cancelledByHalt(_ Event, h haltedOrder) string {
	base, _, _ := strings.Cut(string(h.Order.Market), "-")
	filled := amountOf(&h.Order.FilledAmount, base) + " filled"
	switch h.Order.Result {
	case trade.CancelOpenCancelled:
		return fmt.Sprintf("A halt cancelled order %s, with %s.", h.Order.OrderID, filled)
	case trade.CancelOpenForeign:
		return fmt.Sprintf("A halt left order %s of another program open.", h.Order.OrderID)
	}
	return fmt.Sprintf("A halt found order %s %s already, with %s.", h.Order.OrderID, h.Order.Status, filled)
}

type refusedSignal struct {
	Signal  string `json:"signal"`
	Problem string `json:"problem"`
}

func signalRefused(_ Event, s refusedSignal) string {
	return fmt.Sprintf("A signal %q was refused: %s.", s.Signal, s.Problem)
}
