package simulation

import (
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
	"interlock/workflows"
)

// scenario is what the outside does to one proposal, apart from faults of
// single steps.
type scenario struct {
	stale, moved, databaseDown, exchangeDown []window
	ends                                     []end
}

// end is when the run that lives then is terminated, or reset.
type end struct {
	at    time.Time
	reset bool
}

func (w *world) drawScenario() scenario {
	s := scenario{
		stale: w.drawWindow(0.04, time.Second, time.Minute), moved: w.drawWindow(0.04, time.Second, time.Minute),
		databaseDown: w.drawWindow(0.08, time.Second, time.Minute), exchangeDown: w.drawWindow(0.1, time.Second, 10*time.Minute),
	}
	if w.chance(0.01) {
		s.exchangeDown = w.drawWindow(1, 30*time.Minute, 3*time.Hour)
	}
	for range 3 {
		if w.chance(0.2) {
			s.ends = append(s.ends, end{w.now.Add(w.between(0, time.Minute)), w.chance(0.4)})
		}
	}
	s.ends = append(s.ends, end{at: w.now.Add(longest)})
	slices.SortFunc(s.ends, func(a, b end) int { return a.at.Compare(b.at) })
	return s
}

const policyText = `{
	"timeZone": "UTC", "allowlist": ["BTC-EUR"], "minConfidence": "0", "cooldown": %q, "antiFlip": "0s",
	"tradesPerDay": "unlimited", "tradesPerHour": "unlimited", "maxOrderQuote": "unlimited", "maxOrderBase": "unlimited",
	"exposureMarket": "unlimited", "exposureAccount": "unlimited", "priceCollar": "0.02", "priceMaxAge": "60s",
	"reconcileMaxAge": "10m", "limitOrderTTL": "2m", "repeatThrottle": "unlimited", "autoExecute": false,
	"modelBudget": {"callsPerDay": 0, "callsPerHour": 0, "tokensPerDay": 0, "costPerDay": "0"}
}`

func newRecords(w *world) *records {
	r := &records{w: w, control: trade.Active, verdicts: map[string]verdict{}, fills: map[string]trade.Fill{}}
	cooldown := "0s"
	if w.chance(0.1) {
		cooldown = "1h" // and a trade stands against the proposal until somebody overrides
		r.history = []trade.PastTrade{{Ref: "earlier", Asset: "BTC", Side: trade.Buy, At: w.now.Add(-time.Minute)}}
	}
	policy, err := trade.ParsePolicy(fmt.Appendf(nil, policyText, cooldown))
	if err != nil {
		panic(err)
	}
	r.policy = policy
	r.rules = trade.MarketRules{
		TickSize: decimal.NewFromInt(1), QuantityDecimals: 8, NotionalDecimals: 2,
		MinBase: decimal.RequireFromString("0.0001"), MinQuote: decimal.NewFromInt(5), Status: "trading",
	}
	r.proposal = w.drawProposal()
	r.statuses = []statusAt{{w.now, trade.Pending}}
	return r
}

func (w *world) drawProposal() trade.Proposal {
	confidence, amount := decimal.NewFromInt(1), decimal.RequireFromString("0.002")
	p := trade.Proposal{
		ID: proposed, UserID: user, AccountID: account, Market: "BTC-EUR", Side: trade.Buy, OrderType: trade.MarketOrder,
		Amount: &amount, Confidence: &confidence, Status: trade.Pending, CreatedAt: w.now, ExpiresAt: w.now.Add(w.between(5*time.Minute, time.Hour)),
	}
	switch n := w.rng.IntN(10); {
	case n < 3: // rests in the book
		p.OrderType, p.Price = trade.LimitOrder, &market
	case n < 5: // no price of its own
		quote := decimal.NewFromInt(100)
		p.Amount, p.AmountQuote = nil, &quote
	}
	if w.chance(0.2) {
		p.ExpiresAt = w.now.Add(w.between(2*time.Second, 90*time.Second))
	}
	return p
}

// request is somebody's wish to execute.
type request struct {
	id     string
	asked  time.Time
	answer *workflows.ExecuteResult
	err    error
	over   bool
}

// prepare puts everything that the outside will do on the agenda.
func (w *world) prepare() {
	for round, at := range []time.Duration{w.between(0, 2*time.Second), w.between(5*time.Second, time.Minute), w.between(40*time.Second, 5*time.Minute)} {
		if round > 0 && w.chance(0.5) {
			continue
		}
		for range 1 + w.rng.IntN(3) {
			w.after(at+w.between(0, time.Second), w.execute)
		}
	}
	if w.focus == wrongWord {
		for range 8 {
			w.after(w.between(5*time.Second, 40*time.Second), w.resolve)
			w.after(w.between(5*time.Second, 40*time.Second), w.execute)
		}
	}
	w.perhaps(0.12, 60*time.Second, func() {
		w.signal(workflows.CancelSignal, workflows.CancelRequest{Actor: "anna", Reason: "news"})
	})
	w.perhaps(0.05, 60*time.Second, func() { w.deliver(input{kind: cancelled}) })
	w.perhaps(0.2, 30*time.Second, func() {
		w.signal(workflows.OverrideName, workflows.OverrideRequest{Cooldown: true, Actor: "olga", Reason: "news", Execute: true})
	})
	w.perhaps(0.15, 40*time.Second, w.halt)
	for range 3 {
		w.perhaps(0.15, 3*time.Minute, w.resolve)
		w.perhaps(0.1, time.Minute, func() { w.deliver(input{kind: suggested}) })
	}
	w.sweep()
}

// longest bounds a run: the longest outage and whatever follows it.
const longest = 6 * time.Hour

func (w *world) perhaps(p float64, until time.Duration, do func()) {
	if w.chance(p) {
		w.after(w.between(0, until), do)
	}
}

func (w *world) signal(name string, payload any) {
	w.deliver(input{kind: signalled, name: name, payload: payload})
}

func (w *world) execute() {
	r := &request{id: fmt.Sprintf("request-%d", len(w.requests)), asked: w.time()}
	w.requests = append(w.requests, r)
	payload := workflows.ExecuteRequest{Actor: "anna"}
	if w.chance(0.7) {
		payload.NotAfter = w.time().Add(30 * time.Second)
	}
	if w.chance(0.1) {
		payload.OverrideCooldown, payload.Reason = true, "news"
	}
	w.deliver(input{kind: updated, name: workflows.ExecuteUpdate, request: r, payload: payload})
}

// halt stops trading, and lets somebody resume it, or nobody.
func (w *world) halt() {
	w.strike("halt")
	state := trade.Halted
	if w.chance(0.3) {
		state = trade.Reducing
	}
	w.records.setControl(state)
	if w.chance(0.6) {
		w.after(w.between(time.Second, 2*time.Minute), func() {
			if !w.records.alarmed {
				w.records.setControl(trade.Active)
			}
		})
	}
}

// resolve is a person's word: mostly right, sometimes wrong. Without the look
// before sending nobody speaks: that look is what a wrong word rests on.
func (w *world) resolve() {
	if w.locks.blindSend {
		return
	}
	word := workflows.ResolveRequest{Actor: "olga", Reason: "looked at the web page", Absent: true}
	if len(w.exchange.orders) > 0 && w.focus != wrongWord && w.chance(0.7) {
		word.Absent, word.OrderID = false, w.exchange.orders[0].now().OrderID
	}
	if w.chance(0.1) {
		word.Absent, word.OrderID = false, "order-of-somebody-else"
	}
	w.signal(workflows.ResolveName, word)
}

// sweep is what workflow Sweep does for a run that does not know its claim.
func (w *world) sweep() {
	w.after(5*time.Minute, func() {
		if e := w.records.current(); e != nil && e.open() && w.time().Sub(e.followedAt) > 10*time.Minute {
			w.strike("sweep woke the workflow")
			w.signal(workflows.RefreshSignal, struct{}{})
		}
		if !w.records.proposal.Status.Closed() {
			w.sweep()
		}
	})
}

// run lives the proposal, through as many runs of its workflow as it takes,
// and then lets everything that is still under way happen.
func (w *world) run() {
	w.prepare()
	w.pass(w.now.Add(w.between(0, time.Second)), w.wanted)
	next := workflows.ProposalInput{}
	var repeats *life
	var until time.Time
	for bugs := 0; ; {
		l, end, carried := w.start(next, repeats, until)
		w.sayf("the workflow ended: %s", end)
		next, repeats = workflows.ProposalInput{}, nil
		switch end {
		case closed:
			w.checkClosed(l)
			if !w.chance(0.05) {
				w.settle()
				return
			}
			w.strike("closed workflow reset")
			repeats, until = l, w.somewhere(l)
		case continued:
			w.strike("continued as new")
			next = carried
		case killed:
			ended := w.plan.ends[0]
			switch {
			case len(w.plan.ends) == 1:
				w.wrongf("the workflow has not ended after %s", longest)
				w.settle()
				return
			case ended.reset:
				w.strike("workflow reset")
				repeats, until = l, w.somewhere(l)
			default:
				w.strike("workflow terminated")
				w.resend(l)
			}
			w.pass(w.now.Add(w.between(0, 40*time.Second)), w.wanted)
		case failed:
			if bugs++; bugs > 5 {
				w.wrongf("the workflow fails again and again")
				w.settle()
				return
			}
			w.resend(l)
			w.pass(w.now.Add(time.Minute), w.wanted)
		}
	}
}

func (w *world) wanted() bool { return len(w.mail) > 0 }

// somewhere is a moment to reset a run to.
func (w *world) somewhere(l *life) time.Time {
	return l.began.Add(w.between(2*time.Millisecond, l.env.Now().Sub(l.began)))
}

// resend lets clients whose run went away ask again, under the same ID.
func (w *world) resend(l *life) {
	for _, in := range l.inbox {
		if in.request != nil && !in.request.over && w.chance(0.7) {
			w.strike("request sent again")
			w.after(w.between(0, 20*time.Second), func() { w.deliver(in) })
		}
	}
}

// settle runs the clocks on until nothing is under way: every request arrived,
// every zombie thawed.
func (w *world) settle() {
	w.pass(w.now.Add(2*time.Hour), func() bool { return false })
	w.finished = true
	for _, t := range w.threads {
		t.stop()
	}
	w.checkEnd()
}
