package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"interlock/starter/chaos"
)

// printCampaign shows one campaign in full.
func printCampaign(out io.Writer, r chaos.Report) {
	fmt.Fprintf(out, "\nseed %d: %d proposals and %d spares in %s at %v orders per second, tight limits: %v, took %.0f s\n",
		r.Seed, r.Proposals, r.Spares, r.Duration, r.Rate, r.Tight, r.Seconds)
	t := &table{header: []string{"STRUCK", "WHAT"}}
	for _, s := range slices.Concat(r.Faults, r.Disturbances) {
		t.add(fmt.Sprint(s.Struck), s.Name)
	}
	t.print(out)
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		fmt.Fprintf(out, "%-10s %d\n", status, r.Statuses[status])
	}
	fmt.Fprintf(out, "%d orders at the exchange, %d unresolved on the way, %d claimed again, %d attempts, %d looks, %d differences\n",
		r.Orders, r.Unresolved, r.Reclaimed, r.Attempts, r.Looks, r.Differences)
	fmt.Fprintf(out, "%d events heard, %d times one of them again\n", r.Events, r.HeardAgain)
	for _, v := range r.Violations {
		fmt.Fprintf(out, "VIOLATION %s: %s: %s\n", v.Rule, v.Subject, v.Detail)
	}
	for _, why := range r.Invalid {
		fmt.Fprintln(out, "INVALID", why)
	}
	if r.StateKept != "" {
		fmt.Fprintln(out, "state kept in", r.StateKept)
	}
	fmt.Fprintln(out, "replay:", r.Replay)
}

// showCampaigns ends the output: one JSON document, or a table over the seeds.
func (a *app) showCampaigns(reports []chaos.Report, seeds int) error {
	t := &table{header: []string{"SEED", "HOLDS", "PROPOSALS", "ORDERS", "EXECUTED", "UNRESOLVED", "FAULTS", "DISTURBED", "VIOLATIONS", "SECONDS"}}
	proposals, violations := 0, 0
	for _, r := range reports {
		holds := "yes"
		if !r.Holds() {
			holds = "NO"
		}
		proposals, violations = proposals+r.Proposals, violations+len(r.Violations)
		t.add(fmt.Sprint(r.Seed), holds, fmt.Sprint(r.Proposals), fmt.Sprint(r.Orders), fmt.Sprint(r.Statuses["EXECUTED"]), fmt.Sprint(r.Unresolved),
			fmt.Sprint(chaos.Struck(r.Faults)), fmt.Sprint(chaos.Struck(r.Disturbances)), fmt.Sprint(len(r.Violations)), fmt.Sprintf("%.0f", r.Seconds))
	}
	if !a.json && seeds == 1 {
		fmt.Fprintf(a.out, "%d violations\n", violations)
		return nil
	}
	if err := a.show(map[string]any{"campaigns": reports}, t); err != nil || a.json {
		return err
	}
	fmt.Fprintf(a.out, "%d campaigns, %d proposals, %d violations\n", len(reports), proposals, violations)
	return nil
}
