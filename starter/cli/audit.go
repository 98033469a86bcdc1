package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"interlock/internal/audit"
	"interlock/internal/postgres"
	"interlock/internal/trade"
)

func (a *app) audit() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "The append-only audit: show, verify, export", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.auditShow(), a.auditVerify(), a.auditExport())
	return cmd
}

func (a *app) auditShow() *cobra.Command {
	return a.printsJSON(&cobra.Command{
		Use: "show PROPOSAL", Short: "Tell one proposal's story", Args: cobra.ExactArgs(1),
		Long: `Tells one proposal's life in plain sentences, from what the model saw to the
fill: every request with the checks that blocked it, every override, attempt,
look and conclusion. With --json the rows are shown as they are stored.`,
		RunE: a.does(func(ctx context.Context, args []string) error {
			return a.operate(ctx, func(store *postgres.Store) error { return a.tellStory(ctx, store, args[0]) })
		}),
	})
}

// story is what audit show prints as JSON.
type story struct {
	Proposal string        `json:"proposal"`
	Story    []audit.Line  `json:"story"`
	Origin   *audit.Origin `json:"origin,omitempty"`
	Events   []audit.Event `json:"events"`
}

func (a *app) tellStory(ctx context.Context, store *postgres.Store, id string) error {
	if err := trade.CheckID("proposal", id); err != nil {
		return ends(exitUsage, err)
	}
	if _, err := store.Proposal(ctx, id); err != nil {
		return err
	}
	events, err := store.AuditOf(ctx, id)
	if err != nil {
		return err
	}
	origin, err := store.Origin(ctx, id)
	if err != nil {
		return err
	}
	s := story{Proposal: id, Story: audit.Story(origin, events), Origin: origin, Events: events}
	t := &table{}
	for _, line := range s.Story {
		t.add(clock(line.At), line.Text)
	}
	return a.show(s, t)
}

func (a *app) auditVerify() *cobra.Command {
	var against string
	cmd := &cobra.Command{
		Use: "verify [EXPORT]", Short: "Recompute the audit's hash chains", Args: cobra.MaximumNArgs(1),
		Long: `Recomputes the hash of every audit row from its content and the row before it,
of the database, or of an export, for which no database is needed. Exit code 1
means that a row was changed, removed, slipped in or swapped: the first bad one
of each chain is named.

Whoever owns the database can write a whole chain anew. So keep exports
elsewhere: with --against, everything up to that export's heads must still be
there and the same.`,
		RunE: a.does(func(ctx context.Context, args []string) error {
			marks, err := headsOf(against)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				return a.verifyExport(args[0], marks)
			}
			return a.operate(ctx, func(store *postgres.Store) error {
				chains, err := store.VerifyAudit(ctx, marks...)
				if err != nil {
					return err
				}
				return a.showChains(chains)
			})
		}),
	}
	cmd.Flags().StringVar(&against, "against", "", "an earlier export, whose heads must still hold")
	return a.printsJSON(cmd)
}

// headsOf reads the heads of an earlier export; none when no file is named.
func headsOf(file string) ([]audit.Head, error) {
	if file == "" {
		return nil, nil
	}
	var heads []audit.Head
	err := reading(file, func(r io.Reader) (err error) {
		heads, err = audit.Heads(r)
		return err
	})
	return heads, err
}

func reading(file string, read func(io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return ends(exitUsage, err)
	}
	defer f.Close()
	if err := read(f); err != nil {
		return ends(exitUsage, fmt.Errorf("%s: %w", file, err))
	}
	return nil
}

func (a *app) verifyExport(file string, marks []audit.Head) error {
	var chains []audit.Report
	err := reading(file, func(r io.Reader) (err error) {
		chains, err = audit.VerifyExport(r, marks...)
		return err
	})
	if err != nil {
		return err
	}
	return a.showChains(chains)
}

func (a *app) showChains(chains []audit.Report) error {
	t := &table{header: []string{"CHAIN", "EVENTS", "VERDICT"}}
	code := 0
	for _, c := range chains {
		verdict := "sound"
		if !c.Holds() {
			verdict, code = fmt.Sprintf("broken at event %d: %s", c.FirstBad, c.Problem), exitFailed
		}
		t.add(c.Chain, strconv.FormatInt(c.Rows, 10), verdict)
	}
	if err := a.show(chains, t); err != nil {
		return err
	}
	return answered(code)
}

func (a *app) auditExport() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "export", Short: "Write the whole audit as JSON lines", Args: cobra.NoArgs,
		Long: `Writes every audit row as a line of JSON, chain by chain, and at the end each
chain's head: its number of rows and the hash of the last. Keep it where the
owner of the database cannot write. A file is there completely or not at all.`,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			return a.operate(ctx, func(store *postgres.Store) error {
				if output == "" {
					return exportAudit(ctx, store, a.out)
				}
				return wholeFile(output, func(w io.Writer) error { return exportAudit(ctx, store, w) })
			})
		}),
	}
	cmd.Flags().StringVar(&output, "output", "", "the file to write (default standard output)")
	return cmd
}

func exportAudit(ctx context.Context, store *postgres.Store, w io.Writer) error {
	buffered := bufio.NewWriter(w)
	export := audit.NewExporter(buffered)
	heads, err := store.ReadAudit(ctx, export.Row)
	if err != nil {
		return err
	}
	return errors.Join(export.Heads(heads), buffered.Flush())
}

// wholeFile lets the file appear once it is written in full.
func wholeFile(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path+".part", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return ends(exitUsage, err)
	}
	err = errors.Join(write(f), f.Sync(), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), path)
}
