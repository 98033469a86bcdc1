package trade

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestOnlyFinalStatusesAreFinal(t *testing.T) {
	final := map[OrderStatus]bool{
		"new": false, "awaitingTrigger": false, "partiallyFilled": false,
		"filled": true, "canceled": true, "canceledAuction": true, "canceledSelfTradePrevention": true, "canceledIOC": true,
		"canceledFOK": true, "canceledMarketProtection": true, "canceledPostOnly": true, "expired": true, "rejected": true,
	}
	require.Equal(t, final, orderFinal)
	for status, want := range final {
		require.Equal(t, want, status.Final(), status)
		require.True(t, status.Known(), status)
	}
	for _, status := range []OrderStatus{"", "Filled", "FILLED", "filled ", "cancelled", "canceledSomethingNew", "closed"} {
		require.False(t, status.Final(), "%q is ambiguous", status)
		require.False(t, status.Known(), status)
	}
}

func TestOrderIsSettledWhenItsFillsAddUpWithFees(t *testing.T) {
	fill := func(amount string, settled bool) Fill { return Fill{Amount: dec(amount), Settled: settled} }
	for _, c := range []struct {
		name   string
		filled string
		fills  []Fill
		want   bool
	}{
		{"nothing filled", "0", nil, true},
		{"all there", "0.3", []Fill{fill("0.1", true), fill("0.20", true)}, true},
		{"a fee is missing", "0.3", []Fill{fill("0.1", true), fill("0.2", false)}, false},
		{"a fill is missing", "0.3", []Fill{fill("0.1", true)}, false},
		{"every fill is missing", "0.3", nil, false},
		{"more fills than filled", "0.3", []Fill{fill("0.2", true), fill("0.2", true)}, false},
		{"a fill before the order knows", "0", []Fill{fill("0.1", true)}, false},
	} {
		require.Equal(t, c.want, Order{FilledAmount: dec(c.filled), Fills: c.fills}.Settled(), c.name)
	}
}

func TestLastFillIsTheLatestWhateverTheOrder(t *testing.T) {
	require.True(t, Order{}.LastFill().IsZero())
	fills := []Fill{{At: noon}, {At: noon.Add(time.Second)}, {At: noon.Add(-time.Second)}}
	require.Equal(t, noon.Add(time.Second), Order{Fills: fills}.LastFill())
	slices.Reverse(fills)
	require.Equal(t, noon.Add(time.Second), Order{Fills: fills}.LastFill())
}

var installation = uuid.MustParse("0b7e3a52-9f0c-4d7a-8a55-2f6a3c1d4e5f")

// TestClientOrderIDNeverChanges pins an ID that was computed by other means: a
// changed derivation would give every proposal a second order.
func TestClientOrderIDNeverChanges(t *testing.T) {
	id := ClientOrderID(installation, "paper", "anna", "prop-1")
	require.Equal(t, "94653f5d-9f4b-5850-acf3-ef974b521c66", id.String())
	require.Equal(t, uuid.Version(5), id.Version())
	require.Equal(t, id, ClientOrderID(installation, "paper", "anna", "prop-1"))
}

func TestClientOrderIDTellsEveryPartApart(t *testing.T) {
	ids := []uuid.UUID{
		ClientOrderID(installation, "a", "b", "c"), ClientOrderID(uuid.Nil, "a", "b", "c"),
		ClientOrderID(installation, "ab", "", "c"), ClientOrderID(installation, "", "ab", "c"), ClientOrderID(installation, "a", "bc", ""),
		ClientOrderID(installation, "c", "b", "a"), ClientOrderID(installation, "a\x00b", "", "c"),
	}
	seen := map[uuid.UUID]bool{}
	for _, id := range ids {
		require.False(t, seen[id], id)
		seen[id] = true
	}
}

func TestClientOrderIDIsUniqueOverEverySplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.String().Draw(t, "whole")
		split := func(label string) [3]string {
			i := rapid.IntRange(0, len(whole)).Draw(t, label+" first")
			j := rapid.IntRange(i, len(whole)).Draw(t, label+" second")
			return [3]string{whole[:i], whole[i:j], whole[j:]}
		}
		a, b := split("a"), split("b")
		same := ClientOrderID(installation, a[0], a[1], a[2]) == ClientOrderID(installation, b[0], b[1], b[2])
		require.Equal(t, a == b, same, "%q %q", a, b)
	})
}

func TestSettledAgreesWithAddition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var o Order
		for _, units := range rapid.SliceOfN(rapid.Int64Range(1, 1_000_000), 0, 6).Draw(t, "fills") {
			amount := decimal.New(units, -8)
			o.Fills = append(o.Fills, Fill{Amount: amount, Settled: true})
			o.FilledAmount = o.FilledAmount.Add(amount)
		}
		require.True(t, o.Settled())
		o.FilledAmount = o.FilledAmount.Add(decimal.New(1, -18))
		require.False(t, o.Settled())
	})
}
