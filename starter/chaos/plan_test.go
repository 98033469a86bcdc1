package chaos

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"interlock/internal/trade"
	"interlock/starter/stack"
)

// drawSettings draws only what Check accepts.
func drawSettings(t *rapid.T) Settings {
	s := Settings{
		Seed:      rapid.Uint64().Draw(t, "seed"),
		Proposals: rapid.IntRange(1, 300).Draw(t, "proposals"),
		Duration:  time.Duration(rapid.IntRange(20, 300).Draw(t, "seconds")) * time.Second,
	}
	s.Rate = min(max(float64(s.Proposals)/(s.Duration.Seconds()/2), 1), MaxRate)
	if s.Check() != nil {
		s.Proposals = 10
	}
	require.NoError(t, s.Check())
	return s
}

func TestPlanIsAPureFunctionOfItsSettings(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSettings(t)
		require.Equal(t, NewPlan(s), NewPlan(s))
	})
}

func TestSeedsDiffer(t *testing.T) {
	t.Parallel()
	s := Settings{Seed: 1, Proposals: 50, Duration: time.Minute, Rate: 5}
	other := s
	other.Seed = 4 // of the same tightness
	require.NotEqual(t, NewPlan(s).Disturbances, NewPlan(other).Disturbances)
	require.NotEqual(t, NewPlan(s).Faults, NewPlan(other).Faults)
	require.NotEqual(t, NewPlan(s).Proposals, NewPlan(other).Proposals)
}

func TestEveryKindOfDisturbanceIsPlannedAndCanBeCarriedOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawSettings(t)
		p := NewPlan(s)
		require.Len(t, p.disturbanceKinds(), len(disturbers))
		for _, d := range p.Disturbances {
			require.Contains(t, disturbers, d.Kind)
			require.GreaterOrEqual(t, d.At, time.Duration(0))
			require.Less(t, d.At, s.Duration)
		}
		require.True(t, slices.IsSortedFunc(p.Disturbances, func(a, b Disturbance) int { return int(a.At - b.At) }))
	})
}

func TestOneOrdersWorkerFreezesPastEveryTimeoutAndNoKillKeepsAZombieFromThawing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const startToClose, heartbeat = 30 * time.Second, 5 * time.Second
		longest := time.Duration(0)
		for _, d := range NewPlan(drawSettings(t)).Disturbances {
			switch d.Kind {
			case FreezeWorker:
				require.Greater(t, d.For, heartbeat)
				require.NotContains(t, mortal, d.Target)
				longest = max(longest, d.For)
			case KillWorker:
				require.Contains(t, mortal, d.Target)
			}
		}
		require.Greater(t, longest, startToClose)
	})
}

func TestDisturbancesStayWithinWhatTheSystemRestsOn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := NewPlan(drawSettings(t))
		for _, d := range p.Disturbances {
			if d.Kind == MoveClock {
				require.Less(t, d.For.Abs(), trade.MaxClockSkew)
			}
		}
		for _, f := range p.Faults {
			if f.Kind == "hide" {
				require.Less(t, time.Duration(f.ForMs)*time.Millisecond, stack.PaperLag)
			}
			require.NotEqual(t, "twice", f.Kind, "only where it is guarded")
		}
	})
}

func TestTemporalIsRestoredFromACopyThatIsOlder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var copied, restored time.Duration
		for _, d := range NewPlan(drawSettings(t)).Disturbances {
			switch d.Kind {
			case KillTemporal:
				copied = d.At
			case RestoreTemporal:
				restored = d.At
			}
		}
		require.Greater(t, restored-copied, 5*time.Second)
	})
}

func TestEveryFaultHasItsOwnNameAndIsRecognised(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := &campaign{plan: NewPlan(drawSettings(t))}
		seen := map[string]bool{}
		for _, f := range append(c.plan.Faults, twiceFault()) {
			require.False(t, seen[f.Name], f.Name)
			seen[f.Name] = true
			require.Contains(t, c.plan.faultNames(), f.Name)
			if f.Kind != "twice" {
				require.Greater(t, f.Chance, 0.0)
				require.Less(t, f.Chance, 0.5)
			}
			listed := struckFault{}
			text, err := json.Marshal(f)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(text, &listed))
			if f.Code == 0 {
				listed.Code = 109 // the exchange fills it in
			}
			require.Equal(t, f.Name, c.nameOf(listed.Fault))
		}
		require.Equal(t, "unplanned x", c.nameOf(Fault{Kind: "x"}))
	})
}

func TestEveryPolicyOfAPlanIsOne(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		s := Settings{Seed: seed, Proposals: 40, Duration: time.Minute, Rate: 5}
		for _, u := range NewPlan(s).Users {
			text, err := json.Marshal(u.Policy)
			require.NoError(t, err)
			_, err = trade.ParsePolicy(text)
			require.NoError(t, err, u.Name)
		}
		require.Equal(t, seed%3 == 1, len(NewPlan(s).Users) > 3)
	}
}

func TestProposalsUseEveryDoorFormAndComplication(t *testing.T) {
	t.Parallel()
	p := NewPlan(Settings{Seed: 3, Proposals: 250, Duration: time.Minute, Rate: 8})
	have := map[any]bool{}
	for _, one := range p.Proposals {
		have[one.Form], have[one.Side], have[one.Market] = true, true, true
		have["cancel"] = have["cancel"] || one.CancelIn > 0
		have["expires"] = have["expires"] || one.ExpiresIn > 0
		have["rivals"] = have["rivals"] || len(one.Asks) > 1
		for _, a := range one.Asks {
			have[a.Door] = true
		}
		require.LessOrEqual(t, one.At, p.arrivals())
	}
	for _, want := range []any{InQuote, InBase, Limit, "buy", "sell", "BTC-EUR", "ADA-EUR", ByHTTP, ByUpdate, BySignal, "cancel", "expires", "rivals"} {
		require.True(t, have[want], want)
	}
}

func TestLimitRestsOnItsOwnSideOfTheMarket(t *testing.T) {
	t.Parallel()
	price := decimal.NewFromInt(1000)
	require.Equal(t, "980", Proposal{Side: "buy", AwayBps: 200}.limit(price).String())
	require.Equal(t, "1020", Proposal{Side: "sell", AwayBps: 200}.limit(price).String())
	require.Equal(t, "1005", Proposal{Side: "buy", AwayBps: -50}.limit(price).String())
}

func TestSettingsThatLeaveNoRoomAreRefused(t *testing.T) {
	t.Parallel()
	good := Settings{Seed: 1, Proposals: 100, Duration: time.Minute, Rate: 5}
	require.NoError(t, good.Check())
	for _, c := range []struct {
		change func(*Settings)
		names  string
	}{
		{func(s *Settings) { s.Proposals = 0 }, "--proposals"},
		{func(s *Settings) { s.Proposals = MaxProposals + 1 }, "--proposals"},
		{func(s *Settings) { s.Duration = time.Second }, "--duration"},
		{func(s *Settings) { s.Duration = time.Hour }, "--duration"},
		{func(s *Settings) { s.Rate = 0 }, "--rate"},
		{func(s *Settings) { s.Rate = MaxRate + 1 }, "--rate"},
		{func(s *Settings) { s.Proposals = 1000 }, "raise --rate or --duration"},
	} {
		s := good
		c.change(&s)
		require.ErrorContains(t, s.Check(), c.names)
	}
}
