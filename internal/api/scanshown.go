package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"interlock/internal/scan"
	"interlock/internal/trade"
	"interlock/internal/view"
)

// ScanJobBody adds a scan job. What is left out gets the command line's
// defaults.
type ScanJobBody struct {
	ID           string   `json:"id" maxLength:"40" doc:"Small letters, digits, dashes; unique over all users, for ever" example:"majors"`
	Markets      []string `json:"markets" nullable:"false" maxItems:"20" example:"[\"BTC-EUR\"]"`
	Every        string   `json:"every,omitempty" maxLength:"40" doc:"Interval; give this or cron" example:"15m"`
	Cron         string   `json:"cron,omitempty" maxLength:"200" doc:"Five fields, in timeZone" example:"0 8 * * 1-5"`
	TimeZone     string   `json:"timeZone,omitempty" maxLength:"60" doc:"IANA name; UTC when it is left out" example:"Europe/Amsterdam"`
	Jitter       string   `json:"jitter,omitempty" maxLength:"40" doc:"Each due time is put off by up to this" example:"10s"`
	CatchUp      string   `json:"catchUp,omitempty" maxLength:"40" doc:"How late a due time may still be scanned" example:"1m"`
	Model        string   `json:"model" maxLength:"100" example:"gpt-5-mini"`
	InputPrice   string   `json:"inputPrice" maxLength:"40" doc:"Euro per million tokens of the prompt; 0 for a model that costs nothing" example:"0.22"`
	OutputPrice  string   `json:"outputPrice" maxLength:"40" doc:"Euro per million tokens of the reply" example:"1.75"`
	Profile      string   `json:"profile,omitempty" maxLength:"60" doc:"Prompt template"`
	MaxIdeas     int      `json:"maxIdeas,omitempty" minimum:"1" maximum:"10"`
	MaxQuote     string   `json:"maxQuote,omitempty" maxLength:"40" doc:"Largest idea, in quote asset" example:"25"`
	MaxReply     int      `json:"maxReply,omitempty" minimum:"100" maximum:"16000" doc:"Tokens"`
	Intervals    []string `json:"intervals,omitempty" nullable:"false" doc:"Two candle lengths, the shorter first" example:"[\"1m\",\"1h\"]"`
	ProposalLife string   `json:"proposalLife,omitempty" maxLength:"40" doc:"How long a proposal may be executed" example:"15m"`
}

// job reads the body for one user and account, and lists every field that
// cannot be read.
func (b ScanJobBody) job(who view.Identity) (scan.Job, *Problem) {
	j := scan.Job{ID: b.ID, UserID: who.UserID, AccountID: who.AccountID, Revision: 1, Spec: scan.Defaults()}
	j.Cron, j.Model = b.Cron, b.Model
	problems := []error{
		read("every", b.Every, &j.Every), read("timeZone", b.TimeZone, &j.TimeZone), read("jitter", b.Jitter, &j.Jitter),
		read("catchUp", b.CatchUp, &j.CatchUp), read("proposalLife", b.ProposalLife, &j.ProposalLife),
	}
	var input, output, quote error
	j.Prices.Input, input = trade.ParseDecimal("inputPrice", b.InputPrice)
	j.Prices.Output, output = trade.ParseDecimal("outputPrice", b.OutputPrice)
	if b.MaxQuote != "" {
		j.MaxQuote, quote = trade.ParsePositive("maxQuote", b.MaxQuote)
	}
	for _, name := range b.Markets {
		market, err := trade.ParseMarket("markets", name)
		problems = append(problems, err)
		j.Markets = append(j.Markets, market)
	}
	b.choose(&j.Spec)
	if err := errors.Join(append(problems, input, output, quote, j.Check())...); err != nil {
		return j, invalid(err)
	}
	return j, nil
}

// choose takes what was given over the defaults.
func (b ScanJobBody) choose(s *scan.Spec) {
	if b.Profile != "" {
		s.Profile = b.Profile
	}
	if b.MaxIdeas != 0 {
		s.MaxIdeas = b.MaxIdeas
	}
	if b.MaxReply != 0 {
		s.MaxReply = b.MaxReply
	}
	if len(b.Intervals) != 0 {
		s.Intervals = b.Intervals
	}
}

// read reads a field that is written as a string, unless it was left out.
func read(field, given string, into json.Unmarshaler) error {
	if given == "" {
		return nil
	}
	written, err := json.Marshal(given)
	if err == nil {
		err = into.UnmarshalJSON(written)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

// ScanJobView is a scan job. Prices and amounts are decimals in strings.
type ScanJobView struct {
	ID           string   `json:"id"`
	UserID       string   `json:"userId"`
	AccountID    string   `json:"accountId"`
	Markets      []string `json:"markets" nullable:"false"`
	Every        string   `json:"every,omitempty" example:"15m0s"`
	Cron         string   `json:"cron,omitempty"`
	TimeZone     string   `json:"timeZone"`
	Jitter       string   `json:"jitter"`
	CatchUp      string   `json:"catchUp"`
	Model        string   `json:"model"`
	InputPrice   string   `json:"inputPrice"`
	OutputPrice  string   `json:"outputPrice"`
	Profile      string   `json:"profile"`
	MaxIdeas     int      `json:"maxIdeas"`
	MaxQuote     string   `json:"maxQuote"`
	MaxReply     int      `json:"maxReply"`
	Intervals    []string `json:"intervals" nullable:"false"`
	ProposalLife string   `json:"proposalLife"`
	Paused       bool     `json:"paused"`
	Note         string   `json:"note,omitempty" doc:"Why it is paused, or goes on"`
}

func scanJobOf(j scan.Job) ScanJobView {
	shown := ScanJobView{
		ID: j.ID, UserID: j.UserID, AccountID: j.AccountID, Markets: make([]string, len(j.Markets)), Cron: j.Cron,
		TimeZone: j.TimeZone.String(), Jitter: j.Jitter.String(), CatchUp: j.CatchUp.String(), Model: j.Model,
		InputPrice: j.Prices.Input.String(), OutputPrice: j.Prices.Output.String(), Profile: j.Profile, MaxIdeas: j.MaxIdeas,
		MaxQuote: j.MaxQuote.String(), MaxReply: j.MaxReply, Intervals: j.Intervals, ProposalLife: j.ProposalLife.String(),
		Paused: j.Paused, Note: j.Note,
	}
	for i, m := range j.Markets {
		shown.Markets[i] = string(m)
	}
	if j.Every != 0 {
		shown.Every = j.Every.String()
	}
	return shown
}

// ScanView is a scan job with its latest runs, the newest first.
type ScanView struct {
	Job  ScanJobView `json:"job"`
	Runs []RunView   `json:"runs" nullable:"false"`
}

// RunView is one due time of a job, or several that were dropped.
type RunView struct {
	ID        string     `json:"id"`
	Snapshot  string     `json:"snapshot,omitempty" doc:"Digest of what the model saw"`
	Code      string     `json:"code,omitempty" doc:"How it ended; absent while it runs" example:"SCANNED"`
	Detail    string     `json:"detail,omitempty"`
	DueTimes  int64      `json:"dueTimes" doc:"More than one only when they were dropped"`
	StartedAt time.Time  `json:"startedAt"`
	EndedAt   *time.Time `json:"endedAt,omitempty"`
	Ideas     []IdeaView `json:"ideas" nullable:"false"`
}

// IdeaView is one thing the model wrote, and what became of it.
type IdeaView struct {
	Number     int    `json:"number"`
	Outcome    string `json:"outcome" doc:"proposed, duplicate or refused"`
	ProposalID string `json:"proposalId,omitempty"`
	Status     string `json:"status,omitempty" doc:"Of the proposal"`
	Reason     string `json:"reason,omitempty"`
	Text       string `json:"text" doc:"As the model wrote it: data, never to be trusted"`
}

func runsOf(runs []view.ScanRun) []RunView {
	shown := make([]RunView, len(runs))
	for i, r := range runs {
		shown[i] = RunView{
			ID: r.ID, Snapshot: r.Snapshot, Code: r.Code, Detail: r.Detail, DueTimes: r.DueTimes, StartedAt: r.StartedAt.UTC(),
			EndedAt: r.EndedAt, Ideas: make([]IdeaView, len(r.Ideas)),
		}
		for n, idea := range r.Ideas {
			shown[i].Ideas[n] = IdeaView{
				Number: idea.Number, Outcome: idea.Outcome, ProposalID: idea.ProposalID, Status: idea.Status, Reason: idea.Reason, Text: idea.Body,
			}
		}
	}
	return shown
}
