// Package handover decides what the records of an earlier system mean here:
// what a row must say to count, which proposals may never be executed again,
// and what its policies say of ours. It is pure, owns no table, and refuses to
// guess: what a row does not say plainly is refused by name.
package handover

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// Trade is one executed trade of the earlier system.
type Trade struct {
	Key         string // where it was read; the same row has the same key
	UserID      string
	ProposalID  string // may be empty
	Market      trade.Market
	Asset       string
	Side        trade.Side
	Amount      *decimal.Decimal // base; only when somebody said which column holds it
	AmountQuote *decimal.Decimal
	ExecutedAt  time.Time
}

// Usage is one model call of the earlier system.
type Usage struct {
	Key       string
	UserID    string
	Purpose   string
	Snapshot  string
	Tokens    int64
	Cost      decimal.Decimal // euro; zero when the earlier system did not say
	Success   bool
	CreatedAt time.Time
}

// Proposal is an ID that the earlier system knows, and how far it came there.
type Proposal struct {
	ID     string
	UserID string
	Status string // in capitals
	Source string // the table that says so
}

// Refused is a row that was not brought over, and why.
type Refused struct {
	Table  string `json:"table"`
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

func (r Refused) Error() string { return r.Table + " " + r.Key + ": " + r.Reason }

// Users maps the earlier system's users to ours; one that is not listed keeps
// its ID.
type Users map[string]string

var idText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$`)

// Of is the user here. The error names what cannot be one.
func (u Users) Of(there string) (string, error) {
	here, mapped := u[there]
	if !mapped {
		here = there
	}
	if !idText.MatchString(here) {
		return "", fmt.Errorf("user_id: %q is not an ID here; map it with --user-map", clip(here))
	}
	return here, nil
}

// Row is one row of the earlier system as text, by the name of what we need;
// what is null there is absent.
type Row map[string]string

// farthest is how far ahead of our clock another program's may have been.
const farthest = time.Minute

// ReadTrade decides whether r is a trade that counts.
func ReadTrade(r Row, users Users, now time.Time) (Trade, error) {
	t := Trade{ProposalID: r["proposal_id"]}
	var err error
	if t.UserID, err = users.Of(r["user_id"]); err != nil {
		return t, err
	}
	if t.ExecutedAt, err = instant("executed_at", r, now); err != nil {
		return t, err
	}
	if t.Asset, t.Market, err = asset(r); err != nil {
		return t, err
	}
	switch side := trade.Side(strings.ToLower(r["side"])); side {
	case trade.Buy, trade.Sell:
		t.Side = side
	default:
		return t, fmt.Errorf("side: %q is neither buy nor sell", clip(r["side"]))
	}
	if t.Amount, err = amount("amount", r); err != nil {
		return t, err
	}
	if t.AmountQuote, err = amount("amount_quote", r); err != nil {
		return t, err
	}
	t.Key = key(TradeHistory, r, t.ExecutedAt)
	return t, nil
}

var assetText = regexp.MustCompile(`^[A-Z0-9]{1,12}$`)

// asset reads BTC, BTC/EUR or BTC-EUR. Where a row says both asset and market
// they must agree: cooldown goes by the asset.
func asset(r Row) (string, trade.Market, error) {
	name, text := strings.ToUpper(r["asset"]), strings.ToUpper(r["market"])
	if text == "" && strings.ContainsAny(name, "/-") {
		text = name
	}
	var market trade.Market
	if text != "" {
		var err error
		if market, err = trade.ParseMarket("market", text); err != nil {
			return "", "", err
		}
	}
	name, _, _ = strings.Cut(strings.Replace(name, "/", "-", 1), "-")
	if name == "" {
		name = market.Base()
	}
	if !assetText.MatchString(name) {
		return "", "", fmt.Errorf("asset: %q is not an asset like BTC, nor a market like BTC/EUR", clip(r["asset"]))
	}
	if market != "" && market.Base() != name {
		return "", "", fmt.Errorf("asset: %q is not what market %s trades", clip(r["asset"]), market)
	}
	return name, market, nil
}

// ReadUsage decides whether r is a model call that counts.
func ReadUsage(r Row, users Users, now time.Time) (Usage, error) {
	u := Usage{Purpose: clip(r["purpose"]), Snapshot: clip(r["snapshot_id"]), Success: r["success"] == "true"}
	var err error
	if u.UserID, err = users.Of(r["user_id"]); err != nil {
		return u, err
	}
	if u.CreatedAt, err = instant("created_at", r, now); err != nil {
		return u, err
	}
	tokens, err := amount("tokens", r)
	if err != nil {
		return u, err
	}
	if tokens == nil || !tokens.IsInteger() || tokens.GreaterThan(decimal.NewFromInt(mostTokens)) {
		return u, fmt.Errorf("tokens: %q is not a whole number from 0 to %d", clip(r["tokens"]), mostTokens)
	}
	u.Tokens = tokens.IntPart()
	if cost, err := amount("cost", r); err != nil {
		return u, err
	} else if cost != nil {
		u.Cost = *cost
	}
	u.Key = key(UsageLog, r, u.CreatedAt)
	return u, nil
}

// mostTokens is more than any one call can use.
const mostTokens = 1_000_000_000

// ReadProposal decides whether r names a proposal that the earlier system knows.
func ReadProposal(table string, r Row) (Proposal, error) {
	p := Proposal{ID: r["proposal_id"], UserID: r["user_id"], Status: strings.ToUpper(strings.TrimSpace(r["status"])), Source: table}
	if !idText.MatchString(p.ID) {
		return p, fmt.Errorf("proposal_id: %q can be no ID here, so it cannot be executed here either", clip(p.ID))
	}
	if p.Status == "" {
		p.Status = "UNKNOWN"
	}
	return p, nil
}

// Tables of the earlier system.
const (
	TradeHistory    = "trade_history"
	TradeExecutions = "trade_executions"
	TradeProposals  = "trade_proposals"
	UsageLog        = "gpt_usage_log"
	TradingPolicies = "trading_policies"
)

// Untouched reports whether the earlier system has only stored the proposal.
// Whatever else it did may have sent an order, a failure too: it called failed
// what it could not read of the exchange's answer.
func (p Proposal) Untouched() bool { return p.Source == TradeProposals && p.Status == "PENDING" }

// over are the ends an execution can have there.
var over = map[string]bool{
	"EXECUTED": true, "COMPLETED": true, "SUCCESS": true, "FAILED": true, "REJECTED": true, "CANCELLED": true, "EXPIRED": true,
}

// InFlight reports whether an order of the proposal may still be on its way
// there. An execution with a status that nobody has explained to us is one.
func (p Proposal) InFlight() bool {
	switch p.Source {
	case TradeExecutions:
		return !over[p.Status]
	case TradeProposals:
		return p.Status == "EXECUTING" || p.Status == "UNRESOLVED"
	}
	return false
}

func instant(name string, r Row, now time.Time) (time.Time, error) {
	text, there := r[name]
	if !there {
		return time.Time{}, fmt.Errorf("%s: is empty; cooldown, counts and budgets need it", name)
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %q is not an instant", name, clip(text))
	}
	if at.After(now.Add(farthest)) {
		return time.Time{}, fmt.Errorf("%s: %s lies in the future", name, at.Format(time.RFC3339))
	}
	return at, nil
}

func amount(name string, r Row) (*decimal.Decimal, error) {
	text, there := r[name]
	if !there {
		return nil, nil
	}
	value, err := trade.ParseDecimal(name, text)
	if err != nil {
		return nil, err
	}
	if value.IsNegative() {
		return nil, fmt.Errorf("%s: %s is negative", name, clip(text))
	}
	return &value, nil
}

// key names a row by all that must not change: where two systems number their
// rows alike, time and user tell them apart.
func key(table string, r Row, at time.Time) string {
	return fmt.Sprintf("%s/%s/%s/%d", table, r["id"], r["user_id"], at.UnixMicro())
}

// clip keeps messages and notes short, whatever was in a row.
func clip(text string) string {
	const most = 100
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
