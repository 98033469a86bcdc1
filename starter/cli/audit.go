package cli

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"interlock/internal/postgres"
)

func (a *app) audit() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "The append-only audit: verify", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.printsJSON(&cobra.Command{
		Use: "verify", Short: "Recompute the audit's hash chains", Args: cobra.NoArgs,
		Long: `Recomputes the hash of every audit row from its content and the row before it.
Exit code 1 means that a row was changed, removed or slipped in.`,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			return a.operate(ctx, func(store *postgres.Store) error { return a.verifyAudit(ctx, store) })
		}),
	}))
	return cmd
}

func (a *app) verifyAudit(ctx context.Context, store *postgres.Store) error {
	chains, err := store.VerifyAudit(ctx)
	if err != nil {
		return err
	}
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
