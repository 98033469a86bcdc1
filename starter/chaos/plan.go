package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Settings are everything that a plan depends on.
type Settings struct {
	Seed      uint64
	Proposals int
	Duration  time.Duration // of the proposals and what disturbs them, not of settling after it
	Rate      float64       // proposals and orders per second
}

// The bounds within which a plan fits.
const (
	MinDuration  = 20 * time.Second
	MaxDuration  = 30 * time.Minute
	MaxProposals = 20_000
	MaxRate      = 100
)

// Check refuses settings under which not everything could happen.
func (s Settings) Check() error {
	switch {
	case s.Proposals < 1 || s.Proposals > MaxProposals:
		return fmt.Errorf("--proposals: %d is not usable; write a number from 1 to %d", s.Proposals, MaxProposals)
	case s.Duration < MinDuration || s.Duration > MaxDuration:
		return fmt.Errorf("--duration: %s is not usable; write a time from %s to %s", s.Duration, MinDuration, MaxDuration)
	case !(s.Rate > 0 && s.Rate <= MaxRate):
		return fmt.Errorf("--rate: %v is not usable; write orders per second, above 0 and up to %d", s.Rate, MaxRate)
	case s.arrivals() > s.Duration*3/4:
		return fmt.Errorf("--rate: %d proposals at %v per second take %s, which does not fit into %s; raise --rate or --duration",
			s.Proposals, s.Rate, s.arrivals().Round(time.Second), s.Duration)
	}
	return nil
}

// arrivals is how long proposals keep coming.
func (s Settings) arrivals() time.Duration {
	return time.Duration(float64(s.Proposals) / s.Rate * float64(time.Second))
}

// Plan is everything that a campaign does, and when. It is a pure function of
// its settings; what comes of it is not, since real processes run it.
type Plan struct {
	Settings

	Users        []User
	Proposals    []Proposal
	Spares       []Proposal // executed only to be struck by a fault that has not struck yet
	Faults       []Fault
	Disturbances []Disturbance
}

// The streams of random numbers. Each has its own, so that what is added to
// one leaves the others as they are.
const (
	streamUsers = iota + 1
	streamProposals
	streamSpares
	streamFaults
	streamDisturbances
	streamMoods
	streamForgeries
)

func (s Settings) stream(n uint64) *rand.Rand { return rand.New(rand.NewPCG(s.Seed, n)) }

// NewPlan derives the plan from settings that Check accepts.
func NewPlan(s Settings) Plan {
	p := Plan{Settings: s, Users: planUsers(s)}
	p.Proposals = planProposals(s, len(p.Users))
	p.Spares = planSpares(s)
	p.Faults = planFaults(s)
	p.Disturbances = planDisturbances(s)
	return p
}

// scheduled are the faults that chance decides. A ban without an end is not one
// of them: for a minute nothing else would strike.
func (p Plan) scheduled() []Fault {
	return slices.DeleteFunc(slices.Clone(p.Faults), func(f Fault) bool { return f.NoExpiry })
}

// between is a moment or length from least to most, in whole milliseconds.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	span := (most - least).Milliseconds()
	return least + time.Duration(r.Int64N(span+1))*time.Millisecond
}

// User is one person with a policy of their own.
type User struct {
	Name   string
	Policy map[string]any
}

// tight says whether limits are meant to bite under this seed.
func (s Settings) tight() bool { return s.Seed%3 == 1 }

// planUsers makes the people. The first one may do everything, so that spares
// are stopped by nothing but what is in doubt.
func planUsers(s Settings) []User {
	r := s.stream(streamUsers)
	ttl := between(r, 2*time.Second, 6*time.Second)
	open := func(name string, changes map[string]any) User {
		policy := map[string]any{
			"timeZone": "Europe/Amsterdam", "allowlist": markets, "minConfidence": "0.5", "cooldown": "0s", "antiFlip": "0s",
			"tradesPerDay": "unlimited", "tradesPerHour": "unlimited", "maxOrderQuote": "100.00", "maxOrderBase": "unlimited",
			"exposureMarket": "unlimited", "exposureAccount": "unlimited", "priceCollar": "0.05", "priceMaxAge": "30s",
			"reconcileMaxAge": "10m", "limitOrderTTL": ttl.String(), "repeatThrottle": "unlimited", "autoExecute": false,
			"modelBudget": map[string]any{"callsPerDay": 0, "callsPerHour": 0, "tokensPerDay": 0, "costPerDay": "0"},
		}
		for field, value := range changes {
			policy[field] = value
		}
		return User{Name: name, Policy: policy}
	}
	if !s.tight() {
		return []User{open("anna", nil), open("bert", nil), open("carl", nil)}
	}
	few := s.Proposals/20 + 2
	return []User{
		open("anna", nil),
		open("bert", map[string]any{"cooldown": "6s", "antiFlip": "15s"}),
		open("carl", map[string]any{"tradesPerHour": few + r.IntN(few)}),
		open("dora", map[string]any{"tradesPerDay": few + r.IntN(few)}),
		open("emil", map[string]any{
			"exposureMarket": fmt.Sprintf("%d.00", 100+4*s.Proposals), "exposureAccount": fmt.Sprintf("%d.00", 200+12*s.Proposals),
		}),
		open("fred", map[string]any{"repeatThrottle": map[string]any{"executions": few * 4, "window": "20s"}}),
	}
}
