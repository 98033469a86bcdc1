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
		return errors.New(`must be an object of asset to decimal in quotes, each asset once, like {"BTC":"0.01"}, or "unlimited"`)
	}
	amounts := make(map[string]decimal.Decimal, len(given))
	for _, name := range sortedKeys(given) {
		asset := strings.ToUpper(name)
		if _, twice := amounts[asset]; twice || !assetText.MatchString(asset) {
			return fmt.Errorf("%q is not an asset, or is given twice; write each once in capitals, like \"BTC\"", clip(name))
		}
		value, err := amountValue(given[name])
		if err != nil {
			return fmt.Errorf("%s: %w", asset, err)
		}
		amounts[asset] = value
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
	wrong := errors.New(`must have executions and window, each once and nothing else, like {"executions":20,"window":"1h"}, or be "unlimited"`)
	given, repeated, err := objectFields(data)
	if err != nil || len(repeated) > 0 || len(given) != 2 || given["executions"] == nil || given["window"] == nil {
		return wrong
	}
	var wire throttleJSON
	if wire.Executions, err = wholeNumber(given["executions"]); err != nil {
		return fmt.Errorf("executions: %w", err)
	}
	if err := decodeValue(given["window"], &wire.Window); err != nil {
		return fmt.Errorf("window: %w", err)
	}
	if wire.Window <= 0 {
		return errors.New("window: must be above 0s")
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
		return errors.New(`must be a list of markets, like ["BTC-EUR"]`)
	}
	list := make(Allowlist, 0, len(texts))
	for i, text := range texts {
		m, err := ParseMarket(fmt.Sprintf("[%d]", i), text)
		if err != nil {
			return err
		}
		list = append(list, m)
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
