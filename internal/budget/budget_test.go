package budget

import (
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"interlock/internal/trade"
)

func dec(text string) decimal.Decimal { return decimal.RequireFromString(text) }

func limits(day, hour, tokens int, cost string) trade.ModelBudget {
	return trade.ModelBudget{
		CallsPerDay: trade.CountLimit{Value: day}, CallsPerHour: trade.CountLimit{Value: hour},
		TokensPerDay: trade.CountLimit{Value: tokens}, CostPerDay: trade.AmountLimit{Value: dec(cost)},
	}
}

func TestEveryExhaustedAllowanceIsListedDailyFirst(t *testing.T) {
	unlimited := trade.ModelBudget{
		CallsPerDay: trade.CountLimit{Unlimited: true}, CallsPerHour: trade.CountLimit{Unlimited: true},
		TokensPerDay: trade.CountLimit{Unlimited: true}, CostPerDay: trade.AmountLimit{Unlimited: true},
	}
	ask := Ask{Tokens: 100, Cost: dec("0.10")}
	for _, c := range []struct {
		name   string
		limits trade.ModelBudget
		used   Usage
		want   string
	}{
		{"nothing used", limits(5, 2, 1000, "1"), Usage{}, ""},
		{"the last call of each", limits(5, 2, 1000, "1"), Usage{4, 1, 900, dec("0.90")}, ""},
		{"five today", limits(5, 9, 1000, "1"), Usage{CallsToday: 5}, "DAILY_BUDGET_EXHAUSTED"},
		{"two in the hour", limits(5, 2, 1000, "1"), Usage{CallsToday: 2, CallsLastHour: 2}, "HOURLY_BUDGET_EXHAUSTED"},
		{"both, daily first", limits(5, 2, 1000, "1"), Usage{CallsToday: 5, CallsLastHour: 5}, "DAILY_BUDGET_EXHAUSTED,HOURLY_BUDGET_EXHAUSTED"},
		{"one token too many", limits(5, 2, 1000, "1"), Usage{TokensToday: 901}, "TOKEN_BUDGET_EXHAUSTED"},
		{"one cent too many", limits(5, 2, 1000, "1"), Usage{CostToday: dec("0.9000001")}, "COST_BUDGET_EXHAUSTED"},
		{"all four", limits(0, 0, 0, "0"), Usage{}, "DAILY_BUDGET_EXHAUSTED,HOURLY_BUDGET_EXHAUSTED,TOKEN_BUDGET_EXHAUSTED,COST_BUDGET_EXHAUSTED"},
		{"unlimited", unlimited, Usage{1 << 30, 1 << 30, 1 << 60, dec("1000000")}, ""},
		{"no budget stated", trade.ModelBudget{}, Usage{}, "DAILY_BUDGET_EXHAUSTED,HOURLY_BUDGET_EXHAUSTED,TOKEN_BUDGET_EXHAUSTED,COST_BUDGET_EXHAUSTED"},
	} {
		require.Equal(t, c.want, Codes(Check(c.limits, c.used, ask)), c.name)
	}
}

func TestEachRefusalSaysWhatIsUsedAndAllowed(t *testing.T) {
	no := Check(limits(5, 2, 1000, "1"), Usage{CallsToday: 5}, Ask{})
	require.Equal(t, []Exhausted{{DailyExhausted, "5", "5", "5 of 5 calls were made or reserved today"}}, no)
}

func TestTheDayIsThePolicysZoneAndTheHourRolls(t *testing.T) {
	var amsterdam trade.TimeZone
	require.NoError(t, amsterdam.UnmarshalJSON([]byte(`"Europe/Amsterdam"`)))
	now := time.Date(2026, 3, 29, 22, 30, 0, 0, time.UTC) // 00:30 of the 30th there
	require.Equal(t, time.Date(2026, 3, 29, 22, 0, 0, 0, time.UTC), Day(amsterdam, now).UTC())
	require.Equal(t, now.Add(-time.Hour), Hour(now))
}

func TestCostIsExact(t *testing.T) {
	p := Prices{Input: dec("0.15"), Output: dec("0.60")}
	require.Equal(t, "0.00021", p.Cost(1000, 100).String())
	require.Equal(t, Ask{Tokens: 1000 + framing + 500, Cost: p.Cost(1000+framing, 500)}, p.Worst(1000, 500))
}

func TestOneAfterAnotherNeverExceedsAnyAllowance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := limits(rapid.IntRange(0, 20).Draw(t, "day"), rapid.IntRange(0, 20).Draw(t, "hour"),
			rapid.IntRange(0, 2000).Draw(t, "tokens"), decimal.New(rapid.Int64Range(0, 200).Draw(t, "cents"), -2).String())
		var used Usage
		for range 30 {
			ask := Ask{Tokens: rapid.Int64Range(0, 300).Draw(t, "ask"), Cost: decimal.New(rapid.Int64Range(0, 30).Draw(t, "cost"), -2)}
			if len(Check(l, used, ask)) > 0 {
				continue
			}
			used = Usage{used.CallsToday + 1, used.CallsLastHour + 1, used.TokensToday + ask.Tokens, used.CostToday.Add(ask.Cost)}
		}
		if used.CallsToday > l.CallsPerDay.Value || used.CallsLastHour > l.CallsPerHour.Value ||
			used.TokensToday > int64(l.TokensPerDay.Value) || used.CostToday.GreaterThan(l.CostPerDay.Value) {
			t.Fatalf("%+v exceeds %+v", used, l)
		}
	})
}
