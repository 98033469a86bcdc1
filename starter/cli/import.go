package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"interlock/internal/earlier"
	"interlock/internal/handover"
	"interlock/internal/postgres"
)

type importFlags struct {
	from, account, actor, policies string
	users                          map[string]string
	columns                        map[string]string
	opts                           earlier.Options
	dry, force                     bool
}

func (a *app) importEarlier() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use: "import --account ID", Short: "Take over trades, usage and closed proposals of the earlier system", Args: cobra.NoArgs,
		Long: `Reads the earlier system's tables and writes nothing to them: trade_history and
gpt_usage_log count from then on, and no proposal that it began is executed
here. Limits are not invented: --policies writes drafts that a person completes
for "policy set". Running it again brings what is new, and nothing twice.

It refuses (exit code 3) while the earlier system has an execution in flight,
and ends with 1 when a row could not be brought over. docs/switching.md has the
steps.`,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.runImport(ctx, f) }),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "the earlier system's database; none is the one that is imported to")
	flags.StringVar(&f.opts.Schema, "schema", "public", "its schema there")
	flags.StringVar(&f.account, "account", "", "account that the trades were made on (required)")
	flags.StringVar(&f.policies, "policies", "", "folder for drafts of policies; none writes none")
	flags.StringToStringVar(&f.users, "user-map", nil, "users: there=here,…; others keep their ID")
	flags.StringToStringVar(&f.columns, "column", nil, "where a column has another name: trade_history.executed_at=created_at,…")
	flags.StringVar(&f.opts.Zone, "time-zone", "", "of its timestamps that bear none, such as UTC")
	flags.StringVar(&f.actor, "actor", whoami(), "who does this, for the audit")
	flags.BoolVar(&f.dry, "dry-run", false, "do everything, and take it back")
	flags.BoolVar(&f.force, "force", false, "go on with executions in flight there: their IDs are closed, their trades unknown")
	return a.printsJSON(cmd)
}

func (a *app) runImport(ctx context.Context, f importFlags) error {
	if f.account == "" || f.actor == "" {
		return ends(exitUsage, errors.New("--account, --actor: say on which account the trades were made, and who does this"))
	}
	from := f.from
	if from == "" {
		url, err := a.ownerURL()
		if err != nil {
			return err
		}
		from = url
	}
	f.opts.Columns = f.columns
	return a.operate(ctx, func(store *postgres.Store) error {
		if _, err := store.Account(ctx, f.account); err != nil {
			return err
		}
		source, err := earlier.Open(ctx, from, f.opts)
		if errors.Is(err, earlier.ErrUnusable) {
			return ends(exitUsage, err)
		}
		if err != nil {
			return unavailable(err)
		}
		defer source.Close()
		now, err := source.Now(ctx)
		if err != nil {
			return unavailable(err)
		}
		r := &importRun{flags: f, source: source, store: store, progress: a.progress, now: now,
			handover: postgres.Handover{AccountID: f.account, Actor: f.actor, Rehearse: f.dry}}
		if err := r.run(ctx); err != nil {
			return err
		}
		return a.showImport(r.report())
	})
}

// importReport is what an import did, or with --dry-run would do.
type importReport struct {
	DryRun   bool               `json:"dryRun"`
	Columns  []earlier.Table    `json:"columns"`
	Tables   []*importTally     `json:"tables"`
	InFlight []string           `json:"inFlight"`
	Policies []draftReport      `json:"policies"`
	Refused  []handover.Refused `json:"refused"`
}

// importTally counts the rows of one table.
type importTally struct {
	Table   string `json:"table"`
	Read    int64  `json:"read"`
	New     int64  `json:"new"`
	There   int64  `json:"alreadyThere"`
	Left    int64  `json:"left"` // proposals that nobody has begun: they stay where they are
	Refused int64  `json:"refused"`
}

// mostRefused is how many refusals a table shows; --json shows all.
const mostRefused = 10

func (a *app) showImport(r importReport) error {
	if !a.json {
		a.explainImport(r)
	}
	t := &table{header: []string{"TABLE", "READ", "NEW", "ALREADY THERE", "LEFT", "REFUSED"}}
	for _, x := range r.Tables {
		t.add(x.Table, count(x.Read), count(x.New), count(x.There), count(x.Left), count(x.Refused))
	}
	if err := a.show(r, t); err != nil {
		return err
	}
	if len(r.Refused) == 0 {
		return nil
	}
	return ends(exitFailed, fmt.Errorf("%d rows were not brought over: what they say does not count", len(r.Refused)))
}

func (a *app) explainImport(r importReport) {
	if r.DryRun {
		fmt.Fprintln(a.out, "a rehearsal: nothing was kept")
	}
	for _, c := range r.Columns {
		fmt.Fprintf(a.progress, "%s: reads %s; lacks %s; not read: %s\n", c.Name, readsText(c), listed(c.Lacks), listed(c.Unread))
	}
	for _, id := range r.InFlight {
		fmt.Fprintf(a.progress, "in flight there, closed here, its trade unknown: %s\n", id)
	}
	for _, d := range r.Policies {
		fmt.Fprintf(a.progress, "%s: drafted; decide %s; not read: %s; then \"starter policy set\" as %s\n", d.File, listed(d.Open), listed(d.Unread), d.User)
	}
	for i, x := range r.Refused {
		if i == mostRefused {
			fmt.Fprintf(a.progress, "and %d more, which --json lists\n", len(r.Refused)-i)
			break
		}
		fmt.Fprintln(a.progress, "refused: "+x.Error())
	}
}

func readsText(c earlier.Table) string {
	var all []string
	for _, what := range c.Read() {
		text := what
		if from := c.Reads[what]; from != what {
			text += " from " + from
		}
		all = append(all, text)
	}
	return listed(all)
}

func listed(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

func count(n int64) string { return strconv.FormatInt(n, 10) }
