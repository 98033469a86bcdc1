package trade

import (
	"fmt"
	"regexp"
	"unicode"

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

// plain reports whether d is short enough to compute with and to print: a
// decimal that did not come through ParseDecimal may take gigabytes. After the
// point it is laxer than ParseDecimal: SQL divides to more digits than 18.
func plain(d decimal.Decimal) bool {
	exp := int(d.Exponent())
	return exp >= -40 && exp <= 18 && d.NumDigits()+exp <= 18
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

// clip keeps hostile input from flooding or breaking error lines and logs.
func clip(text string) string {
	const most = 40
	runes := []rune(text[:min(len(text), 4*most)])
	for i, r := range runes {
		if !unicode.IsPrint(r) {
			runes[i] = unicode.ReplacementChar
		}
	}
	if len(runes) <= most && len(text) <= 4*most {
		return string(runes)
	}
	return string(runes[:min(len(runes), most)]) + "…"
}

func floorTo(d decimal.Decimal, decimals int32) decimal.Decimal {
	return d.RoundFloor(decimals)
}
