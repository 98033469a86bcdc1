package trade

// Code names one reason why a proposal does not trade. Codes are contract:
// they are only ever added.
type Code string

// Preconditions; none can be overridden.
const (
	PolicyMissing   Code = "POLICY_MISSING"
	ProposalClosed  Code = "PROPOSAL_CLOSED"
	ProposalExpired Code = "PROPOSAL_EXPIRED"
	RequestTooLate  Code = "REQUEST_TOO_LATE"
	TradingHalted   Code = "TRADING_HALTED"
	OrderUnresolved Code = "ORDER_UNRESOLVED"
	ClockSkew       Code = "CLOCK_SKEW"
)

// The seven guarantees' checks; only cooldown and anti-flip can be overridden.
const (
	AllowlistEmpty     Code = "ALLOWLIST_EMPTY"
	MarketNotAllowed   Code = "MARKET_NOT_ALLOWED"
	OrderTooSmall      Code = "ORDER_TOO_SMALL"
	OrderTooLarge      Code = "ORDER_TOO_LARGE"
	ConfidenceTooLow   Code = "CONFIDENCE_TOO_LOW"
	CooldownBlocked    Code = "COOLDOWN_BLOCKED"
	AntiFlipBlocked    Code = "ANTI_FLIP_BLOCKED"
	DailyLimitReached  Code = "DAILY_LIMIT_REACHED"
	HourlyLimitReached Code = "HOURLY_LIMIT_REACHED"
)

// Beyond the seven; none can be overridden.
const (
	PriceStale           Code = "PRICE_STALE"
	PriceOutsideCollar   Code = "PRICE_OUTSIDE_COLLAR"
	ExposureLimitReached Code = "EXPOSURE_LIMIT_REACHED"
	RepeatThrottle       Code = "REPEAT_THROTTLE"
	ReconcileStale       Code = "RECONCILE_STALE"
)

// Refusals of a request before any check, and ends of an execution.
const (
	OverrideReasonRequired Code = "OVERRIDE_REASON_REQUIRED"
	OverrideRefused        Code = "OVERRIDE_REFUSED"
	SideMismatch           Code = "SIDE_MISMATCH"
	ExchangeRefused        Code = "EXCHANGE_REFUSED"
	ExchangeUnavailable    Code = "EXCHANGE_UNAVAILABLE"
	OrderAbsent            Code = "ORDER_ABSENT"
	CancelRequested        Code = "CANCEL_REQUESTED"
)

// PreflightCodes lists every code a verdict can carry, in the order in which
// blocks are reported.
func PreflightCodes() []Code {
	return []Code{
		PolicyMissing, ProposalClosed, ProposalExpired, RequestTooLate, TradingHalted, OrderUnresolved, ClockSkew,
		AllowlistEmpty, MarketNotAllowed, OrderTooSmall, OrderTooLarge, ConfidenceTooLow,
		CooldownBlocked, AntiFlipBlocked, DailyLimitReached, HourlyLimitReached,
		PriceStale, PriceOutsideCollar, ExposureLimitReached, RepeatThrottle, ReconcileStale,
	}
}
