package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"interlock/internal/scan"
)

// scannedOnce needs no clock of its own: a run is named after its due time, and
// the model's endpoint counts for itself who asked it.
var scannedOnce = scenario{
	id: "scan-once", name: "Each due time is scanned once, however many workers there are", asks: true,
	did: "let all scan workers serve one schedule for two due times and counted the calls at the model's endpoint",
	try: func(ctx context.Context, k *kit) (saw string, held bool, err error) {
		u, err := k.trader(ctx, "scans", nil)
		if err != nil {
			return "", false, err
		}
		job, err := u.scanJob(ctx, "once-"+k.run)
		if err != nil {
			return "", false, err
		}
		defer func() { err = firstOf(err, job.delete(ctx)) }()
		runs, err := job.runsOf(ctx, 2)
		if err != nil {
			return "", false, err
		}
		calls, err := k.calls(ctx, job.id)
		if err != nil {
			return "", false, err
		}
		used, err := k.store.Budget(ctx, u.name, k.Account)
		return fmt.Sprintf("%d scan workers, %d due times, %d scans, %d calls at the endpoint, %d calls counted", k.ScanWorkers, len(runs), scanned(runs), calls, used.Used.CallsToday),
			scanned(runs) == len(runs) && calls == len(runs) && used.Used.CallsToday == calls, err
	},
}

// scanJob is a job of a user. Its model is named after it, so that its calls
// can be told from those of others.
type scanJob struct {
	user *user
	id   string
}

func (u *user) scanJob(ctx context.Context, id string) (scanJob, error) {
	r, err := u.ask(ctx, http.MethodPost, "/api/trading/scans", map[string]any{
		"id": id, "markets": []string{"BTC-EUR"}, "every": "10s", "model": id, "inputPrice": "0", "outputPrice": "0", "maxQuote": "10",
	})
	if err == nil && r.status != http.StatusCreated {
		err = fmt.Errorf("scan job: %s", r)
	}
	return scanJob{user: u, id: id}, err
}

// run is the record of one due time.
type run struct {
	ID   string `json:"id"`
	Code string `json:"code"`
}

func scanned(runs []run) (n int) {
	for _, r := range runs {
		if r.Code == string(scan.Scanned) {
			n++
		}
	}
	return n
}

// runsOf pauses the job once so many due times were scanned, and returns all of
// its runs when none is open any more. Paused is not what its model was asked
// for, so such a due time is left out.
func (j scanJob) runsOf(ctx context.Context, due int) (runs []run, err error) {
	err = until(ctx, func() (string, error) {
		runs, err = j.runs(ctx)
		return unless(scanned(runs) >= due, "%d of %d due times were scanned; they are %v", scanned(runs), due, runs), err
	})
	if err != nil {
		return nil, err
	}
	r, err := j.user.ask(ctx, http.MethodPost, "/api/trading/scans/"+j.id+"/pause", map[string]any{"note": "enough"})
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("pause: %s", r)
	}
	if err != nil {
		return nil, err
	}
	err = until(ctx, func() (string, error) {
		runs, err = j.runs(ctx)
		return unless(closed(runs), "a scan is open; they are %v", runs), err
	})
	return runs, err
}

func closed(runs []run) bool {
	for _, r := range runs {
		if r.Code == "" {
			return false
		}
	}
	return true
}

func (j scanJob) runs(ctx context.Context) (runs []run, err error) {
	r, err := j.user.ask(ctx, http.MethodGet, "/api/trading/scans/"+j.id+"?runs=100", nil)
	var shown struct{ Runs []run }
	if err == nil {
		err = json.Unmarshal(r.body, &shown)
	}
	for _, r := range shown.Runs {
		if r.Code != string(scan.JobPaused) {
			runs = append(runs, r)
		}
	}
	return runs, err
}

// delete removes the job also when the scenario's time is over.
func (j scanJob) delete(ctx context.Context) error {
	r, err := j.user.ask(context.WithoutCancel(ctx), http.MethodDelete, "/api/trading/scans/"+j.id+"?reason=demo", nil)
	if err == nil && r.status != http.StatusOK {
		err = fmt.Errorf("delete: %s", r)
	}
	return err
}

// calls is how often the model's endpoint says it was asked for a model.
func (k *kit) calls(ctx context.Context, model string) (int, error) {
	status, text, err := call(ctx, http.MethodGet, k.Analyst+"/admin/calls", "", nil)
	if err == nil && status != http.StatusOK {
		err = errors.New("the model's endpoint does not count")
	}
	var counted struct{ Models map[string]int }
	if err == nil {
		err = json.Unmarshal(text, &counted)
	}
	return counted.Models[model], err
}
