// Package badinput is what careless and hostile people and programs send. It
// owns the one list that every door is tried with, and refuses to know the
// doors: what each must answer stands in its own tests. Nothing but tests may
// import it.
package badinput

import (
	"encoding/json"
	"strings"
)

// Value is something wrong, with a name for the test that sends it.
type Value struct {
	Name string
	Text string
}

// JSON is the text as a JSON string.
func (v Value) JSON() string {
	written, err := json.Marshal(v.Text)
	if err != nil {
		panic(err) // a string can always be written
	}
	return string(written)
}

func long(text string, times int) string { return strings.Repeat(text, times) }

// IDs are texts that nothing may be called.
func IDs() []Value {
	return []Value{
		{"empty", ""}, {"a space", " "}, {"a space inside", "a b"}, {"a slash", "a/b"}, {"a way up", "../etc"}, {"a quote", `a"b`},
		{"Unicode", "vorschlag-ä"}, {"digits of another script", "p١"}, {"right to left", "p\u202eq"}, {"NUL", "a\x00b"}, {"a line break", "a\nb"},
		{"an escape", "\x1b[31mred"}, {"a dash first", "-x"}, {"a percent", "a%2Fb"}, {"2,000 characters", long("x", 2000)},
		{"101 characters", long("x", 101)}, {"a token", "ilk_" + long("A", 200)},
	}
}

// Markets are texts that are no market.
func Markets() []Value {
	return []Value{
		{"empty", ""}, {"small letters", "btc-eur"}, {"half", "BTC"}, {"two dashes", "BTC--EUR"}, {"three parts", "BTC-EUR-X"}, {"no base", "-EUR"},
		{"a space", "BTC-EUR "}, {"Cyrillic", "ВТС-EUR"}, {"NUL", "BTC\x00-EUR"}, {"a line break", "BTC-EUR\n"}, {"2,000 characters", long("B", 2000) + "-EUR"},
	}
}

// Choices are texts that no closed list has.
func Choices() []Value {
	return []Value{
		{"empty", ""}, {"another word", "hold"}, {"a space", "buy "}, {"two", "buy,sell"}, {"NUL", "buy\x00"}, {"full width", "ｂｕｙ"}, {"2,000 characters", long("buy", 700)},
	}
}

// Amounts are texts that are no amount that can be traded.
func Amounts() []Value {
	return []Value{
		{"empty", ""}, {"negative", "-1"}, {"NaN", "NaN"}, {"infinite", "Infinity"}, {"negatively infinite", "-Inf"}, {"exponent", "1e3"},
		{"out of every range", "1e400"}, {"next to nothing", "1e-400"}, {"hexadecimal", "0x10"}, {"a comma", "1,5"}, {"grouped", "1_000"}, {"a plus", "+1"},
		{"digits of another script", "１"}, {"a bare point", "."}, {"no digit after the point", "1."}, {"no digit before the point", ".5"},
		{"too many decimals", "0.1234567890123456789"}, {"too many digits", "1234567890123456789"}, {"a space", " 1"}, {"a currency", "1 EUR"},
		{"NUL", "1\x00"}, {"5,000 digits", long("9", 5000)},
	}
}

// Times are texts that are no time at which anything could expire: no time at
// all, or one of a clock that is far off.
func Times() []Value {
	return []Value{
		{"empty", ""}, {"a word", "tomorrow"}, {"a date", "2026-01-31"}, {"no such month", "2026-13-01T00:00:00Z"}, {"no zone", "2026-01-31T18:00:00"},
		{"the epoch", "1970-01-01T00:00:00Z"}, {"year zero", "0000-01-01T00:00:00Z"}, {"year 9999", "9999-12-31T23:59:59Z"},
		{"year 10000", "10000-01-01T00:00:00Z"}, {"years ago", "2001-09-09T01:46:40Z"}, {"seconds", "1769882400"}, {"2,000 characters", long("9", 2000)},
	}
}

// Durations are texts that are no length of time that could be configured.
func Durations() []Value {
	return []Value{
		{"empty", ""}, {"negative", "-1m"}, {"no unit", "60"}, {"a word", "soon"}, {"days", "1d"}, {"centuries", "9999999h"}, {"out of range", long("9", 30) + "h"},
		{"NaN", "NaNs"}, {"2,000 characters", long("1h", 1000)},
	}
}

// NotTexts are JSON values that are no text, as they are written.
func NotTexts() []Value {
	return []Value{
		{"null", "null"}, {"a number", "0.25"}, {"a negative number", "-1"}, {"a number out of range", "1e400"}, {"a truth", "true"}, {"a list", `["x"]`},
		{"an object", `{"a":"x"}`}, {"a deep list", Deep(200)},
	}
}

// Deep is a JSON list in a list, and so on.
func Deep(levels int) string { return long("[", levels) + long("]", levels) }

// Documents are texts that are no document like valid, which is a JSON object
// that is written in one line and has a field.
func Documents(valid string) []Value {
	body := strings.TrimSuffix(strings.TrimSpace(valid), "}")
	first, _, _ := strings.Cut(body, ",")
	name, _, _ := strings.Cut(strings.TrimPrefix(first, "{"), ":")
	return []Value{
		{"no JSON", "hello"}, {"cut off", body}, {"cut off in a text", valid[:len(valid)/2] + `"`}, {"something after it", valid + "x"}, {"two", valid + valid},
		{"a list of it", "[" + valid + "]"}, {"null", "null"}, {"a text", `"x"`}, {"a number", "7"}, {"a byte order mark", "\xef\xbb\xbf" + valid},
		{"single quotes", strings.ReplaceAll(valid, `"`, "'")}, {"a comment", "// " + valid}, {"a comma too many", body + ",}"},
		{"a field twice", body + "," + first[1:] + "}"}, {"a field twice, escaped", body + `,"\u00` + hex(name[1]) + name[2:] + ":null}"},
		{"an unknown field", body + `,"unheard-of":1}`}, {"a field in capitals", body + "," + strings.ToUpper(name) + `:"x"}`},
		{"a field with a long name", body + `,"` + long("x", 2000) + `":1}`}, {"invalid UTF-8", strings.Replace(valid, name[1:2], "\xff", 1)},
		{"nested deeply", Deep(20_000)}, {"a field nested deeply", body + `,"deep":` + Deep(11_000) + "}"}, {"UTF-16", "\xff\xfe{\x00}\x00"},
	}
}

func hex(c byte) string {
	const digits = "0123456789abcdef"
	return string([]byte{digits[c>>4], digits[c&15]})
}

// Large is a JSON object of more than n bytes.
func Large(n int) string { return `{"rationale":"` + long("x", n) + `"}` }
