package forgery

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/google/uuid"

	"interlock/activities/notify"
	"interlock/activities/orders"
	"interlock/activities/proposals"
	"interlock/activities/scans"
)

// inputsOf is what an activity is told: what would help an attacker most, then
// copies of what it was really told with something changed, then rubbish.
func inputsOf(r *rand.Rand, l loot, activity string) []any {
	list := l.tailored(r, activity)
	for range min(2, len(l.inputs[activity])) {
		list = append(list, mutated(r, l, pick(r, l.inputs[activity])))
	}
	return append(list, pick(r, rubbish))
}

var rubbish = []any{object{}, "x", 7, []any{}, object{"claim": nil}, object{"claim": object{"executionId": -1}, "number": -1}, object{"proposalId": "", "id": ""}}

// tailored are inputs made for one activity.
func (l loot) tailored(r *rand.Rand, activity string) []any {
	switch activity {
	case proposals.ReadState, proposals.Expire:
		return []any{l.anyProposal(r), "nobody"}
	case proposals.Preflight:
		return []any{verified(request(id(r), l.anyProposal(r)))}
	case proposals.Cancel: // of an open one, it would be a cancel like any other
		return []any{object{"proposalId": oneOf(r, l.over, "nobody"), "actor": Actor, "reason": "because"}, object{"proposalId": "nobody"}}
	case proposals.StoreOverride:
		return []any{object{"via": "api", "override": verified(object{
			"id": id(r), "proposalId": l.anyProposal(r), "cooldown": true, "antiFlip": true, "actor": Actor, "reason": "because",
			"expiresAt": time.Now().Add(24 * time.Hour),
		})}}
	case proposals.NoteRefusal:
		return []any{object{"proposalId": l.anyProposal(r), "signal": "cancel", "problem": "because"}, object{"proposalId": "nobody", "signal": "x"}}
	case proposals.StartProposal:
		return []any{object{"proposalId": oneOf(r, l.over, "nobody"), "actor": Actor, "execute": true}, object{"proposalId": l.anyProposal(r), "actor": Actor}}
	case proposals.Sweep, orders.Reconcile:
		return []any{nil}
	case notify.DueRules:
		return []any{[]string{"nobody"}}
	case notify.Deliver:
		return []any{"nobody"}
	case scans.ReadMarket, scans.ReserveCall, scans.Propose, scans.SettleCall, scans.StoreIdeas, scans.EndScan:
		return []any{l.scan(r)}
	}
	if c, is := l.claim(r); is {
		return l.aboutClaim(r, activity, c)
	}
	return nil
}

// aboutClaim are inputs about an execution: another plan, other orders, other
// times than it has.
func (l loot) aboutClaim(r *rand.Rand, activity string, c object) []any {
	next, order := number(c, "nextAttempt", 1), l.order(r)
	switch activity {
	case proposals.Conclude:
		return []any{attempt(c, next), attempt(tampered(r, c, time.Now()), next), attempt(c, next+1)}
	case proposals.RecordOrder:
		return []any{object{"claim": c, "order": without(order, "fills", "status", "canceled", "filledAmount", "0", "filledAmountQuote", "0", "feePaid", "0")},
			object{"claim": c, "order": mutated(r, l, order)}}
	case proposals.FailExecution:
		return []any{object{"claim": c, "failure": object{"code": "ORDER_ABSENT"}}, object{"claim": c, "failure": object{"code": "EXCHANGE_REFUSED", "exchangeCode": "216"}}}
	case proposals.Resolve:
		return []any{denied(l.doubt(r, c), time.Now()), object{
			"claim": c, "number": next, "order": order, "exchangeNow": time.Now().Add(time.Hour), "actor": Actor, "reason": "because",
		}}
	case orders.PlaceOrder:
		return []any{attempt(tampered(r, c, time.Now()), next), attempt(tampered(r, c, time.Now()), next+1), attempt(c, next+1), attempt(without(c, "", "requestId", "nobody"), next)}
	case orders.FindOrder: // where and since when it is looked for decide what is found
		return []any{attempt(tampered(r, c, time.Now()), next), attempt(without(c, "", "claimedAt", time.Now().Add(time.Hour)), next)}
	}
	return []any{
		object{"claim": tampered(r, c, time.Now()), "orderId": text(order, "orderId")}, object{"claim": c, "orderId": text(order, "orderId")},
		object{"claim": c, "orderId": "nobody"}, object{"claim": c},
	}
}

func attempt(c object, n int) object { return object{"claim": c, "number": n} }

// denied is a person's word that an attempt placed no order, said at a time at
// which that would be known.
func denied(attempt object, now time.Time) object {
	return without(attempt, "", "exchangeNow", now.Add(time.Hour), "actor", Actor, "reason", "because")
}

// doubt is an attempt in doubt; where none is known, the first one of a claim.
func (l loot) doubt(r *rand.Rand, c object) object {
	if d, is := some(r, l.doubts); is {
		return d
	}
	return attempt(c, number(c, "nextAttempt", 1))
}

// request asks preflight for a claim.
func request(id, proposal string) object {
	return object{"id": id, "proposalId": proposal, "actor": Actor, "via": "update"}
}

// verified is what says that its actor was verified.
func verified(o object) object {
	return without(o, "", "verified", true, "identity", "olga", "confirmedBy", []string{"olga", "anna"})
}

// tampered is a claim of something bigger elsewhere; sometimes also under
// another ID and at another time.
func tampered(r *rand.Rand, c object, now time.Time) object {
	plan, _ := c["plan"].(object)
	market := "ETH-EUR"
	if text(plan, "market") == market {
		market = "BTC-EUR"
	}
	bigger := without(plan, "amountQuote", "market", market, "amount", "2.5", "orderType", "market")
	delete(bigger, "price")
	delete(bigger, "timeInForce")
	forged := without(c, "", "plan", bigger, "untried", true)
	if r.IntN(3) == 0 {
		forged["clientOrderId"] = id(r)
	}
	if r.IntN(3) == 0 {
		forged["claimedAt"] = now.Add(time.Minute)
	}
	return forged
}

// without is a copy that lacks one field, and has others.
func without(o object, field string, others ...any) object {
	copied := object{}
	for name, v := range o {
		if name != field {
			copied[name] = v
		}
	}
	for i := 0; i+1 < len(others); i += 2 {
		name, _ := others[i].(string)
		copied[name] = others[i+1]
	}
	return copied
}

// claim is one that was seen; mostly one that may still be in force.
func (l loot) claim(r *rand.Rand) (object, bool) {
	if len(l.claims) > 0 && r.IntN(3) > 0 {
		return l.claims[r.IntN(min(len(l.claims), mostRead))], true
	}
	return some(r, l.claims)
}

func (l loot) order(r *rand.Rand) object {
	o, is := some(r, l.orders)
	if !is {
		return object{"orderId": "nobody", "market": "BTC-EUR", "status": "filled", "filledAmount": "1"}
	}
	return o
}

func (l loot) anyProposal(r *rand.Rand) string {
	return pick(r, []string{oneOf(r, l.open, "nobody"), oneOf(r, l.free, "nobody"), oneOf(r, l.over, "nobody")})
}

// scan is one input for every step of a scan that nobody has scheduled.
func (l loot) scan(r *rand.Rand) object {
	run := "scan-nobody-" + strconv.FormatUint(r.Uint64(), 36)
	return object{
		"id": run, "jobId": "nobody", "run": object{"id": run, "jobId": "nobody"}, "snapshot": "nobody", "number": 1, "code": "SCANNED",
		"job":     object{"id": "nobody", "userId": "anna", "accountId": "paper", "markets": []string{"BTC-EUR"}, "model": "none", "maxIdeas": 9, "maxQuote": "100"},
		"call":    object{"id": id(r), "userId": "anna", "accountId": "paper", "snapshot": "nobody"},
		"answer":  object{"content": "{}", "usageKnown": true},
		"content": `{"proposals":[{"market":"BTC-EUR","side":"buy","amountQuote":"99","confidence":"1","rationale":"because"}]}`,
	}
}

func oneOf(r *rand.Rand, list []string, none string) string {
	if v, is := some(r, list); is {
		return v
	}
	return none
}

func id(r *rand.Rand) string {
	var raw [16]byte
	for i := range raw {
		raw[i] = byte(r.UintN(256))
	}
	u, _ := uuid.FromBytes(raw[:]) // sixteen bytes are always one
	return u.String()
}
