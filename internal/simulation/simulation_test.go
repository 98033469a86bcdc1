package simulation

import (
	"flag"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

var (
	runs = flag.Int("runs", 2500, "how many lives to simulate")
	seed = flag.Uint64("seed", 1, "the first seed; run n has seed + n")
)

// simulate is one run.
func simulate(seed uint64, talk bool) *world {
	w := newWorld(seed, locks{}, "")
	w.talk = talk
	w.run()
	return w
}

// TestNoFaultDoublesOrLosesAnOrder is the simulation: as many lives as -runs
// says, with every fault at every step.
func TestNoFaultDoublesOrLosesAnOrder(t *testing.T) {
	var next atomic.Int64
	var lock sync.Mutex
	struck, ends := map[string]int{}, map[string]int{}
	var broken []*world
	var crew sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		crew.Go(func() {
			for n := next.Add(1) - 1; n < int64(*runs); n = next.Add(1) - 1 {
				w := simulate(*seed+uint64(n), *runs == 1)
				lock.Lock()
				for fault, times := range w.struck {
					struck[fault] += times
				}
				ends[string(w.records.proposal.Status)]++
				if len(w.broken) > 0 {
					broken = append(broken, w)
				}
				lock.Unlock()
				if (n+1)%5000 == 0 {
					fmt.Printf("%d of %d runs, %d broken\n", n+1, *runs, len(broken))
				}
			}
		})
	}
	crew.Wait()
	t.Log(ends, struck)
	for _, w := range broken[:min(len(broken), 10)] {
		t.Errorf("seed %d: %v\n%s\nreplay: make simulate SEED=%d RUNS=1", w.seed, w.broken, w.story(), w.seed)
	}
	require.Empty(t, len(broken))
	if *runs >= 1000 {
		require.Greater(t, ends[string(trade.Executed)], *runs/4, "runs in which nothing trades prove nothing")
	}
}

// TestOneSeedIsOneRun is what makes a failure worth printing.
func TestOneSeedIsOneRun(t *testing.T) {
	for n := range uint64(150) {
		require.Equal(t, simulate(*seed+n, true).story(), simulate(*seed+n, true).story(), "seed %d", *seed+n)
	}
}
