package chaos

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/starter/chaos/verify"
)

var small = Settings{Seed: 1, Proposals: 20, Duration: 30 * time.Second, Rate: 5}

// complete is a campaign in which everything struck.
func complete() (Plan, map[string]int, map[Kind]int) {
	p := NewPlan(small)
	faults, disturbances := map[string]int{}, map[Kind]int{}
	for _, name := range p.faultNames() {
		faults[name] = 2
	}
	for _, kind := range p.disturbanceKinds() {
		disturbances[kind] = 1
	}
	return p, faults, disturbances
}

func filled(p Plan, faults map[string]int, disturbances map[Kind]int, executed int) Report {
	r := Report{Statuses: map[string]int{"EXECUTED": executed}}
	r.fill(p, faults, disturbances)
	return r
}

func TestReportHoldsWhenEverythingStruckAndNothingWasViolated(t *testing.T) {
	t.Parallel()
	p, faults, disturbances := complete()
	r := filled(p, faults, disturbances, 3)
	require.Empty(t, r.Invalid)
	require.True(t, r.Holds())
	require.Equal(t, 2*len(p.faultNames()), Struck(r.Faults))
	require.Equal(t, len(p.disturbanceKinds()), Struck(r.Disturbances))
	r.Violations = []verify.Violation{{Rule: verify.OneOrder}}
	require.False(t, r.Holds())
}

func TestRunInWhichAnythingPlannedNeverStruckIsInvalid(t *testing.T) {
	t.Parallel()
	p, _, _ := complete()
	for _, name := range p.faultNames() {
		_, faults, disturbances := complete()
		delete(faults, name)
		r := filled(p, faults, disturbances, 3)
		require.Equal(t, []string{`the fault "` + name + `" never struck`}, r.Invalid)
		require.False(t, r.Holds())
	}
	for _, kind := range p.disturbanceKinds() {
		_, faults, disturbances := complete()
		disturbances[kind] = 0
		require.Equal(t, []string{`the disturbance "` + string(kind) + `" never struck`}, filled(p, faults, disturbances, 3).Invalid)
	}
}

func TestRunThatExecutedNothingOrMetTheUnplannedIsInvalid(t *testing.T) {
	t.Parallel()
	p, faults, disturbances := complete()
	require.Equal(t, []string{"nothing was executed"}, filled(p, faults, disturbances, 0).Invalid)
	_, faults, _ = complete()
	faults["unplanned x"] = 1
	require.Len(t, filled(p, faults, disturbances, 3).Invalid, 1)
}

func TestOrderIDsRepeatWhenTwoMarketsShareOne(t *testing.T) {
	t.Parallel()
	l := verify.Ledger{Orders: []verify.Order{{Market: "A-EUR", OrderID: "1"}, {Market: "B-EUR", OrderID: "1"}, {Market: "A-EUR", OrderID: "2"}}}
	require.Equal(t, 1, repeated(l))
}

func TestReplayNamesEverySetting(t *testing.T) {
	t.Parallel()
	require.Equal(t, "go run ./starter chaos --seed 1 --proposals 20 --duration 30s --rate 5", small.Replay())
}
