// Package budget decides whether a user may call a language model once more. It
// owns the rules and their codes; it refuses to know how usage is kept, what a
// model is, and what time it is: whoever asks brings a snapshot of what counts.
package budget

import (
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// Code names an allowance that is used up. Codes are contract.
type Code string

// The allowances, in the order in which they are reported.
const (
	DailyExhausted  Code = "DAILY_BUDGET_EXHAUSTED"
	HourlyExhausted Code = "HOURLY_BUDGET_EXHAUSTED"
	TokensExhausted Code = "TOKEN_BUDGET_EXHAUSTED"
	CostExhausted   Code = "COST_BUDGET_EXHAUSTED"
)

// Usage is what counts against a user's allowances at one instant: facts, and
// reservations at their worst.
type Usage struct {
	CallsToday    int             `json:"callsToday"`
	CallsLastHour int             `json:"callsLastHour"`
	TokensToday   int64           `json:"tokensToday"`
	CostToday     decimal.Decimal `json:"costToday"` // euro
}

// Ask is the most that one more call can use.
type Ask struct {
	Tokens int64           `json:"tokens"`
	Cost   decimal.Decimal `json:"cost"` // euro
}

// Exhausted says which allowance does not admit a call, and why.
type Exhausted struct {
	Code    Code   `json:"code"`
	Used    string `json:"used"`
	Limit   string `json:"limit"`
	Message string `json:"message"`
}

// Day is from when on usage counts as today's at now.
func Day(zone trade.TimeZone, now time.Time) time.Time { return zone.DayStart(now) }

// Hour is after which instant usage counts as the last hour's at now: a call
// made exactly an hour ago no longer does.
func Hour(now time.Time) time.Time { return now.Add(-time.Hour) }

// Check lists every allowance that does not admit one more call at its worst,
// DAILY first; none means that it may be made.
func Check(limits trade.ModelBudget, used Usage, ask Ask) (no []Exhausted) {
	if !admits(limits.CallsPerDay, int64(used.CallsToday)+1) {
		no = append(no, exhausted(DailyExhausted, fmt.Sprint(used.CallsToday), limits.CallsPerDay, "calls were made or reserved today"))
	}
	if !admits(limits.CallsPerHour, int64(used.CallsLastHour)+1) {
		no = append(no, exhausted(HourlyExhausted, fmt.Sprint(used.CallsLastHour), limits.CallsPerHour, "calls were made or reserved in the last hour"))
	}
	if !admits(limits.TokensPerDay, used.TokensToday+ask.Tokens) {
		no = append(no, exhausted(TokensExhausted, fmt.Sprint(used.TokensToday), limits.TokensPerDay,
			fmt.Sprintf("tokens are used or reserved today, and the call may use %d", ask.Tokens)))
	}
	if l := limits.CostPerDay; !l.Unlimited && used.CostToday.Add(ask.Cost).GreaterThan(l.Value) {
		no = append(no, exhausted(CostExhausted, used.CostToday.String(), l,
			fmt.Sprintf("euro are spent or reserved today, and the call may cost %s", ask.Cost)))
	}
	return no
}

func admits(limit trade.CountLimit, total int64) bool {
	return limit.Unlimited || total <= int64(limit.Value)
}

func exhausted(code Code, used string, limit fmt.Stringer, what string) Exhausted {
	return Exhausted{Code: code, Used: used, Limit: limit.String(), Message: fmt.Sprintf("%s of %s %s", used, limit, what)}
}

// Codes joins the codes of a refusal, in their order.
func Codes(no []Exhausted) string {
	codes := make([]string, len(no))
	for i, e := range no {
		codes[i] = string(e.Code)
	}
	return strings.Join(codes, ",")
}

// Prices are what a model costs, in euro per million tokens.
type Prices struct {
	Input  decimal.Decimal `json:"input"`
	Output decimal.Decimal `json:"output"`
}

var million = decimal.NewFromInt(1_000_000)

// Cost is what so many tokens cost, exactly.
func (p Prices) Cost(input, output int64) decimal.Decimal {
	return p.Input.Mul(decimal.NewFromInt(input)).Add(p.Output.Mul(decimal.NewFromInt(output))).Div(million)
}

// framing is more than what chat formats add to a message of each role.
const framing = 64

// Worst is the most that a call can use: no tokenizer makes more tokens of a
// text than it has bytes, and no reply is longer than was allowed.
func (p Prices) Worst(promptBytes, maxReply int64) Ask {
	input := promptBytes + framing
	return Ask{Tokens: input + maxReply, Cost: p.Cost(input, maxReply)}
}
