package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"interlock/internal/postgres"
	"interlock/internal/scan"
	"interlock/internal/schedules"
	"interlock/internal/trade"
	"interlock/starter/stack"
)

func (a *app) scan() *cobra.Command {
	cmd := &cobra.Command{Use: "scan", Short: "Scheduled looks at the market: add, list, show, pause, trigger", Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.operate(ctx, a.listScans(ctx)) })}
	cmd.AddCommand(a.scanAdd(), a.printsJSON(&cobra.Command{
		Use: "list", Short: "List the scan jobs", Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.operate(ctx, a.listScans(ctx)) }),
	}), a.scanShow(), a.scanPause(true), a.scanPause(false), a.scanTrigger(), a.scanBackfill(), a.scanDelete())
	return cmd
}

// scheduled does something with the database and with Temporal.
func (a *app) scheduled(ctx context.Context, do func(*postgres.Store, client.Client) error) error {
	p, err := a.locate()
	if err != nil {
		return err
	}
	options := p.Temporal
	if p.TemporalAddress == "" {
		address, err := p.find("", stack.Temporal, "TEMPORAL_ADDRESS")
		if err != nil {
			return err
		}
		options = client.Options{HostPort: address, Namespace: p.urls[stack.Namespace]}
	}
	options.Logger = slog.New(slog.DiscardHandler)
	temporal, err := client.DialContext(ctx, options)
	if err != nil {
		return unavailable(fmt.Errorf("temporal: %w", err))
	}
	defer temporal.Close()
	return a.operate(ctx, func(store *postgres.Store) error { return do(store, temporal) })
}

// jobFlags are a job as it is typed.
type jobFlags struct {
	markets, cron, zone, model, profile, intervals string
	priceIn, priceOut, maxQuote                    string
	user, account, actor                           string
	every, jitter, catchUp, life                   time.Duration
	maxIdeas, maxReply                             int
}

func (a *app) scanAdd() *cobra.Command {
	var f jobFlags
	d := scan.Defaults()
	cmd := &cobra.Command{
		Use: "add JOB --user USER --markets M,M --every D --model NAME", Short: "Add a scan job", Args: cobra.ExactArgs(1),
		Long: `Adds a job: on its schedule it looks at its markets and asks a model for ideas,
within the model budget of the user's policy. Each idea becomes a proposal of
the user; with autoExecute in the policy it executes by itself, else it waits.

What a call costs is counted by --price-in and --price-out, in euro per million
tokens; give 0 for a model that costs nothing. A job's name is never given
twice: its runs and proposals are named after it.`,
		RunE: a.does(func(ctx context.Context, args []string) error { return a.addScan(ctx, args[0], f) }),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "for whom it proposes (required)")
	flags.StringVar(&f.account, "account", "", "the account, else INTERLOCK_ACCOUNT")
	flags.StringVar(&f.markets, "markets", "", "markets to look at, like BTC-EUR,ETH-EUR (required)")
	flags.DurationVar(&f.every, "every", 0, "interval, like 15m")
	flags.StringVar(&f.cron, "cron", "", "instead of an interval: five fields")
	flags.StringVar(&f.zone, "time-zone", d.TimeZone.String(), "IANA zone of --cron")
	flags.DurationVar(&f.jitter, "jitter", 0, "each due time is put off by up to this")
	flags.DurationVar(&f.catchUp, "catch-up", d.CatchUp.Std(), "how late a due time may still be scanned")
	flags.StringVar(&f.model, "model", "", "model to ask (required)")
	flags.StringVar(&f.profile, "profile", d.Profile, "prompt template")
	flags.StringVar(&f.priceIn, "price-in", "", "euro per million tokens of the prompt (required)")
	flags.StringVar(&f.priceOut, "price-out", "", "euro per million tokens of the reply (required)")
	flags.IntVar(&f.maxIdeas, "max-ideas", d.MaxIdeas, "ideas per scan")
	flags.StringVar(&f.maxQuote, "max-quote", d.MaxQuote.String(), "largest idea, in quote asset")
	flags.IntVar(&f.maxReply, "max-reply", d.MaxReply, "tokens of a reply")
	flags.StringVar(&f.intervals, "candles", strings.Join(d.Intervals, ","), "two candle lengths, the shorter first")
	flags.DurationVar(&f.life, "proposal-life", d.ProposalLife.Std(), "how long a proposal may be executed")
	flags.StringVar(&f.actor, "actor", whoami(), "who does this, for the audit")
	return cmd
}

// job reads the flags; the error lists every problem.
func (f jobFlags) job(id, account string) (scan.Job, error) {
	j := scan.Job{ID: id, UserID: f.user, AccountID: account, Revision: 1, Spec: scan.Defaults()}
	j.Every, j.Cron, j.Jitter, j.CatchUp = trade.Duration(f.every), f.cron, trade.Duration(f.jitter), trade.Duration(f.catchUp)
	j.Model, j.Profile, j.MaxIdeas, j.MaxReply = f.model, f.profile, f.maxIdeas, f.maxReply
	j.ProposalLife, j.Intervals = trade.Duration(f.life), strings.Split(f.intervals, ",")
	for m := range strings.SplitSeq(f.markets, ",") {
		if market, err := trade.ParseMarket("markets", m); err == nil {
			m = string(market)
		}
		j.Markets = append(j.Markets, trade.Market(m))
	}
	var zone, in, out, quote error
	zone = j.TimeZone.UnmarshalJSON([]byte(`"` + f.zone + `"`))
	j.Prices.Input, in = trade.ParseDecimal("--price-in", f.priceIn)
	j.Prices.Output, out = trade.ParseDecimal("--price-out", f.priceOut)
	j.MaxQuote, quote = trade.ParsePositive("--max-quote", f.maxQuote)
	return j, errors.Join(zone, in, out, quote, j.Check())
}

func (a *app) addScan(ctx context.Context, id string, f jobFlags) error {
	account, err := a.accountOr(f.account)
	if err != nil {
		return err
	}
	j, err := f.job(id, account)
	if err != nil {
		return ends(exitUsage, err)
	}
	return a.scheduled(ctx, func(store *postgres.Store, temporal client.Client) error {
		if err := store.AddScanJob(ctx, j, f.actor); err != nil {
			return err
		}
		if _, err := schedules.Put(ctx, temporal, j); err != nil {
			return unavailable(fmt.Errorf("the job is stored and a worker will schedule it: %w", err))
		}
		fmt.Fprintf(a.out, "scan job %s of %s on %s\n", j.ID, j.UserID, j.AccountID)
		return nil
	})
}

func (a *app) listScans(ctx context.Context) func(*postgres.Store) error {
	return func(store *postgres.Store) error {
		jobs, err := store.ScanJobs(ctx, "")
		if err != nil {
			return err
		}
		t := &table{header: []string{"JOB", "USER", "ACCOUNT", "DUE", "STATE", "MARKETS"}}
		for _, j := range jobs {
			state := "active"
			if j.Paused {
				state = "paused"
			}
			t.add(j.ID, j.UserID, j.AccountID, due(j), state, marketsText(j.Markets))
		}
		return a.show(jobs, t)
	}
}

func due(j scan.Job) string {
	if j.Cron != "" {
		return j.Cron
	}
	return "every " + j.Every.String()
}

func marketsText(markets []trade.Market) string {
	names := make([]string, len(markets))
	for i, m := range markets {
		names[i] = string(m)
	}
	return strings.Join(names, " ")
}

func (a *app) scanShow() *cobra.Command {
	most := 10
	cmd := a.printsJSON(&cobra.Command{
		Use: "show JOB", Short: "Show a job's latest runs and what became of their ideas", Args: cobra.ExactArgs(1),
		RunE: a.does(func(ctx context.Context, args []string) error {
			return a.operate(ctx, func(store *postgres.Store) error { return a.showScan(ctx, store, args[0], most) })
		}),
	})
	cmd.Flags().IntVar(&most, "runs", most, "how many of the latest runs")
	return cmd
}

func (a *app) showScan(ctx context.Context, store *postgres.Store, id string, most int) error {
	job, err := store.ScanJob(ctx, id)
	if err != nil {
		return err
	}
	runs, err := store.ScanRuns(ctx, id, most)
	if err != nil {
		return err
	}
	t := &table{header: []string{"STARTED", "CODE", "WHAT"}}
	for _, r := range runs {
		code := r.Code
		if code == "" {
			code = "running"
		}
		t.add(clock(r.StartedAt), code, r.Detail)
		for _, i := range r.Ideas {
			t.add("", i.Outcome, strings.TrimSpace(i.ProposalID+" "+i.Status+" "+i.Reason))
		}
	}
	return a.show(map[string]any{"job": job, "runs": runs}, t)
}

// withJob does something with one job.
func (a *app) withJob(ctx context.Context, id string, do func(*postgres.Store, client.Client, scan.Job) error) error {
	return a.scheduled(ctx, func(store *postgres.Store, temporal client.Client) error {
		job, err := store.ScanJob(ctx, id)
		if err != nil {
			return err
		}
		return do(store, temporal, job)
	})
}

func (a *app) scanPause(paused bool) *cobra.Command {
	var note, actor string
	use, short, said := "resume", "Let a job go on", "goes on"
	if paused {
		use, short, said = "pause", "Pause a job; a running scan ends by itself", "is paused"
	}
	cmd := &cobra.Command{
		Use: use + " JOB --note WHY", Short: short, Args: cobra.ExactArgs(1),
		RunE: a.does(func(ctx context.Context, args []string) error {
			if note == "" || actor == "" {
				return ends(exitUsage, errors.New("--note: say why; it is kept with the schedule and in the audit"))
			}
			return a.withJob(ctx, args[0], func(store *postgres.Store, temporal client.Client, j scan.Job) error {
				return a.pause(ctx, store, temporal, j, paused, note, actor, said)
			})
		}),
	}
	cmd.Flags().StringVar(&note, "note", "", "why (required)")
	cmd.Flags().StringVar(&actor, "actor", whoami(), "who does this, for the audit")
	return cmd
}

// pause writes the row first, so that no worker lets the schedule go on. To go
// on, the schedule is first: a worker takes one that is paused for a person's
// wish.
func (a *app) pause(ctx context.Context, store *postgres.Store, temporal client.Client, j scan.Job, paused bool, note, actor, said string) error {
	j.Paused, j.Note = paused, note
	row := func() error { return store.PauseScanJob(ctx, j, paused, note, actor) }
	schedule := func() error {
		if err := schedules.Pause(ctx, temporal, j); err != nil {
			return unavailable(err)
		}
		return nil
	}
	steps := []func() error{row, schedule}
	if !paused {
		steps = []func() error{schedule, row, schedule}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.out, "scan job %s %s\n", j.ID, said)
	return nil
}

func (a *app) scanTrigger() *cobra.Command {
	return &cobra.Command{
		Use: "trigger JOB", Short: "Scan now, unless a scan of the job runs", Args: cobra.ExactArgs(1),
		RunE: a.does(func(ctx context.Context, args []string) error {
			return a.withJob(ctx, args[0], func(_ *postgres.Store, temporal client.Client, j scan.Job) error {
				if err := schedules.Trigger(ctx, temporal, j.ID); err != nil {
					return unavailable(err)
				}
				fmt.Fprintf(a.out, "scan job %s is due now\n", j.ID)
				return nil
			})
		}),
	}
}

func (a *app) scanBackfill() *cobra.Command {
	var from, to string
	cmd := &cobra.Command{
		Use: "backfill JOB --from TIME --to TIME", Short: "Scan once for each due time that was missed", Args: cobra.ExactArgs(1),
		Long: `Scans once for each due time between --from and --to, one after another. Each
looks at the market as it is now and counts in the budget of now. A due time
that was scanned is not scanned again.`,
		RunE: a.does(func(ctx context.Context, args []string) error {
			begin, badFrom := time.Parse(time.RFC3339, from)
			end, badTo := time.Parse(time.RFC3339, to)
			if badFrom != nil || badTo != nil || !begin.Before(end) {
				return ends(exitUsage, errors.New("--from: give two times, the earlier first, like 2026-01-31T18:00:00Z"))
			}
			return a.withJob(ctx, args[0], func(_ *postgres.Store, temporal client.Client, j scan.Job) error {
				if err := schedules.Backfill(ctx, temporal, j.ID, begin, end); err != nil {
					return unavailable(err)
				}
				fmt.Fprintf(a.out, "scan job %s: due times from %s to %s are scanned now\n", j.ID, from, to)
				return nil
			})
		}),
	}
	cmd.Flags().StringVar(&from, "from", "", "first due time, RFC 3339 (required)")
	cmd.Flags().StringVar(&to, "to", "", "last due time (required)")
	return cmd
}

func (a *app) scanDelete() *cobra.Command {
	var who person
	cmd := &cobra.Command{
		Use: "delete JOB --reason WHY", Short: "Delete a job; its records stay", Args: cobra.ExactArgs(1),
		RunE: a.does(func(ctx context.Context, args []string) error {
			if err := who.check(); err != nil {
				return err
			}
			return a.withJob(ctx, args[0], func(store *postgres.Store, temporal client.Client, j scan.Job) error {
				if err := a.sure(ctx, "deletes scan job %s, whose name is never given again", j.ID); err != nil {
					return err
				}
				j.Note = who.reason
				if err := store.DeleteScanJob(ctx, j, who.actor); err != nil {
					return err
				}
				if err := schedules.Delete(ctx, temporal, j.ID); err != nil {
					return unavailable(err)
				}
				fmt.Fprintf(a.out, "scan job %s is deleted\n", j.ID)
				return nil
			})
		}),
	}
	who.flags(cmd)
	return a.asks(cmd)
}
