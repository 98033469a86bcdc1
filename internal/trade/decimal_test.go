package trade

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
)

func TestDecimalsAreReadExactlyOrNotAtAll(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "007": "7", "0.10": "0.1", "-1.5": "-1.5",
		"999999999999999999.999999999999999999": "999999999999999999.999999999999999999",
	} {
		d, err := ParseDecimal("amount", text)
		require.NoError(t, err, text)
		require.Equal(t, want, d.String())
	}
	for _, text := range []string{
		"", " ", "1 ", "1\n", "+1", "--1", ".5", "5.", "1.2.3", "1,5", "1_000", "1e5", "1E-5", "1e400", "0x10", "NaN", "Inf", "-Infinity",
		"1234567890123456789", "0.1234567890123456789", "١", "½", strings.Repeat("9", 100_000),
	} {
		d, err := ParseDecimal("amount", text)
		require.ErrorContains(t, err, "amount: ", text)
		require.Less(t, len(err.Error()), 400)
		require.True(t, d.IsZero())
	}
}

func TestPositiveMeansAboveZero(t *testing.T) {
	d, err := ParsePositive("amount", "0.000000000000000001")
	require.NoError(t, err)
	require.True(t, d.IsPositive())
	for _, text := range []string{"0", "0.000", "-0", "-1", "x", ""} {
		d, err := ParsePositive("amount", text)
		require.ErrorContains(t, err, "amount: ", text)
		require.True(t, d.IsZero())
	}
}

func TestPlainNumbersAreCheapToPrint(t *testing.T) {
	for _, d := range []decimal.Decimal{{}, dec("0.1"), dec("999999999999999999"), decimal.New(1, -40), decimal.New(1, 17), dec("-5")} {
		require.True(t, plain(d), d)
	}
	for _, d := range []decimal.Decimal{decimal.New(1, -41), decimal.New(1, 18), decimal.New(1, 1<<30), decimal.New(1, -1<<30), dec("1000000000000000000")} {
		require.False(t, plain(d), d.Exponent())
	}
}

func TestClippedTextIsShortPrintableAndWhole(t *testing.T) {
	require.Equal(t, "BTC-EUR", clip("BTC-EUR"))
	require.Equal(t, strings.Repeat("ü", 40), clip(strings.Repeat("ü", 40)))
	require.Equal(t, strings.Repeat("ü", 40)+"…", clip(strings.Repeat("ü", 41)))
	for _, text := range []string{"a\x1b[2Jb\n", "\xff\xfe", "a\u202eb", strings.Repeat("𝄞", 1000), strings.Repeat("\xf0", 1000), "\x00"} {
		got := clip(text)
		require.True(t, utf8.ValidString(got))
		require.LessOrEqual(t, utf8.RuneCountInString(got), 41)
		require.NotContains(t, got, "\x1b")
		require.NotContains(t, got, "\n")
		require.NotContains(t, got, "\u202e")
	}
}

func TestDurationsSurviveJSON(t *testing.T) {
	for _, d := range []Duration{0, 1, Duration(90 * time.Second), Duration(366 * 24 * time.Hour)} {
		body, err := json.Marshal(d)
		require.NoError(t, err)
		var back Duration
		require.NoError(t, json.Unmarshal(body, &back), "%s", body)
		require.Equal(t, d, back)
		require.Equal(t, d.Std().String(), back.String())
	}
}
