package cli

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"github.com/spf13/cobra"

	"interlock/internal/postgres"
	"interlock/internal/trade"
)

// operate does something with the operator's login to the database.
func (a *app) operate(ctx context.Context, do func(*postgres.Store) error) error {
	url, err := a.operatorURL()
	if err != nil {
		return err
	}
	store, err := postgres.Open(ctx, url)
	if err != nil {
		return unavailable(err)
	}
	defer store.Close()
	return classify(do(store))
}

// classify gives the store's sentinel errors their exit codes.
func classify(err error) error {
	var known *exitError
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.Is(err, postgres.ErrNotFound):
		return ends(exitUnknown, err)
	case errors.Is(err, postgres.ErrInvalid):
		return ends(exitUsage, err)
	case errors.Is(err, postgres.ErrConflict):
		return ends(exitFailed, err)
	}
	return unavailable(err)
}

// person names who types, for the records.
type person struct{ actor, reason string }

func (p *person) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.actor, "actor", whoami(), "who does this, for the audit")
	cmd.Flags().StringVar(&p.reason, "reason", "", "why, for the audit (required)")
}

func (p *person) check() error {
	var problems []error
	if p.actor == "" {
		problems = append(problems, errors.New("--actor: say who does this"))
	}
	if p.reason == "" {
		problems = append(problems, errors.New("--reason: say why; it is kept in the audit"))
	}
	return ends(exitUsage, errors.Join(problems...))
}

func whoami() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

func (a *app) halt() *cobra.Command {
	return a.stateChange(stateChange{
		use: "halt", short: "Stop trading at once; works with Temporal down", state: trade.Halted,
		long: `Stops trading: when this has returned, no new attempt to place an order begins.
Orders at the exchange stay; cancel their proposals to cancel them. It needs
nothing but the database.`,
	})
}

func (a *app) resume() *cobra.Command {
	return a.stateChange(stateChange{
		use: "resume", short: "Let trading go on after a halt", state: trade.Active,
		long: "Lets trading go on. A proposal that was blocked meanwhile is executed again by\nwhoever wants it; nothing is sent by itself.",
	})
}

type stateChange struct {
	use, short, long string
	state            trade.TradingState
}

func (a *app) stateChange(c stateChange) *cobra.Command {
	var who person
	var account string
	var reducing bool
	cmd := &cobra.Command{
		Use: c.use + " --reason WHY", Short: c.short, Long: c.long, Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			if err := who.check(); err != nil {
				return err
			}
			state := c.state
			if reducing {
				state = trade.Reducing
			}
			return a.operate(ctx, func(store *postgres.Store) error {
				if state == trade.Active {
					if err := a.sure(ctx, "lets %s trade again", scopeName(account)); err != nil {
						return err
					}
				}
				if err := store.SetTradingState(ctx, account, state, who.actor, who.reason); err != nil {
					return err
				}
				return a.showStates(ctx, store)
			})
		}),
	}
	who.flags(cmd)
	cmd.Flags().StringVar(&account, "account", postgres.AllAccounts, "only this account; * is all of them")
	if c.state == trade.Halted {
		cmd.Flags().BoolVar(&reducing, "reducing", false, "still allow sells of what is held")
		return a.printsJSON(cmd)
	}
	return a.printsJSON(a.asks(cmd))
}

func scopeName(account string) string {
	if account == postgres.AllAccounts {
		return "every account that is not halted by itself"
	}
	return "account " + account
}

func (a *app) showStates(ctx context.Context, store *postgres.Store) error {
	states, err := store.TradingStates(ctx)
	if err != nil {
		return err
	}
	t := &table{header: []string{"ACCOUNT", "STATE", "SINCE", "BY", "REASON"}}
	for _, s := range states {
		t.add(s.Scope, string(s.State), clock(s.ChangedAt), s.Actor, s.Reason)
	}
	return a.show(states, t)
}

func (a *app) account() *cobra.Command {
	cmd := &cobra.Command{Use: "account", Short: "Accounts at exchanges: create, list", Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.operate(ctx, a.listAccounts(ctx)) })}
	cmd.AddCommand(a.accountCreate(), a.printsJSON(&cobra.Command{
		Use: "list", Short: "List the accounts", Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.operate(ctx, a.listAccounts(ctx)) }),
	}))
	return cmd
}

func (a *app) listAccounts(ctx context.Context) func(*postgres.Store) error {
	return func(store *postgres.Store) error {
		accounts, err := store.Accounts(ctx)
		if err != nil {
			return err
		}
		type row struct {
			ID      string `json:"id"`
			Venue   string `json:"venue"`
			RESTURL string `json:"restUrl"`
			ReadLag string `json:"readLag"`
			Label   string `json:"label"`
		}
		rows := []row{}
		t := &table{header: []string{"ACCOUNT", "VENUE", "READ LAG", "EXCHANGE"}}
		for _, x := range accounts {
			rows = append(rows, row{x.ID, x.Venue, x.RESTURL, x.ReadLag.String(), x.Label})
			t.add(x.ID, x.Venue, x.ReadLag.String(), x.RESTURL)
		}
		return a.show(rows, t)
	}
}

func (a *app) accountCreate() *cobra.Command {
	var row postgres.Account
	cmd := &cobra.Command{
		Use: "create ID --rest-url URL", Short: "Create an account at one exchange", Args: cobra.ExactArgs(1),
		Long: `Creates an account. Its exchange can never change: orders at one must not be
looked for at another. An exchange on this machine is paper, any other is live.`,
		RunE: a.does(func(ctx context.Context, args []string) error {
			row.ID = args[0]
			venue, err := venueOf(row.RESTURL)
			if err != nil {
				return err
			}
			row.Venue = venue
			return a.operate(ctx, func(store *postgres.Store) error {
				if err := store.CreateAccount(ctx, row); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "%s account %s at %s\n", row.Venue, row.ID, row.RESTURL)
				return nil
			})
		}),
	}
	cmd.Flags().StringVar(&row.RESTURL, "rest-url", "", "base URL of the exchange, with its /v2 (required)")
	cmd.Flags().StringVar(&row.Label, "label", "", "a name for people")
	cmd.Flags().DurationVar(&row.ReadLag, "read-lag", trade.DefaultReadLag, "within it the exchange shows an order to its owner")
	return cmd
}
