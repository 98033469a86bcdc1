package audit

import (
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"interlock/internal/prompt"
)

// Origin is where the proposal of a scan comes from: what was seen, who was
// asked, and what was written.
type Origin struct {
	Job      string          `json:"job"`
	Run      string          `json:"run"`
	Digest   string          `json:"snapshot"` // of what was seen
	Seen     prompt.Snapshot `json:"seen"`
	Calls    []Call          `json:"calls"`
	Idea     string          `json:"idea"` // as the model wrote it
	Number   int             `json:"number"`
	StoredAt time.Time       `json:"storedAt"`
}

// Call is a model call of a run, with what it used.
type Call struct {
	ID      string          `db:"id" json:"id"`
	Model   string          `db:"model" json:"model"`
	State   string          `db:"state" json:"state"`
	Tokens  int64           `db:"tokens" json:"tokens"`
	Cost    decimal.Decimal `db:"cost" json:"cost"` // euro
	Success bool            `db:"success" json:"success"`
	Detail  string          `db:"detail" json:"detail,omitempty"`
	At      time.Time       `db:"created_at" json:"at"`
}

// Line is one sentence of a story, and when it happened.
type Line struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}

// Story tells a proposal's life, from what the model saw to the fill. The
// origin is nil for a proposal that no scan made; the events are its audit
// rows, oldest first.
func Story(origin *Origin, events []Event) []Line {
	var lines []Line
	if origin != nil {
		lines = origin.tell()
	}
	for _, e := range events {
		lines = append(lines, Line{e.At, Tell(e)})
	}
	return lines
}

func (o Origin) tell() []Line {
	lines := []Line{{o.Seen.At, fmt.Sprintf("Scan %s of job %s looked at %s (snapshot %.12s).", o.Run, o.Job, counted(len(o.Seen.Markets), "market"), o.Digest)}}
	for _, m := range o.Seen.Markets {
		lines = append(lines, Line{o.Seen.At, fmt.Sprintf("It saw %s at %s, bid %s, ask %s, %s held; %s of %s and %s of %s.",
			m.Market, m.Last, m.Bid, m.Ask, m.Position, counted(len(m.Short.Candles), "candle"), m.Short.Interval, counted(len(m.Long.Candles), "candle"), m.Long.Interval)})
	}
	for _, c := range o.Calls {
		lines = append(lines, Line{c.At, c.tell()})
	}
	return append(lines, Line{o.StoredAt, fmt.Sprintf("Idea %d of the answer became this proposal. The model wrote: %s", o.Number, o.Idea)})
}

func (c Call) tell() string {
	switch {
	case c.State == "released":
		return fmt.Sprintf("Model %s was to be asked, and nothing left: %s.", c.Model, said("", c.Detail))
	case c.Success:
		return fmt.Sprintf("Model %s answered, for %d tokens and %s euro.", c.Model, c.Tokens, c.Cost)
	}
	return fmt.Sprintf("Model %s was asked without a usable answer, counted at %d tokens and %s euro: %s.", c.Model, c.Tokens, c.Cost, said("", c.Detail))
}
