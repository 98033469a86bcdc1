package verify

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

// The doctored pairs below are each honest but for one thing. Helpers find
// what to change by what it is, so that a new stored run changes nothing here.

func find[T any](list []T, is func(T) bool) *T {
	i := slices.IndexFunc(list, is)
	if i < 0 {
		panic("the stored run has no such row")
	}
	return &list[i]
}

func (p *pair) proposal(id string) *ProposalRow {
	return find(p.Records.Proposals, func(r ProposalRow) bool { return r.ID == id })
}

func (p *pair) execution(id string) *ExecutionRow {
	return find(p.Records.Executions, func(r ExecutionRow) bool { return r.ProposalID == id })
}

func (p *pair) order(id string) *Order {
	client := p.execution(id).ClientOrderID
	return find(p.Ledger.Orders, func(o Order) bool { return o.ClientOrderID == client })
}

func (p *pair) attempt(id string, number int) *AttemptRow {
	execution := p.execution(id).ID
	return find(p.Records.Attempts, func(a AttemptRow) bool { return a.ExecutionID == execution && a.Number == number })
}

func (p *pair) trade(id string) *TradeRow {
	return find(p.Records.Trades, func(r TradeRow) bool { return orEmpty(r.ProposalID) == id })
}

// lookup is the n-th one from the end of what was looked for, from 1 on.
func (p *pair) lookup(id string, n int) *LookRow {
	execution := p.execution(id).ID
	for i := len(p.Records.Looks) - 1; i >= 0; i-- {
		if p.Records.Looks[i].ExecutionID == execution {
			if n--; n == 0 {
				return &p.Records.Looks[i]
			}
		}
	}
	panic("the stored run has no such lookup")
}

func (p *pair) fill(id string) *FillRow {
	execution := p.execution(id).ID
	return find(p.Records.Fills, func(r FillRow) bool { return r.ExecutionID == execution })
}

func (p *pair) override(id string) *OverrideRow {
	return find(p.Records.Overrides, func(r OverrideRow) bool { return r.ProposalID == id })
}

// event is the last audit row of a kind about a proposal.
func (p *pair) event(kind, proposal string) int {
	for i := len(p.Records.Audit) - 1; i >= 0; i-- {
		if r := p.Records.Audit[i]; r.Kind == kind && orEmpty(r.ProposalID) == proposal {
			return i
		}
	}
	panic("the stored run has no " + kind + " of " + proposal)
}

// part is the text of what a body has under a path of names; empty when it has
// no such thing.
func part(text string, names ...string) string {
	for _, name := range names {
		var parts map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &parts) != nil {
			return ""
		}
		text = string(parts[name])
	}
	return text
}

func (p *pair) edit(kind, proposal, from, to string) {
	r := &p.Records.Audit[p.event(kind, proposal)]
	if !strings.Contains(r.Body, from) {
		panic(r.Body + " does not contain " + from)
	}
	r.Body = strings.Replace(r.Body, from, to, 1)
	p.rechain()
}

func (p *pair) forget(kind, proposal string) {
	i := p.event(kind, proposal)
	p.Records.Audit = slices.Delete(p.Records.Audit, i, i+1)
	p.rechain()
}

// tell inserts a copy of an audit row before or after it.
func (p *pair) tell(kind, proposal string, by int, change func(*AuditRow)) {
	i := p.event(kind, proposal)
	row := p.Records.Audit[i]
	change(&row)
	p.Records.Audit = slices.Insert(p.Records.Audit, i+by, row)
	p.rechain()
}

// rechain makes every chain whole again, so that only what it tells is wrong.
func (p *pair) rechain() {
	for h := range p.Records.Heads {
		head := &p.Records.Heads[h]
		head.Seq, head.Hash = 0, make([]byte, 32)
		for i := range p.Records.Audit {
			r := &p.Records.Audit[i]
			if r.Chain == head.Chain {
				head.Seq++
				r.Seq, r.PrevHash = head.Seq, head.Hash
				r.Hash = hashOf(*r)
				head.Hash = r.Hash
			}
		}
	}
}

// policy changes one field of every stored policy, in the audit too.
func (p *pair) policy(field, value string) {
	change := func(text string) string {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			panic(err)
		}
		fields[field] = json.RawMessage(value)
		out, _ := json.Marshal(fields)
		return string(out)
	}
	for i, row := range p.Records.Policies {
		p.Records.Policies[i].Body = change(row.Body)
	}
	for i, row := range p.Records.Audit {
		if row.Kind == kindPolicy {
			p.Records.Audit[i].Body = strings.Replace(row.Body, part(row.Body, "policy"), change(part(row.Body, "policy")), 1)
		}
	}
	p.rechain()
}

// ghost is an order that never traded, under a client order ID.
func (p *pair) ghost(like, client, status string) *Order {
	o := *p.order(like)
	o.OrderID, o.ClientOrderID, o.Status, o.Fills = "ghost", client, status, nil
	o.FilledAmount, o.FilledQuote, o.FeePaid, o.OnHold = decimal.Zero, decimal.Zero, decimal.Zero, decimal.Zero
	p.Ledger.Orders = append(p.Ledger.Orders, o)
	return &p.Ledger.Orders[len(p.Ledger.Orders)-1]
}

// planned makes an order the one that a proposal planned.
func (p *pair) planned(o *Order, id string) {
	plan, err := readPlan(p.execution(id).Plan)
	if err != nil {
		panic(err)
	}
	o.Market, o.Side, o.Type, o.TimeInForce = plan.Market, plan.Side, plan.OrderType, plan.TimeInForce
	o.Amount, o.AmountQuote, o.Price, o.OnHoldAsset = plan.Amount, plan.AmountQuote, plan.Price, quoteOf(plan.Market)
}

func ptr[T any](v T) *T { return &v }

func minus(d decimal.Decimal, text string) decimal.Decimal { return d.Sub(dec(text)) }

var doctored = []struct {
	name string
	do   func(p *pair)
	want []string // every rule that is broken, and no other
}{
	{"a second order under one ID", func(p *pair) { p.ghost("p-buy", p.order("p-buy").ClientOrderID, "canceled") }, []string{OneOrder}},
	{"a second order under one ID in another market", func(p *pair) {
		o := p.ghost("p-buy", p.order("p-buy").ClientOrderID, "canceled")
		o.Market = "LTC-EUR"
	}, []string{OneOrder, OrderKnown}},
	{"an execution under another's ID", func(p *pair) { p.execution("p-void").ClientOrderID = p.execution("p-word").ClientOrderID }, []string{ClientID}},
	{"an order that nobody knows", func(p *pair) { p.ghost("p-buy", "0d6a3f6e-0000-4000-8000-000000000001", "canceled") }, []string{OrderKnown}},
	{"an order without a client order ID", func(p *pair) { p.ghost("p-buy", "", "canceled") }, []string{OrderKnown}},
	{"another order than was accepted", func(p *pair) { p.order("p-rest").OrderID = "another" }, []string{OrderKnown, OrderExists}},
	{"a foreign order that was not announced", func(p *pair) { p.Options.Foreign = nil }, []string{OrderKnown}},
	{"an accepted order that is nowhere", func(p *pair) {
		p.attempt("p-rest", 1).OrderID = ptr("nowhere")
		p.edit(kindReplied, "p-rest", p.order("p-rest").OrderID, "nowhere")
	}, []string{OrderExists, OrderKnown}},
	{"an order on the other side", func(p *pair) { o := p.order("p-rest"); o.Side, o.OnHoldAsset = "sell", "ADA" },
		[]string{OrderKnown, OrderExists, BalancesAddUp, HouseAddsUp}},
	{"an order larger than planned", func(p *pair) { o := p.order("p-buy"); o.Amount = ptr(o.Amount.Add(dec("0.00000001"))) }, []string{OrderPlanned}},
	{"an order of another type", func(p *pair) { p.order("p-rest").TimeInForce = "FOK" }, []string{OrderPlanned}},
	{"a fill beyond the price", func(p *pair) { o := p.order("p-rest"); o.Price = ptr(dec("0.4")) }, []string{OrderPlanned}},
	{"a plan larger than proposed", func(p *pair) {
		p.proposal("p-word").AmountQuote = ptr(dec("19"))
		p.edit(kindStored, "p-word", `"amountQuote":"20"`, `"amountQuote":"19"`)
	}, []string{OrderPlanned}},
	{"executed without an accepted attempt", func(p *pair) {
		a := p.attempt("p-buy", 1)
		a.Verdict, a.OrderID = ptr("refused"), nil
		p.edit(kindReplied, "p-buy", `"reply":"accepted"`, `"reply":"refused"`)
	}, []string{OneAccepted}},
	{"failed with an accepted attempt", func(p *pair) {
		a := p.attempt("p-void", 1)
		a.Verdict, a.OrderID = ptr(accepted), ptr(p.order("p-buy").OrderID)
		p.edit(kindConcluded, "p-void", `"verdict":"void","placing":{`, `"verdict":"accepted","placing":{"order":{"orderId":"`+*a.OrderID+`"},`)
		o := p.execution("p-void")
		o.Market = "BTC-EUR"
		p.proposal("p-void").Market = "BTC-EUR"
	}, []string{OneAccepted, OrderOfOne, AttemptsInTurn, OrderExists, OrderPlanned, AuditProposals}},
	{"failed, and the exchange has its order", func(p *pair) { p.planned(p.ghost("p-buy", p.execution("p-void").ClientOrderID, "canceled"), "p-void") }, []string{NoOrderClosed}},
	{"never claimed, and the exchange has its order", func(p *pair) {
		b := p.proposal("p-blocked")
		p.ghost("p-buy", clientOrderID(p.Records.Installation, b.AccountID, b.UserID, b.ID), "new")
	}, []string{NoOrderClosed, OrderKnown}},
	{"unresolved, and the exchange has its order", func(p *pair) { p.planned(p.ghost("p-buy", p.execution("p-doubt").ClientOrderID, "new"), "p-doubt") }, []string{AnswerTaken}},
	{"unresolved for ever", func(p *pair) { p.Records.Now = p.Records.Now.Add(10 * time.Minute) }, []string{AnswerTaken}},
	{"executing, and its order is final", func(p *pair) {
		o := p.order("p-rest")
		o.Status = "canceled"
		h := p.Ledger.Accounts["main"]["EUR"]
		p.Ledger.Accounts["main"]["EUR"] = Holding{h.Available.Add(o.OnHold), h.InOrder.Sub(o.OnHold)}
		o.OnHold = decimal.Zero
	}, []string{AnswerTaken}},
	{"proposal and execution differ", func(p *pair) { p.proposal("p-doubt").Status = executing }, []string{StatusAgrees}},
	{"an end without being over", func(p *pair) { p.execution("p-rest").EndedAt = ptr(p.Records.Now) }, []string{StatusAgrees}},
	{"a proposal of no account", func(p *pair) { p.Records.Accounts = nil; p.Records.Now = p.execution("p-doubt").ClaimedAt }, []string{StatusAgrees}},
	{"over while its order is open", func(p *pair) { p.order("p-buy").Status = "partiallyFilled" }, []string{OverWhenFinal}},
	{"over in a status that nobody knows", func(p *pair) {
		p.order("p-buy").Status = "settling"
		p.execution("p-buy").OrderStatus = ptr("settling")
		p.edit(kindRecorded, "p-buy", `"status":"filled"`, `"status":"settling"`)
	}, []string{OverWhenFinal}},
	{"a difference with an order that is nowhere", func(p *pair) { p.Records.Differences[0].OrderID = "nowhere" }, []string{DifferentTrue}},

	{"a fill that is not recorded", func(p *pair) {
		id := p.fill("p-buy").FillID
		p.Records.Fills = slices.DeleteFunc(p.Records.Fills, func(f FillRow) bool { return f.FillID == id })
		p.edit(kindRecorded, "p-buy", `"fills":[{"id":"`+id+`"`, `"fills":[],"was":[{"id":"`+id+`"`)
	}, []string{FillsRecorded}},
	{"a fill recorded twice", func(p *pair) { p.Records.Fills = append(p.Records.Fills, *p.fill("p-buy")) }, []string{FillsRecorded, AuditEnds}},
	{"a fill recorded with another price", func(p *pair) { f := p.fill("p-buy"); f.Price = minus(f.Price, "1") }, []string{FillsRecorded}},
	{"fees of two fills swapped", func(p *pair) {
		var two []*FillRow
		for i := range p.Records.Fills {
			if f := &p.Records.Fills[i]; f.ExecutionID == p.execution("p-twice").ID {
				two = append(two, f)
			}
		}
		last := len(two) - 1
		if two[0].Fee.Equal(two[last].Fee) {
			panic("the stored run has no two fees that differ")
		}
		two[0].Fee, two[last].Fee = two[last].Fee, two[0].Fee
	}, []string{FillsRecorded}},
	{"a fill that is not settled yet", func(p *pair) { o := p.order("p-buy"); o.Fills[0].Fee = nil }, []string{FillsRecorded, BalancesAddUp, HouseAddsUp}},
	{"a fill of an order that is still open", func(p *pair) {
		f, o := *p.fill("p-buy"), p.order("p-rest")
		f.FillID, f.ExecutionID, f.OrderID, f.Market = o.Fills[0].ID, p.execution("p-rest").ID, o.OrderID, o.Market
		p.Records.Fills = append(p.Records.Fills, f)
	}, []string{FillsRecorded}},
	{"a fee paid that is not the exchange's", func(p *pair) {
		e := p.execution("p-buy")
		p.edit(kindRecorded, "p-buy", `"feePaid":"`+e.FeePaid.String(), `"feePaid":"9.99`)
		e.FeePaid = dec("9.99")
	}, []string{SumsRecorded}},
	{"filled before it is over", func(p *pair) { p.execution("p-rest").FilledAmount = dec("25") }, []string{SumsRecorded}},
	{"a trade that is not recorded", func(p *pair) {
		p.Records.Trades = slices.DeleteFunc(p.Records.Trades, func(r TradeRow) bool { return orEmpty(r.ProposalID) == "p-buy" })
	}, []string{TradeRecorded}},
	{"a trade recorded twice", func(p *pair) { p.Records.Trades = append(p.Records.Trades, *p.trade("p-buy")) }, []string{TradeRecorded}},
	{"a trade of another amount", func(p *pair) { r := p.trade("p-buy"); r.Amount = ptr(minus(*r.Amount, "0.00000001")) }, []string{TradeRecorded}},
	{"a trade at another time", func(p *pair) { r := p.trade("p-buy"); r.ExecutedAt = r.ExecutedAt.Add(time.Millisecond) }, []string{TradeRecorded}},
	{"a trade of an execution that does not exist", func(p *pair) {
		r := *p.trade("p-buy")
		r.ExecutionID = ptr(int64(99999))
		p.Records.Trades = append(p.Records.Trades, r)
	}, []string{TradeRecorded}},
	{"an order that is not the sum of its fills", func(p *pair) {
		o := find(p.Ledger.Orders, func(o Order) bool { return o.Holder == "other" })
		o.FilledQuote = minus(o.FilledQuote, "0.01")
	}, []string{LedgerAddsUp}},
	{"a balance one cent short", func(p *pair) {
		h := p.Ledger.Accounts["main"]["EUR"]
		p.Ledger.Accounts["main"]["EUR"] = Holding{minus(h.Available, "0.01"), h.InOrder}
	}, []string{BalancesAddUp}},
	{"a hold that no order has", func(p *pair) {
		h := p.Ledger.Accounts["main"]["EUR"]
		p.Ledger.Accounts["main"]["EUR"] = Holding{minus(h.Available, "0.01"), h.InOrder.Add(dec("0.01"))}
	}, []string{BalancesAddUp}},
	{"an asset out of nowhere", func(p *pair) { p.Ledger.Accounts["main"]["XRP"] = Holding{dec("1"), decimal.Zero} }, []string{BalancesAddUp}},
	{"an account that is not there", func(p *pair) { delete(p.Ledger.Accounts, "main") }, []string{BalancesAddUp}},
	{"a house that kept a fee", func(p *pair) { p.Ledger.Fees["EUR"] = minus(p.Ledger.Fees["EUR"], "0.01") }, []string{HouseAddsUp}},

	{"an attempt begun before the last had its verdict", func(p *pair) {
		p.attempt("p-twice", 2).ConcludedAt = ptr(p.attempt("p-twice", 3).BegunAt.Add(time.Millisecond))
	}, []string{AttemptsInTurn}},
	{"two attempts alive", func(p *pair) {
		a := p.attempt("p-twice", 2)
		a.Verdict, a.ConcludedAt = nil, nil
		p.Records.Audit = slices.DeleteFunc(p.Records.Audit, func(r AuditRow) bool {
			return r.Kind == kindReplied && orEmpty(r.ProposalID) == "p-twice" && part(r.Body, "number") == "2"
		})
		p.rechain()
	}, []string{AttemptsInTurn, AttemptOfClaim}},
	{"an attempt that is missing", func(p *pair) {
		id := p.execution("p-twice").ID
		p.Records.Attempts = slices.DeleteFunc(p.Records.Attempts, func(a AttemptRow) bool { return a.ExecutionID == id && a.Number == 1 })
		p.Records.Audit = slices.DeleteFunc(p.Records.Audit, func(r AuditRow) bool {
			return (r.Kind == kindReplied || r.Kind == kindBegun) && orEmpty(r.ProposalID) == "p-twice" && part(r.Body, "number") == "1"
		})
		p.rechain()
	}, []string{AttemptsInTurn}},
	{"an attempt of no claim", func(p *pair) { p.attempt("p-buy", 1).RequestID = "another" }, []string{AttemptOfClaim}},
	{"an attempt of an earlier claim", func(p *pair) { p.attempt("p-twice", 3).RequestID = p.attempt("p-twice", 1).RequestID }, []string{AttemptOfClaim}},
	{"an attempt before its claim", func(p *pair) { a := p.attempt("p-rest", 1); a.BegunAt = a.BegunAt.Add(-time.Minute) }, []string{AttemptOfClaim}},
	{"an attempt of an execution that does not exist", func(p *pair) {
		a := *p.attempt("p-buy", 1)
		a.ExecutionID = 99999
		p.Records.Attempts = append(p.Records.Attempts, a)
	},
		[]string{AttemptOfClaim, AuditAttempts, AuditVerdicts}},
	{"an attempt long after its claim", func(p *pair) { a := p.attempt("p-rest", 1); a.BegunAt = a.BegunAt.Add(41 * time.Second) }, []string{AttemptInTime}},
	{"an order created after its deadline", func(p *pair) {
		o := p.order("p-rest")
		o.CreatedAt = p.attempt("p-rest", 1).Deadline.Add(time.Millisecond)
	}, []string{AttemptInTime}},
	{"an attempt after a halt of everything", func(p *pair) { p.halt("*", "HALTED", "p-lost") }, []string{AttemptUnhalted}},
	{"an attempt after a halt of the account", func(p *pair) { p.halt("paper", "HALTED", "p-lost") }, []string{AttemptUnhalted}},
	{"an attempt after an alarm", func(p *pair) {
		p.halt("paper", "HALTED", "p-lost")
		i := p.event(kindBegun, "p-lost") - 1
		p.Records.Audit[i].Kind, p.Records.Audit[i].Body = kindContradicts, `{"order":{"orderId":"x","market":"BTC-EUR"}}`
		p.rechain()
	}, []string{AttemptUnhalted}},
	{"a buy while only reducing", func(p *pair) { p.halt("paper", "REDUCING", "p-lost") }, []string{AttemptUnhalted}},
	{"an attempt with another plan than was claimed", func(p *pair) { p.edit(kindBegun, "p-buy", `"amount":"0.001"`, `"amount":"0.002"`) }, []string{AttemptPlanned}},
	{"one order accepted for two", func(p *pair) {
		a := p.attempt("p-lost", 1)
		p.edit(kindConcluded, "p-lost", *a.OrderID, p.order("p-buy").OrderID)
		a.OrderID = ptr(p.order("p-buy").OrderID)
	}, []string{OrderOfOne, OneAccepted, OrderExists, OrderKnown}},
	{"an absence that nobody saw", func(p *pair) { p.lookup("p-absent", 2).ExchangeTime = p.attempt("p-absent", 1).Deadline }, []string{AbsenceSeen}},
	{"two lookups at once", func(p *pair) { p.lookup("p-absent", 2).ExchangeTime = p.lookup("p-absent", 1).ExchangeTime }, []string{AbsenceSeen}},
	{"a lookup of another attempt", func(p *pair) {
		p.lookup("p-absent", 2).Number = 2
		p.edit(kindLooked, "p-absent", `"number":1`, `"number":2`)
	}, []string{AbsenceSeen}},
	{"a denial before it could be known", func(p *pair) {
		a := p.attempt("p-word", 1)
		later := a.Deadline.Add(20 * time.Second)
		p.edit(kindBegun, "p-word", a.Deadline.UTC().Format("2006-01-02T15:04:05"), later.UTC().Format("2006-01-02T15:04:05"))
		a.Deadline = &later
	}, []string{AbsenceSeen}},
	{"a refusal that nobody gave", func(p *pair) { p.edit(kindFailed, "p-absent", `"ORDER_ABSENT"`, `"EXCHANGE_REFUSED"`) }, []string{FailureTrue}},
	{"an absence that was not concluded", func(p *pair) { p.edit(kindFailed, "p-void", `"EXCHANGE_UNAVAILABLE"`, `"ORDER_ABSENT"`) }, []string{FailureTrue}},
	{"an expiry before its time", func(p *pair) {
		r := p.Records.Audit[p.event(kindExpired, "p-expired")]
		p.proposal("p-expired").ExpiresAt = r.At.Add(time.Second)
		p.edit(kindStored, "p-expired", part(p.Records.Audit[p.event(kindStored, "p-expired")].Body, "expiresAt"), `"`+r.At.Add(time.Second).UTC().Format(time.RFC3339Nano)+`"`)
	}, []string{ExpiredInTime}},
	{"an override of somebody who proved nothing", func(p *pair) { p.Options.NoneVerified = true; p.override("p-allowed").Verified = true }, []string{NoneVerified}},

	{"a claim although a check failed", func(p *pair) {
		p.edit(kindClaimed, "p-buy", `"passed":true`, `"passed":false`)
		v := find(p.Records.Verdicts, func(v VerdictRow) bool { return v.ProposalID == "p-buy" })
		v.Body = strings.Replace(v.Body, `"passed":true`, `"passed":false`, 1)
	}, []string{LimitPolicy}},
	{"a claim under a policy that is not stored", func(p *pair) {
		p.Records.Policies = slices.DeleteFunc(p.Records.Policies, func(r PolicyRow) bool { return r.UserID == "bert" })
	}, []string{LimitPolicy, AuditPolicies}},
	{"a claim under an old policy", func(p *pair) {
		row := *find(p.Records.Policies, func(r PolicyRow) bool { return r.UserID == "anna" })
		row.Version = 2
		p.Records.Policies = append(p.Records.Policies, row)
		p.tell(kindClaimed, "p-buy", 0, func(r *AuditRow) {
			r.Kind, r.ProposalID, r.At, r.Body = kindPolicy, nil, r.At.Add(-2*commitSlack), `{"version":2,"policy":`+row.Body+`}`
		})
	}, []string{LimitPolicy}},
	{"a policy that cannot be read", func(p *pair) { p.policy("cooldown", `"soon"`) }, []string{LimitPolicy}},
	{"a policy without a limit", func(p *pair) { p.policy("tradesPerDay", `null`) }, []string{LimitPolicy}},
	{"a market off the allowlist", func(p *pair) { p.policy("allowlist", `["BTC-EUR","ETH-EUR","ADA-EUR"]`) }, []string{LimitAllowlist}},
	{"too little confidence", func(p *pair) { p.policy("minConfidence", `"0.91"`) }, []string{LimitConfidence}},
	{"no confidence", func(p *pair) {
		p.proposal("p-buy").Confidence = nil
		p.edit(kindStored, "p-buy", `"confidence":"0.9",`, "")
	}, []string{LimitConfidence}},
	{"above the cap in quote", func(p *pair) { p.policy("maxOrderQuote", `"99.99"`) }, []string{LimitSize}},
	{"above the cap in base", func(p *pair) { p.policy("maxOrderBase", `{"BTC":"0.01","ETH":"0.2","SOL":"2","ADA":"99.99"}`) }, []string{LimitSize}},
	{"above the cap in base for an amount in quote", func(p *pair) { p.policy("maxOrderBase", `{"BTC":"0.01","ETH":"0.034","SOL":"2","ADA":"500"}`) }, []string{LimitSize}},
	{"an asset without a cap", func(p *pair) { p.policy("maxOrderBase", `{"BTC":"0.01","ETH":"0.2","SOL":"2"}`) }, []string{LimitSize}},
	{"one trade too many in the hour", func(p *pair) { p.policy("tradesPerHour", "5") }, []string{LimitHour}},
	{"one trade too many in the day", func(p *pair) { p.policy("tradesPerDay", "5") }, []string{LimitDay}},
	{"a cooldown that nothing lifted", func(p *pair) { p.override("p-allowed").ConsumedBy = nil }, []string{LimitCooldown}},
	{"an override of an earlier time", func(p *pair) { o := p.override("p-allowed"); o.StoredAt = o.StoredAt.Add(-time.Hour) }, []string{LimitCooldown}},
	{"an override that had expired", func(p *pair) { o := p.override("p-allowed"); o.ExpiresAt = o.StoredAt }, []string{LimitCooldown}},
	{"a flip that nothing lifted", func(p *pair) {
		o := p.override("p-sell")
		o.AntiFlip = false
		p.edit(kindClaimed, "p-sell", `"overrideAntiFlip":true`, `"overrideAntiFlip":false`)
	}, []string{LimitAntiFlip}},
	{"too much in one market", func(p *pair) { p.policy("exposureMarket", `"150"`) }, []string{LimitExposure}},
	{"too much on the account", func(p *pair) { p.policy("exposureAccount", `"300"`) }, []string{LimitExposure}},
	{"one claim too many for the throttle", func(p *pair) { p.policy("repeatThrottle", `{"executions":5,"window":"1h"}`) }, []string{LimitThrottle}},

	{"a byte of the audit", func(p *pair) { p.Records.Audit[3].Body = flipped(p.Records.Audit[3].Body) }, []string{AuditChain}},
	{"the last rows of the audit", func(p *pair) {
		i := slices.IndexFunc(p.Records.Audit, func(r AuditRow) bool { return r.Kind == kindDiffers })
		p.Records.Audit = slices.Delete(p.Records.Audit, i, i+1)
	}, []string{AuditChain, AuditCompares}},
	{"a chain without a head", func(p *pair) { p.Records.Heads = p.Records.Heads[1:] }, []string{AuditChain}},
	{"a head without a chain", func(p *pair) { p.Records.Heads = append(p.Records.Heads, HeadRow{"another", 1, make([]byte, 32)}) }, []string{AuditChain}},
	{"an audit row that does not say enough", func(p *pair) { p.edit(kindConcluded, "p-void", `"number":`, `"nummer":`) }, []string{AuditBody, AuditVerdicts}},
	{"a block that is not told", func(p *pair) { p.forget(kindBlocked, "p-blocked") }, []string{AuditClaims}},
	{"a claim that is not told", func(p *pair) { p.forget(kindClaimed, "p-void") }, []string{AuditClaims, AuditEnds, AttemptOfClaim}},
	{"an attempt that is not told", func(p *pair) { p.forget(kindBegun, "p-buy") }, []string{AuditAttempts}},
	{"an attempt told with another deadline", func(p *pair) { p.edit(kindBegun, "p-buy", `"deadline":"20`, `"deadline":"21`) }, []string{AuditAttempts}},
	{"a reply that is not told", func(p *pair) { p.forget(kindReplied, "p-buy") }, []string{AuditVerdicts}},
	{"a conclusion that is not told", func(p *pair) { p.forget(kindConcluded, "p-lost") }, []string{AuditVerdicts}},
	{"a verdict given twice", func(p *pair) { p.tell(kindConcluded, "p-lost", 1, func(*AuditRow) {}) }, []string{AuditVerdicts}},
	{"a person's word that is not told", func(p *pair) { p.forget(kindResolve, "p-word") }, []string{AuditVerdicts}},
	{"a look that is not told", func(p *pair) { p.forget(kindLooked, "p-lost") }, []string{AuditLooks}},
	{"a record that is not told", func(p *pair) { p.forget(kindRecorded, "p-buy") }, []string{AuditEnds}},
	{"a failure that is not told", func(p *pair) { p.forget(kindFailed, "p-void") }, []string{AuditEnds}},
	{"an end that is told twice", func(p *pair) { p.tell(kindFailed, "p-void", 1, func(*AuditRow) {}) }, []string{AuditEnds}},
	{"a doubt that is not told", func(p *pair) { p.forget(kindUnresolved, "p-doubt") }, []string{AuditEnds}},
	{"a proposal without a beginning", func(p *pair) { p.forget(kindStored, "p-expired") }, []string{AuditProposals}},
	{"an expiry that is not told", func(p *pair) { p.forget(kindExpired, "p-expired") }, []string{AuditProposals}},
	{"a cancel that is not told", func(p *pair) { p.forget(kindCancel, "p-cancelled") }, []string{AuditProposals}},
	{"a proposal that is gone", func(p *pair) {
		p.Records.Proposals = slices.DeleteFunc(p.Records.Proposals, func(r ProposalRow) bool { return r.ID == "p-cancelled" })
	}, []string{AuditProposals}},
	{"an override that is not told", func(p *pair) { p.forget(kindOverride, "p-allowed") }, []string{AuditOverrides}},
	{"an override consumed for nothing", func(p *pair) { p.override("p-allowed").ConsumedBy = ptr("nobody") }, []string{AuditOverrides, LimitCooldown}},
	{"a policy that was changed", func(p *pair) {
		row := &p.Records.Policies[0]
		row.Body = strings.Replace(row.Body, `"priceMaxAge":"1m0s"`, `"priceMaxAge":"2m0s"`, 1)
	}, []string{AuditPolicies}},
	{"a state that nobody set", func(p *pair) { p.Records.Controls[0].State = "HALTED" }, []string{AuditControls}},
	{"an alarm that did not halt", func(p *pair) {
		p.tell(kindExpired, "p-expired", 1, func(r *AuditRow) {
			r.Kind, r.ProposalID, r.Body = kindContradicts, nil, `{"order":{"orderId":"x","market":"BTC-EUR"}}`
		})
	}, []string{AuditControls}},
	{"a contradiction without an alarm", func(p *pair) { p.Records.Differences[0].Kind = "contradiction" }, []string{AuditCompares}},
	{"a scope without a state", func(p *pair) { p.Records.Controls = p.Records.Controls[:1] }, []string{AuditControls}},
	{"differences that are not told", func(p *pair) {
		p.Records.Audit = slices.DeleteFunc(p.Records.Audit, func(r AuditRow) bool { return r.Kind == kindDiffers })
		p.rechain()
	}, []string{AuditCompares}},
	{"everything heard, and some of it again", func(p *pair) { p.hear(); p.hear() }, nil},
	{"an event that is not heard", func(p *pair) { p.hear(); p.Options.Heard = p.Options.Heard[1:] }, []string{EventsTold}},
	{"nothing heard", func(p *pair) { p.Options.Heard = []Heard{} }, []string{EventsTold}},
	{"an event that nothing was", func(p *pair) {
		p.hear()
		p.Options.Heard = append(p.Options.Heard, Heard{1 << 40, "executed", "p-expired"})
	}, []string{EventsTold}},
	{"events heard in another order", func(p *pair) {
		p.hear()
		heard := p.Options.Heard
		for i, h := range heard {
			if j := slices.IndexFunc(heard[i+1:], func(o Heard) bool { return o.ProposalID == h.ProposalID }); j >= 0 {
				heard[i], heard[i+1+j] = heard[i+1+j], heard[i]
				return
			}
		}
		panic("the stored run has no proposal of two events")
	}, []string{EventsTold}},
	{"one number for two events", func(p *pair) {
		p.hear()
		last := len(p.Options.Heard) - 1
		p.Options.Heard[last].ID = p.Options.Heard[0].ID
	}, []string{EventsTold}},
}

// hear lets a service hear what the audit tells, once more.
func (p *pair) hear() {
	for i, row := range p.Records.Audit {
		if kind, is := eventKinds[row.Kind]; is && row.Chain == p.Options.Account {
			p.Options.Heard = append(p.Options.Heard, Heard{int64(i), kind, orEmpty(row.ProposalID)})
		}
	}
}

// halt sets a scope's state just before the last attempt of a proposal began,
// and takes it back just after.
func (p *pair) halt(scope, state, proposal string) {
	begun := p.Records.Audit[p.event(kindBegun, proposal)]
	set := func(state string, by time.Duration) AuditRow {
		return AuditRow{Chain: scope, At: begun.At.Add(by), Kind: kindState, Body: `{"state":"` + state + `","reason":"test"}`}
	}
	i := p.event(kindBegun, proposal)
	if scope == begun.Chain {
		p.Records.Audit = slices.Insert(p.Records.Audit, i+1, set("ACTIVE", 1))
		p.Records.Audit = slices.Insert(p.Records.Audit, i, set(state, -1))
	} else {
		p.Records.Audit = slices.Insert(p.Records.Audit, 0, set(state, -1), set("ACTIVE", 1))
	}
	p.rechain()
}

func rulesOf(found []Violation) []string {
	var names []string
	for _, v := range found {
		names = append(names, v.Rule)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestEveryKindOfViolationIsFound(t *testing.T) {
	unproven, names := map[string]bool{}, map[string]bool{}
	for _, rule := range Rules() {
		require.False(t, unproven[rule.Name], "%s is listed twice", rule.Name)
		require.NotEmpty(t, rule.Proves)
		unproven[rule.Name], names[rule.Name] = true, true
	}
	for _, d := range doctored {
		t.Run(d.name, func(t *testing.T) {
			p := honest(t)
			d.do(&p)
			found := p.check()
			want := slices.Sorted(slices.Values(d.want))
			require.Equal(t, want, rulesOf(found), "%v", found)
			for _, v := range found {
				require.True(t, names[v.Rule], "%s is in the closed list", v.Rule)
				require.NotEmpty(t, v.Subject)
				require.NotEmpty(t, v.Detail)
			}
		})
		if len(d.want) > 0 {
			delete(unproven, d.want[0])
		}
	}
	require.Empty(t, unproven, "rules without a doctored run of their own")
}

// A throttle that was full halts; whoever resumes has seen that, and it counts
// from there.
func TestTheThrottleCountsAnewFromAResume(t *testing.T) {
	p := honest(t)
	p.policy("repeatThrottle", `{"executions":5,"window":"1h"}`)
	over := p.check()
	require.NotEmpty(t, over)
	for _, v := range over {
		require.Equal(t, LimitThrottle, v.Rule)
		i := p.event(kindClaimed, v.Subject)
		resumed := AuditRow{Chain: "paper", At: p.Records.Audit[i].At.Add(-50 * time.Millisecond), Kind: kindState, Body: `{"state":"ACTIVE","reason":"test"}`}
		p.Records.Audit = slices.Insert(p.Records.Audit, i, resumed)
	}
	p.rechain()
	require.Empty(t, p.check())
}
