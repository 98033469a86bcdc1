package paper

import (
	"math/rand/v2"
	"strconv"
	"sync"
)

// faultSet holds the armed and the spent faults.
type faultSet struct {
	mu     sync.Mutex
	seed   uint64
	last   uint64
	faults []*armed
}

// armed is a fault with the dice that decide its chance. Each has its own, drawn
// only by calls it might strike: how often a client polls elsewhere does not
// change which of its orders are struck.
type armed struct {
	Fault
	dice *rand.Rand
}

func (s *faultSet) add(f Fault) (Fault, error) {
	if err := f.check(); err != nil {
		return Fault{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arm(f), nil
}

func (s *faultSet) arm(f Fault) Fault {
	s.last++
	f.ID, f.Struck, f.Disarmed = strconv.FormatUint(s.last, 10), 0, false
	s.faults = append(s.faults, &armed{f, rand.New(rand.NewPCG(s.seed, s.last))})
	return f
}

// schedule replaces every fault and begins anew with a seed: the same seed,
// faults and calls give the same strikes. On an error nothing has changed.
func (s *faultSet) schedule(seed uint64, faults []Fault) ([]Fault, error) {
	for i := range faults {
		if err := faults[i].check(); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seed, s.last, s.faults = seed, 0, nil
	for i, f := range faults {
		faults[i] = s.arm(f)
	}
	return faults, nil
}

// strike finds the first fault that is due, and has luck, and counts it.
func (s *faultSet) strike(c call) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.due(c) && f.lucky() {
			f.Struck++
			return f.Fault, true
		}
	}
	return Fault{}, false
}

func (f *armed) due(c call) bool {
	return !f.Disarmed && (f.Count == 0 || f.Struck < f.Count) && f.matches(c)
}

func (f *armed) lucky() bool {
	return f.Chance == 0 || f.Chance == 1 || f.dice.Float64() < f.Chance
}

// list shows every fault with how often it struck, spent ones too.
func (s *faultSet) list() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Fault, 0, len(s.faults))
	for _, f := range s.faults {
		all = append(all, f.Fault)
	}
	return all
}

// clear disarms one fault, or all for an empty id, and says how many. Unless
// their counts are kept, they are gone from the list too.
func (s *faultSet) clear(id string, keep bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	left := []*armed{}
	for _, f := range s.faults {
		named := id == "" || f.ID == id
		if named && (!keep || !f.Disarmed) {
			n++
		}
		if f.Disarmed = f.Disarmed || named; keep || !named {
			left = append(left, f)
		}
	}
	s.faults = left
	return n
}
