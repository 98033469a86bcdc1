package verify

// The names of the rules. They are only ever added to.
const (
	OneOrder      = "one-order"
	ClientID      = "client-order-id"
	OrderKnown    = "order-known"
	OrderExists   = "order-exists"
	OrderPlanned  = "order-as-planned"
	OneAccepted   = "one-accepted-attempt"
	NoOrderClosed = "no-order-when-closed"
	AnswerTaken   = "answer-taken"
	StatusAgrees  = "status-agrees"
	OverWhenFinal = "over-when-final"
	DifferentTrue = "differences-true"
	OrderOfOne    = "order-of-one"

	FillsRecorded = "fills-recorded"
	SumsRecorded  = "sums-recorded"
	TradeRecorded = "trade-recorded"
	LedgerAddsUp  = "ledger-adds-up"
	BalancesAddUp = "balances-add-up"
	HouseAddsUp   = "house-adds-up"

	AttemptsInTurn  = "attempts-in-turn"
	AttemptOfClaim  = "attempt-of-claim"
	AttemptInTime   = "attempt-in-time"
	AttemptUnhalted = "attempt-unhalted"
	AttemptPlanned  = "attempt-as-claimed"

	AbsenceSeen   = "absence-seen"
	FailureTrue   = "failure-true"
	ExpiredInTime = "expired-in-time"
	NoneVerified  = "nobody-verified"

	LimitPolicy     = "limit-policy"
	LimitAllowlist  = "limit-allowlist"
	LimitConfidence = "limit-confidence"
	LimitSize       = "limit-size"
	LimitHour       = "limit-hour"
	LimitDay        = "limit-day"
	LimitCooldown   = "limit-cooldown"
	LimitAntiFlip   = "limit-anti-flip"
	LimitExposure   = "limit-exposure"
	LimitThrottle   = "limit-throttle"

	AuditChain     = "audit-chain"
	AuditBody      = "audit-body"
	AuditClaims    = "audit-claims"
	AuditAttempts  = "audit-attempts"
	AuditVerdicts  = "audit-verdicts"
	AuditLooks     = "audit-looks"
	AuditEnds      = "audit-ends"
	AuditProposals = "audit-proposals"
	AuditOverrides = "audit-overrides"
	AuditPolicies  = "audit-policies"
	AuditControls  = "audit-controls"
	AuditCompares  = "audit-comparisons"

	EventsTold = "events-told"
)

// Rule is one promise that Check holds a run to.
type Rule struct {
	Name   string `json:"name"`
	Proves string `json:"proves"` // when no violation bears its name
}

// Rules lists every rule that Check can find broken.
func Rules() []Rule {
	return []Rule{
		{OneOrder, "No client order ID is borne by two orders at the exchange, over all markets: a proposal has one order at most."},
		{ClientID, "Every execution's client order ID is the one derived from installation, account, user and proposal, and nobody else's."},
		{OrderKnown, "Every order at the exchange is known: one execution has its client order ID, market, side and, once accepted, its order ID."},
		{OrderExists, "Every order in our records exists at the exchange, in the same market, on the same side, under the same client order ID."},
		{OrderPlanned, "Every order has the type, amount and price that its claim planned and its proposal asked for, and no fill is worse than its price."},
		{OneAccepted, "Every EXECUTED execution has exactly one accepted attempt, which is for its order; a FAILED one has none."},
		{NoOrderClosed, "Nothing that is PENDING, FAILED, EXPIRED or CANCELLED has an order at the exchange."},
		{AnswerTaken, "Nothing is EXECUTING or UNRESOLVED whose answer the exchange had: a final order, or surely none."},
		{StatusAgrees, "Proposal and execution say the same, and an execution has an end exactly when it is over."},
		{OverWhenFinal, "The order of an execution that is over is final at the exchange, in the status that was recorded."},
		{DifferentTrue, "Every difference that our records list is of an order that the exchange has."},
		{OrderOfOne, "No order was accepted for two executions."},

		{FillsRecorded, "The fills at the exchange and the rows of order_fills are the same, one to one: amounts, prices, fees, times."},
		{SumsRecorded, "What an execution says was filled and paid is what the exchange says."},
		{TradeRecorded, "Every execution that filled has one row in trade_history, with the order's sums and the time of its last fill; no other has one."},
		{LedgerAddsUp, "The exchange's own sums are those of its fills, and no fill occurs twice."},
		{BalancesAddUp, "What the account started with, plus all its fills and fees, is what it has; what is on hold is what its open orders hold."},
		{HouseAddsUp, "What the accounts gave and got by their fills is what the house got and gave; what they paid in fees was taken in."},

		{AttemptsInTurn, "The attempts of an execution are numbered without a gap, each begun after the one before had its verdict; at most one is in doubt or accepted, and it is the last."},
		{AttemptOfClaim, "Every attempt belongs to a claim of its execution, and begins and ends while that claim is in force."},
		{AttemptInTime, "No attempt began more than 30 s after its claim, and no order was created after the deadline of its attempt."},
		{AttemptUnhalted, "No attempt began while a halt, by people or by an alarm, was committed, nor one that does not reduce while the account was REDUCING."},
		{AttemptPlanned, "Every attempt began with the market, side, type, amount and price that its own claim was granted."},

		{AbsenceSeen, "Every order that was concluded to be absent was not found by two lookups after its deadline and L, at least L apart, or was said to be absent by a person after that."},
		{FailureTrue, "A claim failed for the exchange's refusal, or because there is no order, exactly when its last attempt was concluded so."},
		{ExpiredInTime, "No proposal expired before its time."},
		{NoneVerified, "In a run in which nobody proved who they are, no override counts as a verified person's."},

		{LimitPolicy, "Every claim passed every check, under the policy version in force."},
		{LimitAllowlist, "Every claim is for a market that its policy allows."},
		{LimitConfidence, "Every claim's proposal states at least the confidence that its policy asks for."},
		{LimitSize, "Neither the planned order nor what it filled is above its policy's caps in quote and in base."},
		{LimitHour, "At every claim, the user's trades of the last 60 minutes and open executions left room for one more."},
		{LimitDay, "At every claim, the user's trades of that calendar day and open executions left room for one more."},
		{LimitCooldown, "At every claim, no trade in the asset was younger than the cooldown, unless an override that was consumed looked past it."},
		{LimitAntiFlip, "At every claim, no opposite trade in the asset was younger than the anti-flip time, unless an override that was consumed looked past it."},
		{LimitExposure, "At every claim of a buy, what was held and on order, with it, was within the limits of market and account."},
		{LimitThrottle, "At every claim, the account's claims within the throttle's window and since it was last resumed left room for one more."},

		{AuditChain, "Every audit chain is whole: numbered without a gap, each row hashed over the one before, the head equal to the last."},
		{AuditBody, "Every audit row says what its kind promises to say."},
		{AuditClaims, "Every verdict of preflight has its audit row, claimed or blocked, and every claim its execution."},
		{AuditAttempts, "Every attempt that a worker began has one audit row that says so, with the same deadline and client order ID."},
		{AuditVerdicts, "Every attempt's verdict is the one that exactly one audit row gave it."},
		{AuditLooks, "Every look has its audit row."},
		{AuditEnds, "Every claim ended once in the audit, recorded or failed, or is open; what was recorded is what the execution says."},
		{AuditProposals, "Every proposal, expiry and cancel has its audit row, and no proposal was stored twice."},
		{AuditOverrides, "Every override has its audit row, or came with the request that consumed it."},
		{AuditPolicies, "Every policy version in the audit is the one that is stored."},
		{AuditControls, "Every scope's trading state is the last one that the audit says was set, by people or by an alarm."},
		{AuditCompares, "Every comparison that found differences has its audit row, and every contradiction its alarm."},

		{EventsTold, "What the audit says was blocked, failed, unresolved or executed was heard by the service that is told, at least once, under one number each, and in the audit's order for each proposal."},
	}
}
