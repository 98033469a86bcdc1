package paper

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func (b *bench) schedule(seed uint64, faults ...Fault) {
	b.t.Helper()
	b.lever(http.MethodPost, "/schedule", faultSchedule{seed, faults})
}

func (b *bench) faults() []Fault {
	b.t.Helper()
	var faults []Fault
	b.lever(http.MethodGet, "/faults", nil).into(b.t, &faults)
	return faults
}

// anyCallOf draws what a client might send.
func anyCallOf(t *rapid.T) call {
	method, path, _ := strings.Cut(rapid.SampledFrom([]string{
		"POST /order", "GET /order", "DELETE /order", "GET /orders", "GET /time"}).Draw(t, "endpoint"), " ")
	return call{method: method, path: path, signed: path != "/time"}
}

// struckBy sends calls and says which fault struck each; "" is none.
func struckBy(s *faultSet, calls []call) []string {
	ids := make([]string, 0, len(calls))
	for _, c := range calls {
		f, _ := s.strike(c)
		ids = append(ids, f.ID)
	}
	return ids
}

func TestScheduleRepeatsItselfForASeedAndTheSameCalls(t *testing.T) {
	faults := func() []Fault {
		return []Fault{{Kind: "html", Chance: 0.3}, {Kind: "twice", Chance: 0.5, Count: 9}, {Kind: "delay", Method: "GET"}, {Kind: "hide", Chance: 1}}
	}
	rapid.Check(t, func(rt *rapid.T) {
		calls := rapid.SliceOfN(rapid.Custom(anyCallOf), 0, 200).Draw(rt, "calls")
		seed := rapid.Uint64().Draw(rt, "seed")
		fresh, used := &faultSet{}, &faultSet{seed: 3}
		_, err := used.schedule(seed+1, faults())
		require.NoError(rt, err)
		struckBy(used, calls)
		for _, s := range []*faultSet{fresh, used} {
			_, err := s.schedule(seed, faults())
			require.NoError(rt, err)
		}
		require.Equal(rt, struckBy(fresh, calls), struckBy(used, calls))
		require.Equal(rt, fresh.list(), used.list())
	})
}

func TestReadsInBetweenDoNotChangeWhichOrdersAreStruck(t *testing.T) {
	post := call{method: "POST", path: "/order", signed: true}
	get := call{method: "GET", path: "/order", signed: true}
	quiet, busy := &faultSet{}, &faultSet{}
	for _, s := range []*faultSet{quiet, busy} {
		_, err := s.schedule(11, []Fault{{Kind: "html", Method: "GET", Chance: 0.5}, {Kind: "twice", Chance: 0.5}, {Kind: "empty", Method: "POST", Chance: 0.5}})
		require.NoError(t, err)
	}
	for range 300 {
		busy.strike(get)
		require.Equal(t, struckBy(quiet, []call{post}), struckBy(busy, []call{post}))
	}
	require.Greater(t, quiet.list()[1].Struck, 100)
	require.Less(t, quiet.list()[1].Struck, 200)
	require.Greater(t, quiet.list()[2].Struck, 40, "of those that the first spared")
}

func TestAnotherSeedStrikesOthers(t *testing.T) {
	struck := map[string]bool{}
	for seed := range uint64(20) {
		s := &faultSet{}
		_, err := s.schedule(seed, []Fault{{Kind: "html", Chance: 0.5}})
		require.NoError(t, err)
		struck[strings.Join(struckBy(s, make([]call, 100)), "|")] = true
	}
	require.Len(t, struck, 20)
}

func TestScheduleReplacesEveryFaultOrNone(t *testing.T) {
	b := newBench(t)
	b.fault(Fault{Kind: "html"})
	r, err := http.NewRequest(http.MethodPost, b.server.URL+"/admin/schedule",
		strings.NewReader(`{"seed":1,"faults":[{"kind":"503"},{"kind":"gremlin"}]}`))
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, b.send(r).status)
	require.Equal(t, "html", b.faults()[0].Kind)

	b.schedule(1, Fault{Kind: "503", Struck: 3, ID: "x"}, Fault{Kind: "empty", Chance: 0.5})
	require.Equal(t, []Fault{{ID: "1", Kind: "503", Code: 109}, {ID: "2", Kind: "empty", Chance: 0.5, Code: 109}}, b.faults())
	require.Equal(t, http.StatusServiceUnavailable, b.get("/time").status)
	b.schedule(1)
	require.Empty(t, b.faults())
}

func TestDisarmedFaultsAreStillCounted(t *testing.T) {
	b := newBench(t)
	b.fault(Fault{Kind: "html", Count: 2})
	b.fault(Fault{Kind: "503"})
	for range 3 {
		b.get("/time")
	}
	require.JSONEq(t, `{"cleared":2}`, string(b.lever(http.MethodDelete, "/faults?keep=counts", nil).body))
	require.Equal(t, http.StatusOK, b.get("/time").status)
	require.Equal(t, []int{2, 1}, []int{b.faults()[0].Struck, b.faults()[1].Struck})
	require.True(t, b.faults()[0].Disarmed)
	require.JSONEq(t, `{"cleared":0}`, string(b.lever(http.MethodDelete, "/faults?keep=counts", nil).body))
	require.JSONEq(t, `{"cleared":2}`, string(b.lever(http.MethodDelete, "/faults", nil).body))
	require.Empty(t, b.faults())

	r, err := http.NewRequest(http.MethodDelete, b.server.URL+"/admin/faults?keep=all", nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, b.send(r).status)
}

func TestFaultDoesNotStrikeWhatItCannotChange(t *testing.T) {
	b := newBench(t)
	for _, kind := range []string{"late-304", "late-108", "twice", "hide", "settle-late", "partial-cancel", "unfilled"} {
		b.fault(Fault{Kind: kind, ForMs: 60_000})
	}
	b.get("/time")
	r, err := http.NewRequest(http.MethodPost, b.server.URL+"/v2/order", strings.NewReader(orderJSON(nil)))
	require.NoError(t, err)
	require.Equal(t, 300, b.send(r).code(t), "unsigned")
	for _, f := range b.faults() {
		require.Zero(t, f.Struck, f.Kind)
	}
}

// TestBooksBalanceUnderEveryFaultAtOnce lets rivals trade while every kind
// strikes at random, and then holds the ledger against itself.
func TestBooksBalanceUnderEveryFaultAtOnce(t *testing.T) {
	b := newBench(t, stateFile(t))
	before := b.ex.ledger.sums()
	var faults []Fault
	for kind := range faultKinds {
		faults = append(faults, Fault{Kind: kind, Chance: 0.1, DelayMs: 1, AfterMs: 1, ForMs: 50})
	}
	b.schedule(5, faults...)
	together(120, func(i int) answer {
		switch i % 4 {
		case 0:
			return b.call(b.other, http.MethodPost, "/order", limitJSON(map[string]any{"price": "50001", "amount": "0.01", "timeInForce": "IOC"}))
		case 1:
			return b.call(b.other, http.MethodPost, "/order", limitJSON(with("amount", "0.01")))
		case 2:
			return b.call(b.key, http.MethodGet, "/trades?market=BTC-EUR", "")
		}
		return b.call(b.key, http.MethodPost, "/order", orderJSON(with("amount", "0.01")))
	})
	struck := 0
	for _, f := range b.faults() {
		struck += f.Struck
	}
	require.Positive(t, struck)
	require.LessOrEqual(t, struck, 120)
	orders := b.recorded()
	require.Equal(t, before, b.ex.ledger.sums())
	requireHoldsMatch(t, b.ex)
	requireFillsExplainBalances(t, b.ex)
	b.reopen()
	require.Equal(t, orders, b.recorded(), "and all of it is written down")
}
