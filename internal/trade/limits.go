package trade

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/shopspring/decimal"
)

const unlimited = "unlimited"

var assetText = regexp.MustCompile(`^[A-Z0-9]{1,12}$`)

// AmountLimit is a cap on an amount, or knowingly none. Its zero value allows
// nothing.
type AmountLimit struct {
	Value     decimal.Decimal
	Unlimited bool
}

// String writes the limit as it stands in a policy.
func (l AmountLimit) String() string {
	if l.Unlimited {
		return unlimited
	}
	return l.Value.String()
}

// MarshalJSON writes the form that UnmarshalJSON reads.
func (l AmountLimit) MarshalJSON() ([]byte, error) { return json.Marshal(l.String()) }

// UnmarshalJSON reads "250.00" or "unlimited".
func (l *AmountLimit) UnmarshalJSON(data []byte) error {
	text, err := stringValue(data, `a decimal in quotes, like "250.00", or "unlimited"`)
	if err != nil {
		return err
	}
	if text == unlimited {
		*l = AmountLimit{Unlimited: true}
		return nil
	}
	value, err := amountText(text)
	*l = AmountLimit{Value: value}
	return err
}

// CountLimit is a cap on a count, or knowingly none. Its zero value allows
// nothing.
type CountLimit struct {
	Value     int
	Unlimited bool
}

// String writes the limit as it stands in a policy.
func (l CountLimit) String() string {
	if l.Unlimited {
		return unlimited
	}
	return fmt.Sprint(l.Value)
}

// MarshalJSON writes the form that UnmarshalJSON reads.
func (l CountLimit) MarshalJSON() ([]byte, error) {
	if l.Unlimited {
		return json.Marshal(unlimited)
	}
	return json.Marshal(l.Value)
}

// UnmarshalJSON reads a whole number from 0 to a million, or "unlimited".
func (l *CountLimit) UnmarshalJSON(data []byte) error {
	if string(data) == `"unlimited"` {
		*l = CountLimit{Unlimited: true}
		return nil
	}
	n, err := wholeNumber(data)
	*l = CountLimit{Value: n}
	return err
}

// AssetLimits caps the base amount of an order by asset. An asset that is not
// listed may not trade at all.
type AssetLimits struct {
	ByAsset   map[string]decimal.Decimal
	Unlimited bool
}

// MarshalJSON writes the form that UnmarshalJSON reads.
func (l AssetLimits) MarshalJSON() ([]byte, error) {
	if l.Unlimited {
		return json.Marshal(unlimited)
	}
	if l.ByAsset == nil {
		return []byte("{}"), nil
	}
	return json.Marshal(l.ByAsset)
}

// UnmarshalJSON reads {"BTC":"0.01"} or "unlimited".
func (l *AssetLimits) UnmarshalJSON(data []byte) error {
	if string(data) == `"unlimited"` {
		*l = AssetLimits{Unlimited: true}
		return nil
	}
	given, repeated, err := objectFields(data)
	if err != nil || len(repeated) > 0 {
		return fmt.Errorf(`%s must be an object of asset to decimal in quotes, each asset once, like {"BTC":"0.01"}, or "unlimited"`, clip(string(data)))
	}
	amounts := make(map[string]decimal.Decimal, len(given))
	var problems []error
	for _, name := range sortedKeys(given) {
		asset := strings.ToUpper(name)
		if _, twice := amounts[asset]; twice || !assetText.MatchString(asset) {
			problems = append(problems, fmt.Errorf("%q is not an asset, or is given twice; write each once in capitals, like \"BTC\"", clip(name)))
			continue
		}
		value, err := amountValue(given[name])
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", asset, err))
		}
		amounts[asset] = value
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	*l = AssetLimits{ByAsset: amounts}
	return nil
}

func amountValue(data []byte) (decimal.Decimal, error) {
	text, err := stringValue(data, `a decimal in quotes, like "0.01"`)
	if err != nil {
		return decimal.Decimal{}, err
	}
	return amountText(text)
}

// Fraction is a decimal from 0 to 1.
type Fraction struct{ decimal.Decimal }

// UnmarshalJSON reads "0.02".
func (f *Fraction) UnmarshalJSON(data []byte) error {
	text, err := stringValue(data, `a decimal from 0 to 1 in quotes, like "0.02"`)
	if err != nil {
		return err
	}
	value, err := amountText(text)
	if err != nil {
		return err
	}
	if value.GreaterThan(decimal.NewFromInt(1)) {
		return fmt.Errorf("%q must be between 0 and 1", clip(text))
	}
	f.Decimal = value
	return nil
}

// Throttle stops repeated executions: no more than Executions in Window.
type Throttle struct {
	Executions int
	Window     Duration
	Unlimited  bool
}

type throttleJSON struct {
	Executions int      `json:"executions"`
	Window     Duration `json:"window"`
}

// MarshalJSON writes the form that UnmarshalJSON reads.
func (t Throttle) MarshalJSON() ([]byte, error) {
	if t.Unlimited {
		return json.Marshal(unlimited)
	}
	return json.Marshal(throttleJSON{t.Executions, t.Window})
}

// UnmarshalJSON reads {"executions":20,"window":"1h"} or "unlimited".
func (t *Throttle) UnmarshalJSON(data []byte) error {
	if string(data) == `"unlimited"` {
		*t = Throttle{Unlimited: true}
		return nil
	}
	wrong := fmt.Errorf(`%s must have executions and window, each once and nothing else, like {"executions":20,"window":"1h"}, or be "unlimited"`, clip(string(data)))
	given, repeated, err := objectFields(data)
	if err != nil || len(repeated) > 0 || len(given) != 2 || given["executions"] == nil || given["window"] == nil {
		return wrong
	}
	var wire throttleJSON
	var problems []error
	if wire.Executions, err = wholeNumber(given["executions"]); err != nil {
		problems = append(problems, fmt.Errorf("executions: %w", err))
	}
	if err := decodeValue(given["window"], &wire.Window); err != nil {
		problems = append(problems, fmt.Errorf("window: %w", err))
	} else if wire.Window <= 0 {
		problems = append(problems, fmt.Errorf("window: %s must be above 0s", clip(string(given["window"]))))
	}
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	*t = Throttle{Executions: wire.Executions, Window: wire.Window}
	return nil
}

// Allowlist names the markets that may trade. Empty means none.
type Allowlist []Market

// MarshalJSON writes an empty list as [], not null.
func (a Allowlist) MarshalJSON() ([]byte, error) {
	if a == nil {
		a = Allowlist{}
	}
	return json.Marshal([]Market(a))
}

// UnmarshalJSON reads ["BTC-EUR"]; "BTC/EUR" is normalised.
func (a *Allowlist) UnmarshalJSON(data []byte) error {
	var texts []string
	if err := json.Unmarshal(data, &texts); err != nil {
		return fmt.Errorf(`%s must be a list of markets, like ["BTC-EUR"]`, clip(string(data)))
	}
	list := make(Allowlist, 0, len(texts))
	var problems []error
	for i, text := range texts {
		m, err := ParseMarket(fmt.Sprintf("[%d]", i), text)
		problems = append(problems, err)
		list = append(list, m)
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	*a = list
	return nil
}

// Switch is a boolean that must be written as one.
type Switch bool

// UnmarshalJSON reads true or false.
func (s *Switch) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "true", "false":
		*s = string(data) == "true"
		return nil
	}
	return fmt.Errorf("%s is not true or false", clip(string(data)))
}

func stringValue(data []byte, want string) (string, error) {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return "", fmt.Errorf("%s: must be %s", clip(string(data)), want)
	}
	return text, nil
}

func amountText(text string) (decimal.Decimal, error) {
	value, err := ParseDecimal("value", text)
	if err != nil {
		return value, err
	}
	if value.IsNegative() {
		return decimal.Decimal{}, fmt.Errorf("%q must not be negative", clip(text))
	}
	return value, nil
}

func wholeNumber(data []byte) (int, error) {
	const most = 1_000_000
	var n *int
	if err := json.Unmarshal(data, &n); err != nil || n == nil || *n < 0 || *n > most {
		return 0, fmt.Errorf("%s must be a whole number from 0 to %d, or \"unlimited\"", clip(string(data)), most)
	}
	return *n, nil
}
