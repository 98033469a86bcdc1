package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/badinput"
)

// typed is one thing that a person may type wrongly; VALUE is it.
type typed struct {
	field  string // as the answer names it
	args   string
	values []badinput.Value
}

const proposing = "propose --id new --market BTC-EUR --side buy --quote 25 "

func typeds() []typed {
	ids := badinput.IDs()
	amounts := badinput.Amounts()
	lengths := badinput.Durations()
	lengths = lengths[:len(lengths)-1] // Go adds up 1h1h1h
	sample := func(list []badinput.Value) []badinput.Value { return append(list[1:6:6], list[len(list)-1]) }
	return []typed{
		{"id", proposing + "--id VALUE", sample(ids)}, {"market", proposing + "--market VALUE", sample(badinput.Markets())},
		{"side", proposing + "--side VALUE", sample(badinput.Choices())}, {"orderType", proposing + "--type VALUE", sample(badinput.Choices())},
		{"amountQuote", proposing + "--quote VALUE", amounts[1:]}, {"confidence", proposing + "--confidence VALUE", sample(amounts[2:])},
		{"expectedPrice", proposing + "--expected-price VALUE", sample(amounts)}, {"expires", proposing + "--expires-in VALUE", lengths},
		{"", "execute VALUE", sample(ids)}, {"", "status VALUE", sample(ids)}, {"", "cancel VALUE --yes --reason r", sample(ids)},
		{"", "override VALUE --yes --cooldown --reason r", sample(ids)}, {"", "resolve VALUE --yes --absent --reason r", sample(ids)},
		{"every", "scan add new --user scanner --markets BTC-EUR --model m --price-in 0 --price-out 0 --every VALUE", lengths},
		{"rice", "scan add new --user scanner --markets BTC-EUR --every 15m --model m --price-out 0 --price-in VALUE", sample(amounts)},
		{"user", "token create --user VALUE", sample(ids)},
	}
}

// TestWhatIsTypedWronglyIsRefusedAndNothingIsStored: one line that names what
// is wrong, the exit code of a mistake, and no row more.
func TestWhatIsTypedWronglyIsRefusedAndNothingIsStored(t *testing.T) {
	t.Parallel()
	s := up(t, stateDir(t))
	before := s.rows()
	for _, c := range typeds() {
		for _, v := range c.values {
			if strings.Contains(v.Text, "\x00") {
				continue // no command line can hold it
			}
			args := strings.Fields(c.args)
			for i := range args {
				if args[i] == "VALUE" {
					args[i] = v.Text
				}
			}
			s.refuses(c.field, v.Name, args...)
		}
		require.Equal(t, before, s.rows(), c.args)
	}
	s.refusesFiles("", `{"id":"f","market":"BTC-EUR","side":"buy","amountQuote":"25"}`, "propose", "--file")
	policy, err := os.ReadFile("../internal/trade/testdata/policy.json")
	require.NoError(t, err)
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(policy, &fields))
	line, err := json.Marshal(fields)
	require.NoError(t, err)
	s.refusesFiles("", string(line), "policy", "set", "--yes")
	require.Equal(t, before, s.rows())
}

func (s *stack) refusesFiles(field, valid string, args ...string) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "file")
	documents := append(badinput.Documents(valid), badinput.Value{Name: "nothing"}, badinput.Value{Name: "large", Text: badinput.Large(70 << 10)})
	for _, v := range documents {
		if v.Name == "two" || v.Name == "a byte order mark" && args[0] == "propose" {
			continue
		}
		require.NoError(s.t, os.WriteFile(file, []byte(v.Text), 0o600))
		s.refuses(field, v.Name, append(args, file)...)
	}
	s.refuses(field, "a folder", append(args, filepath.Dir(file))...)
	s.refuses(field, "no file", append(args, file+".none")...)
}

// refuses holds a command to one clear line and the exit code of a mistake, or
// of something that is not there.
func (s *stack) refuses(field, name string, args ...string) {
	s.t.Helper()
	code, out, errs := s.run(args...)
	about := fmt.Sprintf("%.300q %s: %d %s%s", args, name, code, out, errs)
	require.Contains(s.t, []int{2, 7}, code, about)
	require.Empty(s.t, out, about)
	require.Equal(s.t, 1, strings.Count(errs, "\n"), about)
	require.True(s.t, strings.HasPrefix(errs, "starter: "), about)
	require.Contains(s.t, errs, field, about)
	require.NotContains(s.t, errs, "ilk_A", about)
	require.Less(s.t, len(errs), 3000, about)
	require.False(s.t, strings.ContainsFunc(strings.TrimSuffix(errs, "\n"), unicode.IsControl), about)
}

// rows counts what a person can store.
func (s *stack) rows() map[string]int {
	s.t.Helper()
	conn, err := pgx.Connect(s.t.Context(), s.urls()["owner"])
	require.NoError(s.t, err)
	defer conn.Close(s.t.Context())
	counts := map[string]int{}
	for _, table := range []string{"accounts", "api_tokens", "overrides", "scan_jobs", "trade_proposals", "trading_controls", "trading_policies", "verdicts"} {
		var n int
		require.NoError(s.t, conn.QueryRow(s.t.Context(), "SELECT count(*) FROM interlock."+table).Scan(&n))
		counts[table] = n
	}
	return counts
}
