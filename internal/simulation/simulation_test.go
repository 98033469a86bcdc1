package simulation

import (
	"flag"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

var (
	runs = flag.Int("runs", 1500, "how many lives to simulate")
	seed = flag.Uint64("seed", 1, "the first seed; run n has seed + n")
)

// simulate is one run. A panic is a broken promise like any other.
func simulate(seed uint64, off locks, focus string, talk bool) (w *world) {
	w = newWorld(seed, off, focus)
	w.talk = talk
	defer func() {
		if r := recover(); r != nil {
			w.wrongf("panic: %v", r)
		}
	}()
	w.run()
	return w
}

// tally is what many runs came to.
type tally struct {
	sync.Mutex
	began  time.Time
	done   int
	struck map[string]int
	ends   map[string]int
	broken []*world
}

func (t *tally) add(w *world) {
	t.Lock()
	defer t.Unlock()
	t.done++
	t.ends[string(w.records.proposal.Status)]++
	for fault, times := range w.struck {
		t.struck[fault] += times
	}
	if len(w.broken) > 0 {
		t.broken = append(t.broken, w)
	}
	if t.done%5000 == 0 {
		fmt.Printf("%6d of %d runs, %d broken, %s\n", t.done, *runs, len(t.broken), time.Since(t.began).Round(time.Second))
	}
}

func (t *tally) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d runs from seed %d in %s: %v\n", t.done, *seed, time.Since(t.began).Round(time.Second), t.ends)
	for _, fault := range slices.Sorted(maps.Keys(t.struck)) {
		fmt.Fprintf(&text, "%8d  %s\n", t.struck[fault], fault)
	}
	return text.String()
}

// TestNoFaultDoublesOrLosesAnOrder is the simulation: as many lives as -runs
// says, with every fault at every step.
func TestNoFaultDoublesOrLosesAnOrder(t *testing.T) {
	total := &tally{began: time.Now(), struck: map[string]int{}, ends: map[string]int{}}
	var next atomic.Int64
	var crew sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		crew.Go(func() {
			for n := next.Add(1) - 1; n < int64(*runs); n = next.Add(1) - 1 {
				w := simulate(*seed+uint64(n), locks{}, "", *runs == 1)
				if *runs == 1 {
					t.Log(w.story())
				}
				total.add(w)
			}
		})
	}
	crew.Wait()
	t.Log(total)
	for _, w := range total.broken[:min(len(total.broken), 10)] {
		t.Errorf("seed %d: %s\n\treplay: make simulate RUNS=1 SEED=%d", w.seed, strings.Join(w.broken, "; "), w.seed)
	}
	require.Empty(t, total.broken)
	if *runs >= 1000 {
		require.Greater(t, total.ends[string(trade.Executed)], *runs/4, "runs in which nothing trades prove nothing")
		total.requireEveryFault(t)
	}
}

// requireEveryFault makes runs in which a fault never struck count for nothing.
func (t *tally) requireEveryFault(test *testing.T) {
	wanted := []string{
		"worker lost", "worker frozen", "worker: past the deadline", "zombie answered", "context over",
		"heartbeat timeout", "start-to-close timeout", "schedule-to-start timeout", "activity's answer lost",
		"database down", "database: lost before the commit", "database: lost after the commit", "attempt voided",
		"exchange: down", "exchange: unreachable", "exchange: a read failed", "exchange: an order not shown yet",
		"exchange: a replica later than L", "exchange: a fill settled late", "exchange: 304", "exchange: 108",
		"exchange: partly filled, canceledIOC", "exchange: canceledIOC unfilled", "exchange: cancelled by us",
		"workflow terminated", "workflow reset", "closed workflow reset", "activity failed by a reset", "continued as new",
		"request sent again", "signal to nobody", "halt", "a person's word taken", "sweep woke the workflow",
	}
	for _, fault := range postFaults {
		wanted = append(wanted, "exchange: "+fault)
	}
	for _, fault := range wanted {
		require.NotZero(test, t.struck[fault], "%q never struck", fault)
	}
	for _, end := range []string{"EXECUTED", "EXPIRED", "CANCELLED"} {
		require.NotZero(test, t.ends[end], end)
	}
}

// TestOneSeedIsOneRun is what makes a failure worth printing.
func TestOneSeedIsOneRun(t *testing.T) {
	for n := range uint64(30) {
		one, other := simulate(*seed+n, locks{}, "", true), simulate(*seed+n, locks{}, "", true)
		require.Equal(t, one.story(), other.story(), "seed %d", *seed+n)
	}
}
