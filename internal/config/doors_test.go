package config

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"interlock/internal/badinput"
)

// wrong is what each variable must not be. Of a secret one nothing is shown.
func wrong() map[string][]badinput.Value {
	long := badinput.Value{Name: "2,000 characters", Text: strings.Repeat("9", 2000)}
	numbers := append(badinput.Amounts()[1:6:6], badinput.Value{Name: "exponent out of range", Text: "1e400"}, badinput.Value{Name: "text", Text: "many"}, badinput.Value{Name: "line break", Text: "7\n"}, long)
	urls := []badinput.Value{
		{Name: "a word", Text: "here"}, {Name: "no host", Text: "http:///v2"}, {Name: "another scheme", Text: "ftp://x/v2"}, {Name: "a password", Text: "https://u:hunter2@x/v2"},
		{Name: "control characters", Text: "http://x/\x1b[31m/v2"}, {Name: "half an escape", Text: "http://x/%zz/v2"}, {Name: "no port", Text: "http://127.0.0.1:99999999/v2"}, long,
	}
	addresses := []badinput.Value{{Name: "a word", Text: "here"}, {Name: "a port out of range", Text: ":70000"}, {Name: "negative", Text: ":-1"}, {Name: "a line break", Text: "127.0.0.1:1\n"}, long}
	secrets := []badinput.Value{{Name: "a line break", Text: "hunter2\nhunter2"}, {Name: "a space", Text: " hunter2"}, {Name: "NUL", Text: "hunter2\x00"}, {Name: "an escape", Text: "hunter2\x1b[31m"}}
	return map[string][]badinput.Value{
		"INTERLOCK_ACCOUNT": badinput.IDs()[1:], "BITVAVO_OPERATOR_ID": numbers, "BITVAVO_TRADE_RPS": numbers[:2], "INTERLOCK_SCANS_AT_ONCE": numbers,
		"BITVAVO_REST_URL": urls, "OPENAI_BASE_URL": urls[:6], "INTERLOCK_METRICS_ADDR": addresses, "BITVAVO_TRADE_KEY": secrets, "BITVAVO_TRADE_SECRET": secrets,
		"DATABASE_URL":   {{Name: "another database", Text: "mysql://root:hunter2@db"}, {Name: "a DSN", Text: "host=db password=hunter2"}, {Name: "a line break", Text: "postgres://u:hunter2\n@db/x"}, {Name: "half an escape", Text: "postgres://u:hunter2%zz@db/x"}},
		"INTERLOCK_LIVE": {{Name: "a word", Text: "yes"}, {Name: "a space", Text: "1 "}, long},
	}
}

// TestEveryWrongVariableIsNamedInOneLine: with the fix, whatever it holds, and
// together with every other.
func TestEveryWrongVariableIsNamedInOneLine(t *testing.T) {
	all := env{}
	for name, values := range wrong() {
		for _, v := range values {
			_, err := Worker("all", environments()["all"].with(name, v.Text).get)
			require.Error(t, err, "%s: %s", name, v.Name)
			line := err.Error()
			require.Contains(t, line, name+": ", v.Name)
			require.False(t, strings.ContainsFunc(line, unicode.IsControl), "%s: %s: %q", name, v.Name, line)
			require.Less(t, len(line), 400, "%s: %s: %s", name, v.Name, line)
			require.NotContains(t, line, "hunter2", "%s: %s", name, v.Name)
		}
		all[name] = values[0].Text
	}
	_, err := Worker("nobody", all.get)
	for name := range wrong() {
		if name != "INTERLOCK_LIVE" { // whether a host is live is asked of one that can be read
			require.ErrorContains(t, err, name+": ")
		}
	}
	require.ErrorContains(t, err, "--role: ")
}
