package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"interlock/internal/trade"
)

// Draft is a policy file that a person must complete: what the earlier policy
// plainly says is filled in, everything else is null, which no policy may be.
type Draft struct {
	Text   []byte
	Filled []string // fields of ours
	Open   []string // fields of ours that somebody must decide
	Unread []string // keys of the earlier policy that mean nothing plain here
}

// plain is what can be taken over without a guess: names that bear their unit.
// No amount of money is among them.
var plain = map[string]struct {
	field string
	read  func(json.RawMessage) (string, error) // its JSON in our policy
}{
	"allowlist":        {"allowlist", readMarkets},
	"cooldown_minutes": {"cooldown", readMinutes}, "cooldownMinutes": {"cooldown", readMinutes},
	"anti_flip_minutes": {"antiFlip", readMinutes}, "antiFlipMinutes": {"antiFlip", readMinutes},
	"min_confidence": {"minConfidence", readFraction}, "minConfidence": {"minConfidence", readFraction},
	"max_trades_per_day": {"tradesPerDay", readCount}, "maxTradesPerDay": {"tradesPerDay", readCount},
	"max_trades_per_hour": {"tradesPerHour", readCount}, "maxTradesPerHour": {"tradesPerHour", readCount},
}

// DraftPolicy reads an earlier policy. An error names the value that cannot be
// read; two keys that fill one field are one too.
func DraftPolicy(text []byte) (Draft, error) {
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		return Draft{}, errors.New("policy: is not a JSON object")
	}
	var d Draft
	filled := map[string]string{}
	for key, value := range whole {
		if key != "execution" {
			d.Unread = append(d.Unread, key)
		} else if err := d.readExecution(value, filled); err != nil {
			return Draft{}, err
		}
	}
	slices.Sort(d.Unread)
	d.write(filled)
	return d, nil
}

func (d *Draft) readExecution(text json.RawMessage, filled map[string]string) error {
	var execution map[string]json.RawMessage
	if err := json.Unmarshal(text, &execution); err != nil {
		return errors.New("policy: execution is not a JSON object")
	}
	for key, raw := range execution {
		known, is := plain[key]
		if !is {
			d.Unread = append(d.Unread, "execution."+key)
			continue
		}
		value, err := known.read(raw)
		if err != nil {
			return fmt.Errorf("policy: execution.%s: %w", key, err)
		}
		if _, twice := filled[known.field]; twice {
			return fmt.Errorf("policy: execution.%s: %s is said twice", key, known.field)
		}
		filled[known.field] = value
	}
	return nil
}

func (d *Draft) write(filled map[string]string) {
	var out bytes.Buffer
	out.WriteString("{\n")
	for i, field := range trade.PolicyFields() {
		value, is := filled[field]
		if is {
			d.Filled = append(d.Filled, field)
		} else {
			value = "null"
			d.Open = append(d.Open, field)
		}
		if i > 0 {
			out.WriteString(",\n")
		}
		fmt.Fprintf(&out, "  %q: %s", field, value)
	}
	out.WriteString("\n}\n")
	d.Text = out.Bytes()
}

func readMarkets(raw json.RawMessage) (string, error) {
	var texts []string
	if err := json.Unmarshal(raw, &texts); err != nil {
		return "", errors.New("is not a list of markets")
	}
	list := make([]string, 0, len(texts))
	for _, text := range texts {
		m, err := trade.ParseMarket("market", strings.ToUpper(text))
		if err != nil {
			return "", err
		}
		list = append(list, strconv.Quote(string(m)))
	}
	return "[" + strings.Join(list, ", ") + "]", nil
}

func readMinutes(raw json.RawMessage) (string, error) {
	n, err := readCount(raw)
	return strconv.Quote(n + "m"), err
}

func readCount(raw json.RawMessage) (string, error) {
	var n *int
	if err := json.Unmarshal(raw, &n); err != nil || n == nil || *n < 0 {
		return "", fmt.Errorf("%s is not a whole number", clip(string(raw)))
	}
	return strconv.Itoa(*n), nil
}

func readFraction(raw json.RawMessage) (string, error) {
	value, err := trade.ParseDecimal("value", string(raw))
	if err != nil || value.IsNegative() || value.GreaterThan(decimal.NewFromInt(1)) {
		return "", fmt.Errorf("%s is not a number from 0 to 1", clip(string(raw)))
	}
	return strconv.Quote(value.String()), nil
}
