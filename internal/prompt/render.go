// Package prompt turns a market snapshot into a request to a language model, and
// the model's reply into ideas or refusals. It owns the templates, the form of a
// reply and its bounds; it refuses to know who is asked, what it costs, and
// whether an idea may trade. What comes back is untrusted: it can name a market
// that was asked about, a side, an amount within bounds, and nothing else.
package prompt

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// templates are versioned: a changed text is a new file, so that a stored scan
// can always be rendered again.
//
//go:embed templates/*.txt
var templates embed.FS

// DefaultProfile is the template of a job that names none.
const DefaultProfile = "scan-v1"

// Profiles lists the templates.
func Profiles() []string {
	entries, err := templates.ReadDir("templates")
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".txt")
	}
	slices.Sort(names)
	return names
}

// Ask is what may be proposed.
type Ask struct {
	Profile  string          `json:"-"`
	Markets  []trade.Market  `json:"markets"`
	MaxIdeas int             `json:"maxIdeas"`
	MaxQuote decimal.Decimal `json:"maxQuote"` // of one idea
}

// Request is what a model is sent, the same for the same ask and snapshot.
type Request struct {
	System string          `json:"system"`
	User   string          `json:"user"`
	Schema json.RawMessage `json:"schema"`
}

// Bytes is how long the request's texts are, which is at least as many as they
// have tokens.
func (r Request) Bytes() int64 { return int64(len(r.System) + len(r.User) + len(r.Schema)) }

// Render makes the request. The snapshot goes in as JSON, so text from the
// market cannot leave its quotes. It fails on an unknown profile.
func Render(ask Ask, s Snapshot) (Request, error) {
	system, err := templates.ReadFile("templates/" + ask.Profile + ".txt")
	if err != nil {
		return Request{}, fmt.Errorf("profile %q: unknown", trade.Clip(ask.Profile))
	}
	user, err := json.Marshal(struct {
		Ask      Ask      `json:"ask"`
		Snapshot Snapshot `json:"snapshot"`
	}{ask, s})
	if err != nil {
		return Request{}, err
	}
	return Request{System: string(system), User: string(user), Schema: schema(ask)}, nil
}

// schema is the reply's form in JSON Schema's strict subset.
func schema(ask Ask) json.RawMessage {
	text := map[string]any{"type": "string"}
	body, err := json.Marshal(map[string]any{
		"type": "object", "additionalProperties": false, "required": []string{"ideas"},
		"properties": map[string]any{"ideas": map[string]any{"type": "array", "items": map[string]any{
			"type": "object", "additionalProperties": false, "required": ideaFields,
			"properties": map[string]any{
				"market":      map[string]any{"type": "string", "enum": ask.Markets},
				"side":        map[string]any{"type": "string", "enum": []trade.Side{trade.Buy, trade.Sell}},
				"amountQuote": text, "confidence": text, "rationale": text,
			},
		}}},
	})
	if err != nil {
		return nil // only strings are in it
	}
	return body
}
