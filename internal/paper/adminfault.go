package paper

import (
	"fmt"
	"net/http"
)

func addFault(e *Exchange, r *http.Request) (any, error) {
	f, err := readJSON[Fault](r)
	if err != nil {
		return nil, err
	}
	return e.faults.add(f)
}

// faultSchedule is a set of faults whose chances are decided by a seed.
type faultSchedule struct {
	Seed   uint64  `json:"seed"`
	Faults []Fault `json:"faults"`
}

func setSchedule(e *Exchange, r *http.Request) (any, error) {
	in, err := readJSON[faultSchedule](r)
	if err != nil {
		return nil, err
	}
	if in.Faults, err = e.faults.schedule(in.Seed, in.Faults); err != nil {
		return nil, err
	}
	return in, nil
}

// clearFaults removes faults; keep=counts leaves them readable.
func clearFaults(e *Exchange, r *http.Request) (any, error) {
	keep := r.URL.Query().Get("keep")
	if keep != "" && keep != "counts" {
		return nil, fmt.Errorf("keep %q: want counts", keep)
	}
	return map[string]int{"cleared": e.faults.clear(r.URL.Query().Get("id"), keep != "")}, nil
}
