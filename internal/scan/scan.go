// Package scan says what a scan job is and how a scan can end. It owns the
// bounds of a job and the codes of its runs; it refuses to know schedules,
// exchanges, models and databases.
package scan

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/budget"
	"interlock/internal/prompt"
	"interlock/internal/trade"
)

// Code says how a scan ended, or why a due time was not scanned. Codes are
// contract. A scan that a budget stopped ends with the budget's codes, joined
// by commas.
type Code string

// How a scan can end.
const (
	Scanned           Code = "SCANNED"
	Skipped           Code = "SCAN_SKIPPED" // the one before still ran
	Missed            Code = "SCAN_MISSED"  // nobody could start it within the catch-up window
	JobPaused         Code = "JOB_PAUSED"
	JobDeleted        Code = "JOB_DELETED"
	MarketUnavailable Code = "MARKET_DATA_UNAVAILABLE"
	MarketStale       Code = "MARKET_DATA_STALE"
	MarketMissing     Code = "MARKET_DATA_MISSING"
	PolicyMissing     Code = "POLICY_MISSING"
	ModelUnreachable  Code = "MODEL_UNREACHABLE" // surely not sent
	ModelBusy         Code = "MODEL_BUSY"        // it answered 429
	ModelFailed       Code = "MODEL_FAILED"      // it answered another error
	ModelUnknown      Code = "MODEL_OUTCOME_UNKNOWN"
	ModelRefused      Code = "MODEL_REFUSED"
	ReplyCutOff       Code = "REPLY_CUT_OFF" // the reply's allowance was used up
	ReplyInvalid      Code = "REPLY_INVALID"
	Unavailable       Code = "SCANS_UNAVAILABLE" // no worker of role scans, or no database, in time
	Cancelled         Code = "SCAN_CANCELLED"
)

// Job is what is scanned, when, for whom and with which model.
type Job struct {
	Spec

	ID        string `json:"id"`
	UserID    string `json:"userId"`
	AccountID string `json:"accountId"`
	Revision  int    `json:"revision"`
	Paused    bool   `json:"paused"`
	Note      string `json:"note,omitempty"`
}

// Spec is the part of a job that a person writes.
type Spec struct {
	Markets      []trade.Market  `json:"markets"`
	Every        trade.Duration  `json:"every,omitempty"` // an interval, or
	Cron         string          `json:"cron,omitempty"`  // five fields, in TimeZone
	TimeZone     trade.TimeZone  `json:"timeZone"`
	Jitter       trade.Duration  `json:"jitter"`
	CatchUp      trade.Duration  `json:"catchUp"` // how late a due time may still be scanned
	Model        string          `json:"model"`
	Prices       budget.Prices   `json:"prices"` // of the model, in euro per million tokens
	Profile      string          `json:"profile"`
	MaxIdeas     int             `json:"maxIdeas"`
	MaxQuote     decimal.Decimal `json:"maxQuote"`  // of one idea, in quote asset
	MaxReply     int             `json:"maxReply"`  // tokens
	Intervals    []string        `json:"intervals"` // of the candles: the short one, then the long one
	ProposalLife trade.Duration  `json:"proposalLife"`
}

// Defaults are what a job gets where nothing was said. Markets, interval, model
// and its prices have none.
func Defaults() Spec {
	return Spec{
		TimeZone: trade.TimeZone{Location: time.UTC}, CatchUp: trade.Duration(time.Minute), Profile: prompt.DefaultProfile,
		MaxIdeas: 3, MaxQuote: decimal.NewFromInt(25), MaxReply: 1000, Intervals: []string{"1m", "1h"},
		ProposalLife: trade.Duration(15 * time.Minute),
	}
}

var (
	idText    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	modelText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$`)
)

// Intervals are the candle lengths that a scan can look at, with their lengths.
var Intervals = map[string]time.Duration{
	"1m": time.Minute, "5m": 5 * time.Minute, "15m": 15 * time.Minute, "30m": 30 * time.Minute, "1h": time.Hour,
	"2h": 2 * time.Hour, "4h": 4 * time.Hour, "6h": 6 * time.Hour, "8h": 8 * time.Hour, "12h": 12 * time.Hour, "1d": 24 * time.Hour,
}

// Check lists everything that makes j unusable as a job, all at once.
func (j Job) Check() error {
	var problems []error
	if !idText.MatchString(j.ID) {
		problems = append(problems, fmt.Errorf("id: %q is not usable; 1 to 40 small letters, digits or dashes", trade.Clip(j.ID)))
	}
	problems = append(problems, trade.CheckID("userId", j.UserID), trade.CheckID("accountId", j.AccountID),
		j.checkMarkets(), j.checkTimes(), j.checkModel(), j.checkIdeas())
	return errors.Join(problems...)
}

func (s Spec) checkMarkets() error {
	const most = 20
	if len(s.Markets) == 0 || len(s.Markets) > most {
		return fmt.Errorf("markets: name 1 to %d", most)
	}
	var problems []error
	for i, m := range s.Markets {
		_, err := trade.ParseMarket("markets", string(m))
		problems = append(problems, err)
		if slices.Index(s.Markets, m) != i {
			problems = append(problems, fmt.Errorf("markets: %s is named twice", m))
		}
	}
	if len(s.Intervals) != 2 || Intervals[s.Intervals[0]] == 0 || Intervals[s.Intervals[1]] <= Intervals[s.Intervals[0]] {
		problems = append(problems, errors.New("intervals: name two candle lengths, the shorter first, like 1m and 1h"))
	}
	return errors.Join(problems...)
}

func (s Spec) checkTimes() error {
	var problems []error
	switch {
	case (s.Every == 0) == (s.Cron == ""):
		problems = append(problems, errors.New("every: give either an interval or a cron expression"))
	case s.Cron != "":
		problems = append(problems, checkCron(s.Cron))
	case s.Every.Std() < 10*time.Second || s.Every.Std() > 30*24*time.Hour:
		problems = append(problems, fmt.Errorf("every: %s must be between 10s and 720h", s.Every))
	}
	if s.Jitter < 0 || s.Jitter.Std() > time.Hour {
		problems = append(problems, fmt.Errorf("jitter: %s must be between 0s and 1h", s.Jitter))
	}
	if s.CatchUp.Std() < 10*time.Second || s.CatchUp.Std() > 24*time.Hour {
		problems = append(problems, fmt.Errorf("catchUp: %s must be between 10s and 24h", s.CatchUp))
	}
	if s.ProposalLife.Std() < time.Minute || s.ProposalLife.Std() > 7*24*time.Hour {
		problems = append(problems, fmt.Errorf("proposalLife: %s must be between 1m and 168h", s.ProposalLife))
	}
	return errors.Join(problems...)
}

func (s Spec) checkModel() error {
	var problems []error
	if !modelText.MatchString(s.Model) {
		problems = append(problems, fmt.Errorf("model: %q is not a model's name", trade.Clip(s.Model)))
	}
	if !slices.Contains(prompt.Profiles(), s.Profile) {
		problems = append(problems, fmt.Errorf("profile: %q is unknown; there are %v", trade.Clip(s.Profile), prompt.Profiles()))
	}
	if s.Prices.Input.IsNegative() {
		problems = append(problems, fmt.Errorf("inputPrice: %s must not be negative", s.Prices.Input))
	}
	if s.Prices.Output.IsNegative() {
		problems = append(problems, fmt.Errorf("outputPrice: %s must not be negative", s.Prices.Output))
	}
	return errors.Join(problems...)
}

func (s Spec) checkIdeas() error {
	var problems []error
	if s.MaxIdeas < 1 || s.MaxIdeas > 10 {
		problems = append(problems, fmt.Errorf("maxIdeas: %d must be between 1 and 10", s.MaxIdeas))
	}
	if !s.MaxQuote.IsPositive() {
		problems = append(problems, fmt.Errorf("maxQuote: %s must be above zero", s.MaxQuote))
	}
	if s.MaxReply < 100 || s.MaxReply > 16000 {
		problems = append(problems, fmt.Errorf("maxReply: %d must be between 100 and 16000 tokens", s.MaxReply))
	}
	return errors.Join(problems...)
}

// Ask is what the model may propose.
func (s Spec) Ask() prompt.Ask {
	return prompt.Ask{Profile: s.Profile, Markets: s.Markets, MaxIdeas: s.MaxIdeas, MaxQuote: s.MaxQuote}
}
