package api

import (
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// The parts of a policy that are no plain text, as package trade reads them.
// They exist to be described.
type (
	count    struct{}
	byAsset  struct{}
	throttle struct{}
	spending struct{}
)

const (
	mostTrades = 1_000_000
	mostTokens = 1_000_000_000
)

// Schema describes a whole number or "unlimited".
func (count) Schema(huma.Registry) *huma.Schema { return orUnlimited(wholeNumber(mostTrades)) }

// Schema describes an amount for each asset or "unlimited".
func (byAsset) Schema(huma.Registry) *huma.Schema {
	return orUnlimited(&huma.Schema{Type: huma.TypeObject, AdditionalProperties: amount(amountWord)})
}

// Schema describes how often in which time, or "unlimited".
func (throttle) Schema(huma.Registry) *huma.Schema {
	return orUnlimited(closed(map[string]*huma.Schema{"executions": wholeNumber(mostTrades), "window": amount(lengthWord)}))
}

// Schema describes every limit on spending.
func (spending) Schema(huma.Registry) *huma.Schema {
	return closed(map[string]*huma.Schema{
		"callsPerDay": orUnlimited(wholeNumber(mostTrades)), "callsPerHour": orUnlimited(wholeNumber(mostTrades)),
		"tokensPerDay": orUnlimited(wholeNumber(mostTokens)), "costPerDay": amount(limitWord),
	})
}

func orUnlimited(s *huma.Schema) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{s, {Type: huma.TypeString, Enum: []any{"unlimited"}}}}
}

func wholeNumber(most float64) *huma.Schema {
	var least float64
	return &huma.Schema{Type: huma.TypeInteger, Format: "int64", Minimum: &least, Maximum: &most}
}

func amount(w word) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	w.put(s)
	return s
}

// closed is an object with exactly these fields.
func closed(fields map[string]*huma.Schema) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, Properties: fields, AdditionalProperties: false}
	for name := range fields {
		s.Required = append(s.Required, name)
	}
	slices.Sort(s.Required)
	return s
}
