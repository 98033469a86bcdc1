package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"interlock/internal/config"
	"interlock/internal/devstack"
	"interlock/starter/chaos"
	"interlock/starter/stack"
)

func (a *app) chaos() *cobra.Command {
	var s chaos.Settings
	var seeds int
	var keep bool
	cmd := a.printsJSON(&cobra.Command{
		Use: "chaos", Short: "Break everything under a seed; no order may be doubled or lost", Args: cobra.NoArgs,
		Long: `Brings up a stack of its own in a temporary folder, with several workers per
role, and sends proposals through it while the exchange misbehaves, workers are
killed and frozen, workflows are reset, terminated and deleted, and database,
Temporal and exchange are killed; Temporal is also set back to an older copy.
A forger who reaches Temporal and nothing else calls our activities, answers for
them, starts our workflows and sends them what nobody wrote.
When all is calm again and has settled, an independent checker compares the
exchange's ledger with our tables and audit, and both with what a webhook heard
that is told everything and fails one time in five.

The seed decides what is proposed and what breaks when. Processes and networks
have their own timing, so the same seed repeats the plan, not every outcome.
--duration is how long things break; starting and settling come on top.

Exit code 1 means that a promise was broken, or that something planned never
struck, in which case the run proves less than it says. The state folder is then
kept, and its name printed.`,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.runChaos(ctx, s, seeds, keep) }),
	})
	flags := cmd.Flags()
	flags.Uint64Var(&s.Seed, "seed", 1, "seed of the plan; every third, from 1 on, has tight limits")
	flags.IntVar(&seeds, "seeds", 1, "campaigns to run, one after another, with the seeds from --seed on")
	flags.IntVar(&s.Proposals, "proposals", 250, "proposals of one campaign")
	flags.DurationVar(&s.Duration, "duration", 45*time.Second, "how long proposals come and things break")
	flags.Float64Var(&s.Rate, "rate", 8, "proposals, and orders of the account, per second")
	flags.BoolVar(&keep, "keep", false, "keep the state folder also when everything holds")
	return cmd
}

// mostSeeds is more than anybody waits for.
const mostSeeds = 10_000

func (a *app) runChaos(ctx context.Context, s chaos.Settings, seeds int, keep bool) error {
	if seeds < 1 || seeds > mostSeeds {
		return ends(exitUsage, fmt.Errorf("--seeds: %d is not usable; write a number from 1 to %d", seeds, mostSeeds))
	}
	if err := s.Check(); err != nil {
		return ends(exitUsage, err)
	}
	reports := []chaos.Report{}
	var failed error
	for range seeds {
		report, err := a.campaign(ctx, s, keep)
		if err != nil {
			failed = fmt.Errorf("seed %d: %w", s.Seed, err)
			break
		}
		reports = append(reports, report)
		if !a.json {
			printCampaign(a.out, report)
		}
		s.Seed++
	}
	if failed == nil || len(reports) > 0 {
		if err := a.showCampaigns(reports, seeds); err != nil {
			return err
		}
	}
	return errors.Join(failed, verdictOf(reports))
}

func verdictOf(reports []chaos.Report) error {
	for _, r := range reports {
		if !r.Holds() {
			return answered(exitFailed)
		}
	}
	return nil
}

// campaign runs one on a stack of its own. The stack's folder goes, unless
// something in it has to be explained.
func (a *app) campaign(ctx context.Context, s chaos.Settings, keep bool) (report chaos.Report, err error) {
	dir, err := devstack.TempStateDir()
	if err != nil {
		return report, err
	}
	fmt.Fprintf(a.progress, "seed %d: bringing up a stack in %s\n", s.Seed, dir)
	up, err := a.chaosStack(ctx, dir, s)
	if err != nil {
		return report, errors.Join(unavailable(err), a.leave(ctx, dir))
	}
	report, err = a.breakStack(ctx, up, dir, chaos.NewPlan(s))
	err = errors.Join(err, up.Abandon())
	if ctx.Err() == nil && (keep || err != nil || !report.Holds()) {
		report.StateKept = dir
		fmt.Fprintln(a.progress, "the state is kept in", dir)
		return report, err
	}
	return report, errors.Join(err, os.RemoveAll(dir))
}

// leave removes the folder of a stack that did not come up, unless its logs may
// say why.
func (a *app) leave(ctx context.Context, dir string) error {
	if ctx.Err() != nil { // interrupted
		return os.RemoveAll(dir)
	}
	fmt.Fprintln(a.progress, "the state is kept in", dir)
	return nil
}

// chaosStack hears of no environment but paths, so that it can touch nothing
// of anybody's.
func (a *app) chaosStack(ctx context.Context, dir string, s chaos.Settings) (*stack.Stack, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cfg, err := config.Starter(func(string) string { return "" })
	if err != nil {
		return nil, err
	}
	getenv := func(name string) string {
		if name == "BITVAVO_TRADE_RPS" {
			// Requests: an order takes several, and faults take more.
			return strconv.FormatFloat(min(max(s.Rate*40, 100), 1000), 'f', -1, 64)
		}
		return a.pathsOnly(name)
	}
	return stack.Up(ctx, stack.Options{
		Dir: dir, Config: cfg, Getenv: getenv, Self: self, Progress: io.Discard, Workers: chaos.Workers(), NoScans: true,
		ExchangeArgs: chaos.ExchangeArgs(),
	})
}

// breakStack keeps the stack running beside the campaign. When the one ends,
// so does the other.
func (a *app) breakStack(ctx context.Context, up *stack.Stack, dir string, plan chaos.Plan) (chaos.Report, error) {
	urls := up.URLs()
	s := chaos.Stack{
		Machine: up, Dir: dir, API: urls[stack.API], Exchange: urls[stack.Exchange], Admin: urls[stack.Admin],
		Owner: urls[stack.Owner], Operator: urls[stack.Database], Temporal: urls[stack.Temporal], Namespace: urls[stack.Namespace],
		Account: urls[stack.Account], Holder: stack.Holder,
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { defer stop(); ended <- up.Wait(running) }()
	report, err := chaos.Run(running, s, plan, a.progress)
	stop()
	return report, errors.Join(<-ended, err)
}
