package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"interlock/internal/trade"
)

// word is what a text may look like, in the dialect that Go and ECMAScript
// share. The rules behind it are stricter at most; tests hold them together.
type word struct {
	pattern, says string
	enum          []any
	open          bool // judged by a rule that has a code of its own, not by the schema
}

var (
	idWord     = word{pattern: `^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$`, says: `1 to 100 letters, digits, dots, colons, dashes or underscores, beginning with a letter or digit, like "prop-1"`}
	jobWord    = word{pattern: `^[a-z0-9][a-z0-9-]{0,39}$`, says: `1 to 40 small letters, digits or dashes, like "majors"`}
	marketWord = word{pattern: `^[A-Z0-9]{1,12}[-/][A-Z0-9]{2,6}$`, says: `base and quote in capitals, like "BTC-EUR"`}
	amountWord = word{pattern: `^[0-9]{1,18}(\.[0-9]{1,18})?$`, says: `a decimal number like "0.25", at most 18 digits on each side of the point, no sign, no exponent`}
	limitWord  = word{pattern: `^([0-9]{1,18}(\.[0-9]{1,18})?|unlimited)$`}
	lengthWord = word{pattern: `^(0|([0-9]{1,12}(\.[0-9]{1,9})?(ns|us|µs|ms|s|m|h))+)$`, says: `a length of time, like "90s", "60m" or "2h"`}
	textWord   = word{pattern: `^[^\x00]*$`, says: "text without NUL characters"}
	modelWord  = word{pattern: `^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,99}$`, says: `a model's name, like "gpt-5-mini"`}
	sideWord   = word{pattern: `^([Bb][Uu][Yy]|[Ss][Ee][Ll][Ll])$`, says: `"buy" or "sell"`}
	typeWord   = word{pattern: `^([Mm][Aa][Rr][Kk][Ee][Tt]|[Ll][Ii][Mm][Ii][Tt])$`, says: `"market" or "limit"`}
	candleWord = word{enum: []any{"1m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"}}
	checkWord  = word{pattern: `^(COOLDOWN_BLOCKED|ANTI_FLIP_BLOCKED)$`, open: true}

	// As answers have them.
	shownSide   = word{enum: []any{"buy", "sell"}}
	shownType   = word{enum: []any{"market", "limit"}}
	shownMarket = word{pattern: `^[A-Z0-9]{1,12}-[A-Z0-9]{2,6}$`}
	shownAmount = word{pattern: `^-?[0-9]+(\.[0-9]+)?$`}
	shownFate   = word{enum: []any{"proposed", "duplicate", "refused"}}
)

// words are the texts of each schema, by field; a list's are its entries'.
var words = map[string]map[string]word{
	"ExecuteBody": {"proposalId": idWord, "side": sideWord, "reason": textWord},
	"ProposalBody": {
		"id": idWord, "market": marketWord, "side": sideWord, "orderType": typeWord, "amount": amountWord, "amountQuote": amountWord,
		"price": amountWord, "expectedPrice": amountWord, "confidence": amountWord, "rationale": textWord, "source": textWord,
	},
	"OverrideBody": {"id": idWord, "checks": checkWord, "reason": textWord},
	"ConfirmBody":  {"reason": textWord},
	"CancelBody":   {"reason": textWord},
	"NoteBody":     {"note": textWord},
	"HaltBody":     {"account": idWord, "reason": textWord},
	"ResumeBody":   {"account": idWord, "reason": textWord},
	"ResolveBody":  {"orderId": textWord, "reason": textWord},
	"ClearBody":    {"reason": textWord},
	"ScanJobBody": {
		"id": jobWord, "markets": marketWord, "every": lengthWord, "jitter": lengthWord, "catchUp": lengthWord, "proposalLife": lengthWord,
		"model": modelWord, "inputPrice": amountWord, "outputPrice": amountWord, "maxQuote": amountWord, "intervals": candleWord,
		"cron": textWord, "timeZone": textWord, "profile": textWord,
	},
	"Policy": {
		"allowlist": marketWord, "minConfidence": amountWord, "priceCollar": amountWord, "cooldown": lengthWord, "antiFlip": lengthWord,
		"priceMaxAge": lengthWord, "reconcileMaxAge": lengthWord, "limitOrderTTL": lengthWord,
		"maxOrderQuote": limitWord, "exposureMarket": limitWord, "exposureAccount": limitWord, "fourEyes": limitWord,
	},
	"ProposalView": {
		"market": shownMarket, "side": shownSide, "orderType": shownType, "status": statusWord(), "amount": shownAmount,
		"amountQuote": shownAmount, "price": shownAmount, "expectedPrice": shownAmount, "confidence": shownAmount,
	},
	"ExecutionView": {"status": statusWord()},
	"Executed":      {"status": statusWord()},
	"TriedView":     {"status": statusWord()},
	"Problem":       {"proposalStatus": statusWord()},
	"ResolvedView":  {"status": statusWord()},
	"OrderView":     {"filledAmount": shownAmount, "filledAmountQuote": shownAmount, "feePaid": shownAmount},
	"KeptView":      {"referencePrice": shownAmount},
	"ScanJobView":   {"markets": shownMarket, "inputPrice": shownAmount, "outputPrice": shownAmount, "maxQuote": shownAmount, "intervals": candleWord},
	"IdeaView":      {"outcome": shownFate, "status": statusWord()},
}

func statusWord() word {
	var w word
	for _, s := range trade.Statuses() {
		w.enum = append(w.enum, string(s))
	}
	return w
}

// sent are the schemas of bodies. Only they are closed: answers may gain fields.
var sent = []string{"ExecuteBody", "ProposalBody", "OverrideBody", "ConfirmBody", "CancelBody", "Policy", "ScanJobBody", "NoteBody", "HaltBody", "ResumeBody", "ResolveBody", "ClearBody"}

// leaveOpen lets answers gain fields.
func leaveOpen(schemas map[string]*huma.Schema) {
	for name, schema := range schemas {
		if !slices.Contains(sent, name) {
			schema.AdditionalProperties = nil
		}
	}
}

// refine says of every text what it may look like, in the description and in
// what is checked, which is the same.
func refine(description *huma.OpenAPI) {
	schemas := description.Components.Schemas.Map()
	for name, fields := range words {
		for field, w := range fields {
			property := schemas[name].Properties[field]
			if property == nil {
				panic(fmt.Sprintf("%s.%s is described and does not exist", name, field)) // it was compiled that way
			}
			if property.Items != nil {
				property = property.Items
			}
			w.put(property)
			if !w.open {
				property.PrecomputeMessages()
			}
		}
	}
	for path, item := range description.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete} {
			if op != nil {
				refineParams(path, op)
			}
		}
	}
}

// refineParams describes the IDs in paths. They are not checked against it: an
// ID that cannot be is one that is not there.
func refineParams(path string, op *huma.Operation) {
	for _, p := range op.Parameters {
		switch {
		case p.In == "path" && p.Name == "id" && strings.HasPrefix(path, scansPath):
			jobWord.put(p.Schema)
		case p.In == "path", p.Name == "before", p.Name == "userId":
			idWord.put(p.Schema)
		case p.Name == "reason":
			textWord.put(p.Schema)
			p.Schema.PrecomputeMessages()
		}
	}
}

func (w word) put(s *huma.Schema) {
	s.Pattern, s.PatternDescription, s.Enum = w.pattern, w.says, w.enum
}
