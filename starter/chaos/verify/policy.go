package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // a policy's zone must load on hosts without zone files

	"github.com/shopspring/decimal"
)

// policy is the part of a trading policy that limits what may be claimed. A
// nil limit is knowingly none.
type policy struct {
	zone               *time.Location
	allowed            map[string]bool
	minConfidence      decimal.Decimal
	cooldown, antiFlip time.Duration
	perDay, perHour    *int
	maxQuote           *decimal.Decimal
	maxBase            map[string]decimal.Decimal // nil: none
	perMarket, perAll  *decimal.Decimal           // exposure
	throttle           *throttle
}

type throttle struct {
	executions int
	window     time.Duration
}

type policyKey struct {
	user, account string
	version       int
}

func (k policyKey) String() string {
	return fmt.Sprintf("%s on %s, version %d", k.user, k.account, k.version)
}

type policyWire struct {
	TimeZone        *string          `json:"timeZone"`
	Allowlist       *[]string        `json:"allowlist"`
	MinConfidence   *decimal.Decimal `json:"minConfidence"`
	Cooldown        *string          `json:"cooldown"`
	AntiFlip        *string          `json:"antiFlip"`
	TradesPerDay    *limit[int]      `json:"tradesPerDay"`
	TradesPerHour   *limit[int]      `json:"tradesPerHour"`
	MaxOrderQuote   *amount          `json:"maxOrderQuote"`
	MaxOrderBase    *amounts         `json:"maxOrderBase"`
	ExposureMarket  *amount          `json:"exposureMarket"`
	ExposureAccount *amount          `json:"exposureAccount"`
	RepeatThrottle  *limit[struct {
		Executions *int    `json:"executions"`
		Window     *string `json:"window"`
	}] `json:"repeatThrottle"`
}

type (
	amount  = limit[decimal.Decimal]
	amounts = limit[map[string]decimal.Decimal]
)

// limit is a value, or the word for none.
type limit[T any] struct{ value *T }

// UnmarshalJSON reads the value or "unlimited".
func (l *limit[T]) UnmarshalJSON(data []byte) error {
	if string(data) == `"unlimited"` {
		return nil
	}
	l.value = new(T)
	return json.Unmarshal(data, l.value)
}

func readPolicy(text string) (p policy, err error) {
	w, err := decode[policyWire](text)
	if err != nil {
		return p, err
	}
	p = policy{
		allowed: map[string]bool{}, minConfidence: *w.MinConfidence,
		perDay: w.TradesPerDay.value, perHour: w.TradesPerHour.value,
		maxQuote: w.MaxOrderQuote.value, perMarket: w.ExposureMarket.value, perAll: w.ExposureAccount.value,
	}
	for _, m := range *w.Allowlist {
		p.allowed[m] = true
	}
	if w.MaxOrderBase.value != nil {
		p.maxBase = *w.MaxOrderBase.value
	}
	var errs [4]error
	p.zone, errs[0] = time.LoadLocation(*w.TimeZone)
	p.cooldown, errs[1] = time.ParseDuration(*w.Cooldown)
	p.antiFlip, errs[2] = time.ParseDuration(*w.AntiFlip)
	if t := w.RepeatThrottle.value; t != nil {
		if t.Executions == nil || t.Window == nil {
			return p, errors.New("repeatThrottle: executions or window is missing")
		}
		p.throttle = &throttle{executions: *t.Executions}
		p.throttle.window, errs[3] = time.ParseDuration(*t.Window)
	}
	return p, errors.Join(errs[:]...)
}

func (c *inquiry) readPolicies() {
	c.policies = map[policyKey]policy{}
	for _, row := range c.r.Policies {
		key := policyKey{row.UserID, row.AccountID, row.Version}
		p, err := readPolicy(row.Body)
		if err != nil {
			c.reportf(LimitPolicy, key.String(), "it cannot be read: %v", err)
			continue
		}
		c.policies[key] = p
	}
}
