package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"interlock/internal/handover"
	"interlock/internal/postgres"
)

func (a *app) export() *cobra.Command {
	cmd := &cobra.Command{
		Use: "export", Short: "Hand what was executed here to another system", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.exportTrades())
	return cmd
}

func (a *app) exportTrades() *cobra.Command {
	var account, format, schema, since string
	var users map[string]string
	cmd := &cobra.Command{
		Use: "trades --account ID", Short: "Print what was executed, as SQL for the earlier system or CSV", Args: cobra.NoArgs,
		Long: `Prints what was executed on an account, to be applied to the earlier system's
database by whoever owns it: its cooldown learns of the trades, and it refuses
the proposals. Applied twice it changes nothing. Trades that were imported are
left out. Refused (exit code 3) while an execution is open.`,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			from, err := exportSince(account, format, since)
			if err != nil {
				return ends(exitUsage, err)
			}
			return a.operate(ctx, func(store *postgres.Store) error {
				done, err := finished(ctx, store, account, from)
				if err != nil {
					return err
				}
				for i := range done {
					if there, mapped := users[done[i].UserID]; mapped {
						done[i].UserID = there
					}
				}
				if format == "csv" {
					return handover.WriteCSV(a.out, done)
				}
				return handover.WriteSQL(a.out, schema, done)
			})
		}),
	}
	flags := cmd.Flags()
	flags.StringVar(&account, "account", "", "account that was traded on (required)")
	flags.StringVar(&format, "format", "sql", "sql or csv")
	flags.StringVar(&schema, "schema", "public", "the earlier system's schema, for SQL")
	flags.StringVar(&since, "since", "", "only what ended since, such as 2026-01-31T00:00:00Z")
	flags.StringToStringVar(&users, "user-map", nil, "users: here=there,…; others keep their ID")
	return cmd
}

func exportSince(account, format, since string) (time.Time, error) {
	var problems []error
	if account == "" {
		problems = append(problems, errors.New("--account: say which"))
	}
	if format != "sql" && format != "csv" {
		problems = append(problems, fmt.Errorf("--format: %q is neither sql nor csv", format))
	}
	var from time.Time
	if since != "" {
		var err error
		if from, err = time.Parse(time.RFC3339, since); err != nil {
			problems = append(problems, fmt.Errorf("--since: %q is not an instant; write it like 2026-01-31T00:00:00Z", since))
		}
	}
	return from, errors.Join(problems...)
}

func finished(ctx context.Context, store *postgres.Store, account string, since time.Time) ([]handover.Done, error) {
	if _, err := store.Account(ctx, account); err != nil {
		return nil, err
	}
	done, err := store.Done(ctx, account, since)
	if errors.Is(err, postgres.ErrConflict) {
		return nil, ends(exitBlocked, err)
	}
	return done, err
}
