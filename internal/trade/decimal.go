package trade

import (
	"fmt"
	"regexp"

	"github.com/shopspring/decimal"
)

// decimalText bounds what a number may look like at any door: no exponent, no
// sign games, no "NaN", and few enough digits that arithmetic stays cheap.
var decimalText = regexp.MustCompile(`^-?[0-9]{1,18}(\.[0-9]{1,18})?$`)

// ParseDecimal reads a plain decimal number of at most 18 digits on each side
// of the point. The error names the field, the value and the fix.
func ParseDecimal(field, text string) (decimal.Decimal, error) {
	if !decimalText.MatchString(text) {
		return decimal.Decimal{}, fmt.Errorf("%s: %q is not a decimal number; write it like \"0.25\" (at most 18 digits on each side of the point, no exponent)", field, clip(text))
	}
	return decimal.NewFromString(text)
}

// ParsePositive reads a decimal number above zero. The error names the field,
// the value and the fix.
func ParsePositive(field, text string) (decimal.Decimal, error) {
	d, err := ParseDecimal(field, text)
	if err != nil {
		return d, err
	}
	if !d.IsPositive() {
		return decimal.Decimal{}, fmt.Errorf("%s: %q must be above zero", field, text)
	}
	return d, nil
}

// clip keeps hostile input out of error lines and logs.
func clip(text string) string {
	const most = 40
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}

func floorTo(d decimal.Decimal, decimals int32) decimal.Decimal {
	return d.RoundFloor(decimals)
}
