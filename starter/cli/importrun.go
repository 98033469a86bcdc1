package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"interlock/internal/earlier"
	"interlock/internal/handover"
	"interlock/internal/postgres"
)

// importRun is one import.
type importRun struct {
	flags    importFlags
	source   *earlier.Source
	store    *postgres.Store
	handover postgres.Handover
	progress io.Writer
	now      time.Time

	tallies  []*importTally
	inFlight []string
	drafts   []draftReport
	refusals []handover.Refused
}

// draftReport is one policy that was drafted.
type draftReport struct {
	User   string   `json:"userId"`
	File   string   `json:"file"`
	Filled []string `json:"filled"`
	Open   []string `json:"open"`
	Unread []string `json:"unread"`
}

func (r *importRun) report() importReport {
	return importReport{DryRun: r.flags.dry, Columns: r.source.Tables(), Tables: r.tallies, InFlight: orEmpty(r.inFlight),
		Policies: orEmpty(r.drafts), Refused: orEmpty(r.refusals)}
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// run closes what the earlier system began before anything else: whatever stops
// an import halfway, no proposal can be executed twice.
func (r *importRun) run(ctx context.Context) error {
	if err := r.findInFlight(ctx); err != nil {
		return err
	}
	for _, table := range []string{handover.TradeExecutions, handover.TradeProposals, handover.TradeHistory} {
		if err := r.closeProposals(ctx, table); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{r.trades, r.usage, r.policies} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// each hands the rows of a table on in batches, with progress.
func (r *importRun) each(ctx context.Context, t *importTally, do func([]handover.Row) error) error {
	return r.source.Rows(ctx, t.Table, func(rows []handover.Row) error {
		t.Read += int64(len(rows))
		if t.Read%10_000 < int64(len(rows)) && t.Read >= 10_000 {
			fmt.Fprintf(r.progress, "%s: %d rows read\n", t.Table, t.Read)
		}
		return do(rows)
	})
}

func (r *importRun) tally(table, of string) *importTally {
	t := &importTally{Table: table}
	if of == "" {
		r.tallies = append(r.tallies, t)
	}
	return t
}

func (r *importRun) refuse(t *importTally, row handover.Row, reason string) {
	t.Refused++
	id := row["id"]
	if id == "" {
		id = row["proposal_id"]
	}
	r.refusals = append(r.refusals, handover.Refused{Table: t.Table, Key: id, Reason: reason})
}

// findInFlight changes nothing: an order that is on its way there has an end
// that this import would miss.
func (r *importRun) findInFlight(ctx context.Context) error {
	for _, table := range []string{handover.TradeExecutions, handover.TradeProposals} {
		err := r.source.Rows(ctx, table, func(rows []handover.Row) error {
			for _, row := range rows {
				if p, err := proposalOf(table, row); err == nil && p.InFlight() {
					r.inFlight = append(r.inFlight, p.ID+" ("+p.Status+" in "+table+")")
				}
			}
			return nil
		})
		if err != nil {
			return unavailable(err)
		}
	}
	if len(r.inFlight) > 0 && !r.flags.force {
		some := r.inFlight[:min(len(r.inFlight), mostRefused)]
		return ends(exitBlocked, fmt.Errorf("%d executions are in flight in the earlier system: %s: stop it, look at the exchange, and write down there how each ended; --force goes on without their trades",
			len(r.inFlight), strings.Join(some, ", ")))
	}
	return nil
}

func proposalOf(table string, row handover.Row) (handover.Proposal, error) {
	switch table {
	case handover.TradeProposals:
		row["proposal_id"] = row["id"]
	case handover.TradeHistory:
		row["status"] = "EXECUTED"
	}
	return handover.ReadProposal(table, row)
}

func (r *importRun) closeProposals(ctx context.Context, table string) error {
	t := r.tally(table, map[string]string{handover.TradeHistory: "counted with its trades"}[table])
	return r.each(ctx, t, func(rows []handover.Row) error {
		var begun []handover.Proposal
		for _, row := range rows {
			if table == handover.TradeHistory && row["proposal_id"] == "" {
				continue
			}
			p, err := proposalOf(table, row)
			switch {
			case err != nil:
				r.refuse(t, row, err.Error())
			case p.Untouched():
				t.Left++
			default:
				begun = append(begun, p)
			}
		}
		closed, err := r.store.CloseElsewhere(ctx, r.handover, begun)
		for _, c := range closed {
			r.countClosed(t, c)
		}
		return err
	})
}

func (r *importRun) countClosed(t *importTally, c postgres.Closed) {
	switch {
	case c.Claimed():
		r.refuse(t, handover.Row{"proposal_id": c.ID}, fmt.Sprintf("is %s here and %s there: look at the exchange for two orders", c.Here, c.Status))
	case c.New:
		t.New++
	default:
		t.There++
	}
}

func (r *importRun) trades(ctx context.Context) error {
	return imports(ctx, r, handover.TradeHistory, handover.ReadTrade, r.store.ImportTrades)
}

func (r *importRun) usage(ctx context.Context) error {
	return imports(ctx, r, handover.UsageLog, handover.ReadUsage, r.store.ImportUsage)
}

func imports[T any](ctx context.Context, r *importRun, table string,
	read func(handover.Row, handover.Users, time.Time) (T, error),
	store func(context.Context, postgres.Handover, []T) (int64, error),
) error {
	t := r.tally(table, "")
	return r.each(ctx, t, func(rows []handover.Row) error {
		var good []T
		for _, row := range rows {
			value, err := read(row, r.flags.users, r.now)
			if err != nil {
				r.refuse(t, row, err.Error())
				continue
			}
			good = append(good, value)
		}
		if len(good) == 0 {
			return nil
		}
		fresh, err := store(ctx, r.handover, good)
		t.New += fresh
		t.There += int64(len(good)) - fresh
		return err
	})
}

// policies drafts what a person completes: no limit is invented.
func (r *importRun) policies(ctx context.Context) error {
	t := r.tally(handover.TradingPolicies, "")
	return r.each(ctx, t, func(rows []handover.Row) error {
		for _, row := range rows {
			if r.flags.policies == "" || r.flags.dry {
				t.Left++
				continue
			}
			fresh, err := r.draft(row)
			switch {
			case err != nil:
				r.refuse(t, handover.Row{"id": row["user_id"]}, err.Error())
			case fresh:
				t.New++
			default:
				t.There++
			}
		}
		return nil
	})
}

func (r *importRun) draft(row handover.Row) (fresh bool, err error) {
	user, err := handover.Users(r.flags.users).Of(row["user_id"])
	if err != nil {
		return false, err
	}
	d, err := handover.DraftPolicy([]byte(row["policy"]))
	if err != nil {
		return false, err
	}
	file := filepath.Join(r.flags.policies, user+".json")
	fresh, err = writeDraft(file, d.Text)
	if fresh {
		r.drafts = append(r.drafts, draftReport{User: user, File: file, Filled: orEmpty(d.Filled), Open: orEmpty(d.Open), Unread: orEmpty(d.Unread)})
	}
	return fresh, err
}

// writeDraft leaves alone what is there: somebody may have completed it.
func writeDraft(file string, text []byte) (fresh bool, err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return false, err
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = out.Write(text)
	return true, errors.Join(err, out.Close())
}
