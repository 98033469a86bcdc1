package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"interlock/internal/trade"
)

// PolicyView is a policy with the number of its version.
type PolicyView struct {
	Version int         `json:"version" doc:"Counts up with every change; versions are immutable"`
	Policy  policyValue `json:"policy"`
}

// policyValue is a policy as it is written. It is described by policy,
// and read by trade.ParsePolicy alone.
type policyValue struct{ trade.Policy }

// Schema describes a policy.
func (policyValue) Schema(r huma.Registry) *huma.Schema { return policyDescription(r) }

// policyText is a policy as it was sent.
type policyText struct{ raw json.RawMessage }

// Schema describes a policy.
func (policyText) Schema(r huma.Registry) *huma.Schema { return policyDescription(r) }

// UnmarshalJSON keeps the text: decoded twice, repeated fields would be lost.
func (p *policyText) UnmarshalJSON(data []byte) error {
	p.raw = bytes.Clone(data)
	return nil
}

func policyDescription(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[policy](), true, "Policy")
}

// policy exists to be described; a test holds its fields against
// trade.Policy's.
type policy struct {
	TimeZone        string   `json:"timeZone" doc:"IANA name; its midnight starts a trading day" example:"Europe/Amsterdam"`
	Allowlist       []string `json:"allowlist" nullable:"false" doc:"Markets that may trade; empty means none" example:"[\"BTC-EUR\"]"`
	MinConfidence   string   `json:"minConfidence" doc:"From 0 to 1, equal passes" example:"0.6"`
	Cooldown        string   `json:"cooldown" doc:"Since any trade in the asset" example:"60m"`
	AntiFlip        string   `json:"antiFlip" doc:"Since an opposite trade in the asset" example:"2h"`
	TradesPerDay    count    `json:"tradesPerDay" doc:"Whole number, or \"unlimited\"; per calendar day in timeZone"`
	TradesPerHour   count    `json:"tradesPerHour" doc:"Whole number, or \"unlimited\"; in the last 60 minutes"`
	MaxOrderQuote   string   `json:"maxOrderQuote" doc:"Quote asset, or \"unlimited\"" example:"250.00"`
	MaxOrderBase    byAsset  `json:"maxOrderBase" doc:"By base asset, like {\"BTC\":\"0.01\"}, or \"unlimited\"; an asset that is not listed may not trade"`
	ExposureMarket  string   `json:"exposureMarket" doc:"Quote asset held and on order per market, or \"unlimited\"" example:"1000"`
	ExposureAccount string   `json:"exposureAccount" doc:"The same over all markets of the account" example:"2000"`
	PriceCollar     string   `json:"priceCollar" doc:"Part of the reference price, either way" example:"0.02"`
	PriceMaxAge     string   `json:"priceMaxAge" doc:"Of the reference price" example:"60s"`
	ReconcileMaxAge string   `json:"reconcileMaxAge" doc:"Of the last comparison with the exchange" example:"10m"`
	LimitOrderTTL   string   `json:"limitOrderTTL" doc:"An open limit order is cancelled after it" example:"15m"`
	RepeatThrottle  throttle `json:"repeatThrottle" doc:"Like {\"executions\":20,\"window\":\"1h\"}, or \"unlimited\""`
	AutoExecute     bool     `json:"autoExecute" doc:"Scans may execute without a person"`
	ModelBudget     spending `json:"modelBudget" doc:"What scans may spend on language models; the cost is in euro"`

	FourEyes              string `json:"fourEyes,omitempty" doc:"Quote asset: an override of a larger order needs two verified people; none does when it is left out" example:"100.00"`
	VerifiedOverridesOnly bool   `json:"verifiedOverridesOnly,omitempty" doc:"Take no override from plain Temporal signals and updates"`
}

type policyInput struct{ Body policyText }

type policyOutput struct{ Body PolicyView }

// putPolicy stores the next version, or keeps the current one when it is the
// same.
func (s *server) putPolicy(ctx context.Context, in *policyInput) (*policyOutput, error) {
	p, err := trade.ParsePolicy(in.Body.raw)
	if err != nil {
		whole := strings.TrimPrefix(err.Error(), "policy: ") // here that is the body
		return nil, invalid(errors.New(whole))
	}
	who := whoAsks(ctx)
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	version, err := s.Store.PutPolicy(bound, who.UserID, who.AccountID, p, who.UserID)
	switch {
	case errors.Is(err, trade.ErrInvalid):
		return nil, problem(http.StatusBadRequest, InvalidRequest, "the records refuse this policy: it would not read back")
	case err != nil:
		return nil, s.databaseFault("policy not stored", err)
	}
	return &policyOutput{Body: PolicyView{Version: version, Policy: policyValue{p}}}, nil
}

type getPolicyInput struct {
	UserID string `query:"userId" maxLength:"100" doc:"Whose; operators of the account only"`
}

func (s *server) getPolicy(ctx context.Context, in *getPolicyInput) (*policyOutput, error) {
	who := whoAsks(ctx)
	user, refusal := s.whose(ctx, in.UserID)
	if refusal != nil {
		return nil, refusal
	}
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	p, version, err := s.Store.Policy(bound, user, who.AccountID)
	switch {
	case errors.Is(err, trade.ErrNotFound):
		return nil, problem(http.StatusNotFound, string(trade.PolicyMissing), "%s has no policy for account %s; set one first, nothing trades without", user, who.AccountID)
	case errors.Is(err, trade.ErrInvalid):
		return nil, problem(http.StatusConflict, string(trade.PolicyMissing), "version %d was stored by another program and does not decode; nothing trades until you set a new one", version)
	case err != nil:
		return nil, s.databaseFault("policy not read", err)
	}
	return &policyOutput{Body: PolicyView{Version: version, Policy: policyValue{p}}}, nil
}
