package chaos

import (
	"maps"
	"sync"
)

// tally counts what happened while a campaign runs.
type tally struct {
	mu           sync.Mutex
	faults       map[string]int // of schedules that were replaced
	epoch        map[string]int // of the present one
	disturbances map[Kind]int
	answers      map[string]int
}

func newTally() *tally {
	return &tally{faults: map[string]int{}, epoch: map[string]int{}, disturbances: map[Kind]int{}, answers: map[string]int{}}
}

func (t *tally) thisEpoch(struck map[string]int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.epoch = struck
}

// closeEpoch keeps the counts of a schedule that is about to be replaced.
func (t *tally) closeEpoch() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, n := range t.epoch {
		t.faults[name] += n
	}
	t.epoch = map[string]int{}
}

func (t *tally) faultCounts() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := maps.Clone(t.faults)
	for name, n := range t.epoch {
		all[name] += n
	}
	return all
}

func (t *tally) disturbed(k Kind) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.disturbances[k]++
}

func (t *tally) disturbedCounts() map[Kind]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.disturbances)
}

func (t *tally) answered(with string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers[with]++
}

func (t *tally) answerCounts() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.answers)
}
