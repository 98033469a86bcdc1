package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"interlock/internal/trade"
)

// mostDetails is how many wrong fields are worth reading.
const mostDetails = 20

// summarise says it all in one line, for clients that print only the message.
func (p *Problem) summarise() {
	more := ""
	if extra := len(p.Errors) - mostDetails; extra > 0 {
		p.Errors, more = p.Errors[:mostDetails], fmt.Sprintf("; and %d more", extra)
	}
	parts := make([]string, len(p.Errors))
	for i, d := range p.Errors {
		parts[i] = d.Location + ": " + d.Message
	}
	p.Message = strings.Join(parts, "; ") + more
}

// linesOf reads lines of "field: what is wrong".
func linesOf(text string) []Detail {
	var details []Detail
	for line := range strings.SplitSeq(withoutTokens(text), "\n") {
		d := Detail{Location: "body", Message: line}
		if field, message, found := strings.Cut(line, ": "); found && !strings.Contains(field, " ") {
			d.Location, d.Message = "body."+field, message
			if place, _, _ := strings.Cut(field, "."); field != place && (place == "body" || place == "query") || field == "body" || field == "query" {
				d.Location = field
			}
		}
		details = append(details, d)
	}
	return details
}

// judged is what a rule behind the schema says of a body.
type judged struct{ Detail }

func (j judged) Error() string { return j.Location + ": " + j.Message }

// judgement lets huma report what a handler would refuse together with what
// does not fit the schema.
func judgement(refusal *Problem) []error {
	if refusal == nil {
		return nil
	}
	list := make([]error, len(refusal.Errors))
	for i, d := range refusal.Errors {
		list[i] = judged{d}
	}
	return list
}

// gathered lists every field that is wrong once: what does not fit the schema
// is not judged too, nor are the fields of a body that cannot be read.
func gathered(errs []error) []Detail {
	var details []Detail
	unfit := map[string]bool{}
	for _, err := range errs {
		j, isJudged := errors.AsType[judged](err)
		if !isJudged {
			for _, d := range detailsOf(err) {
				field, _, _ := strings.Cut(d.Location, "[")
				unfit[field] = true
				details = append(details, d)
			}
		} else if !unfit[j.Location] && !unfit["body"] {
			details = append(details, j.Detail)
		}
	}
	return details
}

// detailsOf is what huma says of one value, or what unmarshalStrict says of a
// whole body.
func detailsOf(err error) []Detail {
	var detailer huma.ErrorDetailer
	if !errors.As(err, &detailer) {
		return linesOf(err.Error())
	}
	d := detailer.ErrorDetail()
	if text, whole := d.Value.(string); whole && d.Location == "body" && strings.HasPrefix(d.Message, "body") && text != "" {
		return linesOf(d.Message)
	}
	detail := Detail{Location: clipped(d.Location), Message: d.Message}
	if field, missing := strings.CutPrefix(d.Message, "expected required property "); missing {
		detail.Location += "." + strings.TrimSuffix(field, " to be present")
		detail.Message = "is missing; give it"
		return []Detail{detail}
	}
	if detail.Message = reworded(d.Message); detail.Message == unknownField {
		return []Detail{detail}
	}
	if text, given := written(d.Value); given {
		detail.Value, detail.Message = text, text+" "+detail.Message
	}
	switch value := d.Value.(type) {
	case string:
		detail.Value = withoutTokens(clipped(value))
	case float64, bool:
		detail.Value = value
	}
	if _, number := d.Value.(float64); number && d.Message == "expected string" {
		detail.Message += `, like "0.25": a JSON number would lose digits`
	}
	return []Detail{detail}
}

const unknownField = "is unknown; remove it"

// wordings are huma's, and ours. The rest of a wording that ends in a space
// follows it.
var wordings = [][2]string{
	{"unexpected property", unknownField}, {"unknown query parameter", unknownField},
	{"required query parameter is missing", "is missing; give it"},
	{"expected string to be RFC 3339 date-time", `must be a time in RFC 3339, like "2026-01-31T18:00:00Z"`},
	{"expected string to be ", "must be "}, {"expected value to be ", "must be "},
	{"expected length <= ", "has too many characters; at most "}, {"expected length >= ", "has too few characters; at least "},
	{"expected array length <= ", "has too many entries; at most "}, {"expected array length >= ", "has too few entries; at least "},
	{"expected number ", "must be "}, {"expected string", "must be a string"}, {"expected boolean", "must be true or false"},
	{"expected integer", "must be a whole number"}, {"invalid integer", "must be a whole number"}, {"expected array", "must be a list"},
	{"expected object", "must be a JSON object"},
}

func reworded(message string) string {
	for _, w := range wordings {
		if rest, found := strings.CutPrefix(message, w[0]); found && (rest == "" || strings.HasSuffix(w[0], " ")) {
			return w[1] + rest
		}
	}
	return message
}

// written is a value as it was sent, shortened; nothing is written of what was
// not sent.
func written(value any) (text string, given bool) {
	if value == nil {
		return "", false
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", false
	}
	return withoutTokens(trade.Clip(string(encoded))), true
}

// clipped is foreign text as a line can carry it.
func clipped(text string) string {
	const most = 100
	runes := []rune(text)
	more := ""
	if len(runes) > most {
		runes, more = runes[:most], "…"
	}
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = unicode.ReplacementChar
		}
	}
	return string(runes) + more
}

// tokenText is what every token begins with, ours (see package postgres) or a
// JWT's header.
var tokenText = regexp.MustCompile(`(ilk_|eyJ)[A-Za-z0-9_.-]*`)

// withoutTokens keeps a token that was put into the wrong field out of answers
// and of whatever keeps them.
func withoutTokens(text string) string { return tokenText.ReplaceAllString(text, "$1…") }
