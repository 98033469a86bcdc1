package trade

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ModelBudget is what a user's scans may spend on language models. Its zero
// value allows no call.
type ModelBudget struct {
	CallsPerDay  CountLimit  `json:"callsPerDay"`  // per calendar day in the policy's zone
	CallsPerHour CountLimit  `json:"callsPerHour"` // in the last 60 minutes
	TokensPerDay CountLimit  `json:"tokensPerDay"` // prompts and replies together
	CostPerDay   AmountLimit `json:"costPerDay"`   // euro
}

// mostTokens is a day's worth of the busiest account a person would own.
const mostTokens = 1_000_000_000

// UnmarshalJSON reads an object that states every limit, each once, or knowingly
// as "unlimited".
func (b *ModelBudget) UnmarshalJSON(data []byte) error {
	given, repeated, err := objectFields(data)
	if err != nil || len(repeated) > 0 || len(given) != 4 {
		return fmt.Errorf(`%s must have callsPerDay, callsPerHour, tokensPerDay and costPerDay, each once and nothing else`, clip(string(data)))
	}
	var parsed ModelBudget
	var problems []error
	for _, f := range []policyField{
		{name: "callsPerDay", into: &parsed.CallsPerDay}, {name: "callsPerHour", into: &parsed.CallsPerHour},
		{name: "tokensPerDay", into: (*tokenLimit)(&parsed.TokensPerDay)}, {name: "costPerDay", into: &parsed.CostPerDay},
	} {
		raw, present := given[f.name]
		if !present {
			problems = append(problems, fmt.Errorf("%s: missing; give a limit, or \"unlimited\"", f.name))
			continue
		}
		if err := decodeValue(raw, f.into); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", f.name, err))
		}
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	*b = parsed
	return nil
}

// tokenLimit is a CountLimit that may be as large as counts of tokens are.
type tokenLimit CountLimit

func (l *tokenLimit) UnmarshalJSON(data []byte) error {
	if string(data) == `"unlimited"` {
		*l = tokenLimit{Unlimited: true}
		return nil
	}
	var n *int
	if err := json.Unmarshal(data, &n); err != nil || n == nil || *n < 0 || *n > mostTokens {
		return fmt.Errorf("%s must be a whole number from 0 to %d, or \"unlimited\"", clip(string(data)), mostTokens)
	}
	*l = tokenLimit{Value: *n}
	return nil
}
