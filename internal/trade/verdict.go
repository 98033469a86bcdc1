package trade

import (
	"fmt"
	"time"
)

// Verdict is what preflight decided, with everything it was decided from.
type Verdict struct {
	RequestID     string    `json:"requestId"`
	ProposalID    string    `json:"proposalId"`
	PolicyVersion int       `json:"policyVersion"`
	At            time.Time `json:"at"` // database clock
	Checks        []Check   `json:"checks"`
	Plan          *Plan     `json:"plan,omitempty"` // nil when no order could be computed
}

// Check is one rule with the inputs it saw.
type Check struct {
	Code         Code              `json:"code"`
	Passed       bool              `json:"passed"`
	Message      string            `json:"message,omitempty"` // why not, for people
	Inputs       map[string]string `json:"inputs,omitempty"`
	OverriddenBy []string          `json:"overriddenBy,omitempty"` // override IDs
}

// Block is a check that did not pass, as the contract shows it.
type Block struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
}

// Blocked reports whether anything stands against the order. A verdict without
// checks is blocked: nothing was looked at.
func (v Verdict) Blocked() bool { return len(v.Checks) == 0 || len(v.Blocks()) > 0 }

// Blocks lists every failed check in the order of PreflightCodes.
func (v Verdict) Blocks() []Block {
	var blocks []Block
	for _, c := range v.Checks {
		if !c.Passed {
			blocks = append(blocks, Block{c.Code, c.Message})
		}
	}
	return blocks
}

// UsedOverrides lists the overrides without which a check would have failed.
func (v Verdict) UsedOverrides() []string {
	used := map[string]bool{}
	for _, c := range v.Checks {
		for _, id := range c.OverriddenBy {
			used[id] = true
		}
	}
	return sortedKeys(used)
}

func pass(code Code, inputs map[string]string) Check {
	return Check{Code: code, Passed: true, Inputs: inputs}
}

func block(code Code, inputs map[string]string, format string, args ...any) Check {
	return Check{Code: code, Inputs: inputs, Message: fmt.Sprintf(format, args...)}
}

func verdictOn(ok bool, code Code, inputs map[string]string, format string, args ...any) Check {
	if ok {
		return pass(code, inputs)
	}
	return block(code, inputs, format, args...)
}
