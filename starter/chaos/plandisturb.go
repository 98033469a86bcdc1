package chaos

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"interlock/internal/config"
	"interlock/starter/stack"
)

// Kind is a way to disturb the stack.
type Kind string

// The kinds of disturbance.
const (
	KillWorker      Kind = "worker killed"
	FreezeWorker    Kind = "worker frozen"
	ResetWorkflow   Kind = "workflow reset"
	EndWorkflow     Kind = "workflow terminated"
	DeleteWorkflow  Kind = "workflow deleted"
	CutConnections  Kind = "database connections cut"
	CrashDatabase   Kind = "database crashed"
	KillTemporal    Kind = "Temporal killed"
	RestoreTemporal Kind = "Temporal restored from a copy"
	KillExchange    Kind = "exchange killed"
	Halt            Kind = "trading halted"
	MoveClock       Kind = "exchange's clock moved"
	DeliverTwice    Kind = "window for double deliveries"
)

// Disturbance is one thing that breaks.
type Disturbance struct {
	Kind   Kind
	At     time.Duration
	Target string        // a process
	For    time.Duration // of a freeze or a halt; the clock's offset
	Pick   uint64        // chooses among what there is at that moment
}

// wave is how often a kind strikes in a minute, and in which part of the
// campaign.
type wave struct {
	kind        Kind
	perMinute   float64
	first, last float64
}

var waves = []wave{
	{KillWorker, 8, 0.05, 0.95},
	{ResetWorkflow, 8, 0.05, 0.9},
	{EndWorkflow, 6, 0.05, 0.9},
	{DeleteWorkflow, 6, 0.05, 0.9},
	{CutConnections, 4, 0.05, 0.95},
	{CrashDatabase, 1, 0.35, 0.6},
	{KillExchange, 2, 0.2, 0.8},
	{Halt, 3, 0.1, 0.9},
	{MoveClock, 2, 0.1, 0.9},
	{DeliverTwice, 2, 0.1, 0.7},
}

// planDisturbances spreads them by the seed. Each kind strikes at least once.
func planDisturbances(s Settings) []Disturbance {
	r := s.stream(streamDisturbances)
	list := spread(r, s, waves)
	list = append(list, freezes(r, s)...)
	list = append(list,
		// The copy is taken early, so that the restored server has forgotten
		// proposals that are executing and some that are over.
		Disturbance{Kind: KillTemporal, At: share(r, s, 0.15, 0.25)},
		Disturbance{Kind: RestoreTemporal, At: share(r, s, 0.65, 0.8)})
	list = append(list, planForgeries(s)...)
	slices.SortStableFunc(list, func(a, b Disturbance) int { return int(a.At - b.At) })
	return list
}

// spread gives every wave at least one strike.
func spread(r *rand.Rand, s Settings, waves []wave) []Disturbance {
	var list []Disturbance
	for _, w := range waves {
		for range max(1, int(math.Round(w.perMinute*s.Duration.Minutes()))) {
			list = append(list, w.strike(r, s))
		}
	}
	return list
}

func (w wave) strike(r *rand.Rand, s Settings) Disturbance {
	d := Disturbance{Kind: w.kind, At: share(r, s, w.first, w.last), Pick: r.Uint64()}
	switch w.kind {
	case KillWorker:
		d.Target = pick(r, mortal)
	case Halt:
		d.For = between(r, 500*time.Millisecond, 2500*time.Millisecond)
	case MoveClock:
		// At most 2 s are allowed, and requests take their time.
		d.For = between(r, 0, 3*time.Second) - 1500*time.Millisecond
	}
	return d
}

// mortal are the workers that are killed; the last one of each role is frozen
// instead, and a killed process could not thaw.
var mortal = []string{
	stack.WorkerName(string(config.Orders), 1), stack.WorkerName(string(config.Orders), 2),
	stack.WorkerName(string(config.Proposals), 1), stack.WorkerName(string(config.Scans), 1),
}

// freezes are as long as the timeouts they outlast: a heartbeat's 5 s, an
// attempt's 30 s. The longest begin at once, so that the thaw is seen.
func freezes(r *rand.Rand, s Settings) []Disturbance {
	orders, proposals := stack.WorkerName(string(config.Orders), 3), stack.WorkerName(string(config.Proposals), 2)
	short := func(name string, first, last float64) Disturbance {
		return Disturbance{Kind: FreezeWorker, Target: name, At: share(r, s, first, last), For: between(r, 8*time.Second, 12*time.Second)}
	}
	long := Disturbance{Kind: FreezeWorker, Target: orders, At: share(r, s, 0.05, 0.15), For: between(r, 31*time.Second, 40*time.Second)}
	list := []Disturbance{long, short(proposals, 0.1, 0.5)}
	for at := long.At + long.For + 5*time.Second; at+12*time.Second < s.Duration; at += 25 * time.Second {
		list = append(list, Disturbance{Kind: FreezeWorker, Target: orders, At: at, For: between(r, 8*time.Second, 12*time.Second)})
	}
	return list
}

// share is a moment in a part of the campaign.
func share(r *rand.Rand, s Settings, first, last float64) time.Duration {
	at := func(part float64) time.Duration { return time.Duration(part * float64(s.Duration)) }
	return between(r, at(first).Truncate(time.Millisecond), at(last).Truncate(time.Millisecond))
}
