package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"interlock/internal/budget"
	"interlock/internal/scan"
	"interlock/internal/trade"
	"interlock/internal/view"
)

var budgetKept = scenario{
	id: "model-budget", name: "No model call beyond the budget",
	did: "logged 5 calls as another program does, allowed 5 a day and 2 an hour, and let a scan come due",
	try: func(ctx context.Context, k *kit) (string, bool, error) {
		u, err := k.trader(ctx, "budget", map[string]any{"modelBudget": map[string]any{
			"callsPerDay": 5, "callsPerHour": 2, "tokensPerDay": "unlimited", "costPerDay": "unlimited",
		}})
		if err != nil {
			return "", false, err
		}
		for range 5 {
			if _, err := k.conn.Exec(ctx, `INSERT INTO interlock.gpt_usage_log (user_id, tokens, success) VALUES ($1, 100, true)`, u.name); err != nil {
				return "", false, err
			}
		}
		run, err := k.scanOnce(ctx, u.name)
		if err != nil {
			return "", false, err
		}
		used, err := k.store.Budget(ctx, u.name, k.Account)
		want := string(budget.DailyExhausted) + "," + string(budget.HourlyExhausted)
		return words("the scan ended with "+strings.ReplaceAll(run.Code, ",", " and "), fmt.Sprintf("%d calls are counted", used.Used.CallsToday)),
			run.Code == want && used.Used.CallsToday == 5, err
	},
}

// scanOnce adds a job, which the workers schedule by themselves, waits for the
// end of its first run, and deletes it.
func (k *kit) scanOnce(ctx context.Context, user string) (run view.ScanRun, err error) {
	j := scan.Job{ID: "budget-" + k.run, UserID: user, AccountID: k.Account, Revision: 1, Spec: scan.Defaults()}
	j.Markets, j.Every, j.Model = []trade.Market{"BTC-EUR"}, trade.Duration(10*time.Second), "none"
	if err := k.store.AddScanJob(ctx, j, "demo"); err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, k.store.DeleteScanJob(context.WithoutCancel(ctx), j, "demo")) }()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		runs, err := k.store.ScanRuns(ctx, j.ID, 1)
		if err != nil {
			return run, err
		}
		if len(runs) > 0 && runs[0].Code != "" {
			return runs[0], nil
		}
		select {
		case <-ctx.Done():
			return run, ctx.Err()
		case <-tick.C:
		}
	}
}
