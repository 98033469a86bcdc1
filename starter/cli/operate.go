package cli

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"interlock/internal/postgres"
	"interlock/internal/trade"
	"interlock/migrations"
)

// operate does something with the operator's login to the database, if its
// schema serves this program.
func (a *app) operate(ctx context.Context, do func(*postgres.Store) error) error {
	return a.operateAnyway(ctx, func(store *postgres.Store) error {
		if err := served(ctx, store); err != nil {
			return err
		}
		return do(store)
	})
}

// served refuses a database whose schema does not serve this program.
func served(ctx context.Context, store *postgres.Store) error {
	version, oldest, err := store.Schema(ctx)
	if err != nil {
		return unavailable(err)
	}
	return ends(exitFailed, migrations.Serves(version, oldest))
}

// operateAnyway asks for no schema version.
func (a *app) operateAnyway(ctx context.Context, do func(*postgres.Store) error) error {
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
	var c control
	var reducing, cancelOpen bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "halt --reason WHY", Short: "Stop trading at once; works with Temporal down", Args: cobra.NoArgs,
		Long: `Stops trading: when this has returned, no new attempt to place an order begins.
It needs nothing but the database.

Orders at the exchange stay, unless --cancel-open asks the orders workers to
cancel them; they need the database and the exchange, not Temporal. Orders that
Interlock did not place are listed and left alone. It is complete once every
order has ended and nothing that was sent before the halt can still appear,
which takes up to access window + L (35 s) after the last attempt. When --wait
is over first, this ends with 8 and the workers go on: "status" shows it, and
asking again continues to watch.`,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			if err := errors.Join(c.check(), oneHalt(reducing, cancelOpen)); err != nil {
				return err
			}
			return a.operateAnyway(ctx, func(store *postgres.Store) error { // stopping is tried whatever the schema
				if cancelOpen {
					if err := store.HaltAndCancel(ctx, c.account, c.actor, c.reason); err != nil {
						return err
					}
					return a.awaitCancelOpen(ctx, store, c.account, wait)
				}
				return a.setState(ctx, store, c, stateOf(reducing))
			})
		}),
	}
	c.flags(cmd)
	cmd.Flags().BoolVar(&reducing, "reducing", false, "still allow sells of what is held")
	cmd.Flags().BoolVar(&cancelOpen, "cancel-open", false, "cancel every open order")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "with --cancel-open: watch at most so long")
	return a.printsJSON(cmd)
}

// oneHalt keeps cancelling away from a state in which orders still come.
func oneHalt(reducing, cancelOpen bool) error {
	if reducing && cancelOpen {
		return ends(exitUsage, errors.New("--cancel-open: would cancel the sells that --reducing allows; use one of them"))
	}
	return nil
}

func stateOf(reducing bool) trade.TradingState {
	if reducing {
		return trade.Reducing
	}
	return trade.Halted
}

func (a *app) resume() *cobra.Command {
	var c control
	var giveUp bool
	cmd := &cobra.Command{
		Use: "resume --reason WHY", Short: "Let trading go on after a halt", Args: cobra.NoArgs,
		Long: `Lets trading go on. A proposal that was blocked meanwhile is executed again by
whoever wants it; nothing is sent by itself. The repeat throttle counts anew
from here.

It is refused (1) while open orders are still being cancelled: they are not all
known to have ended. --give-up-cancelling ends that first, and leaves open what
is open.`,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			if err := c.check(); err != nil {
				return err
			}
			return a.operate(ctx, func(store *postgres.Store) error {
				if err := a.sure(ctx, "lets %s trade again", scopeName(c.account)); err != nil {
					return err
				}
				if giveUp {
					if err := store.GiveUpCancelOpen(ctx, c.account, c.actor, c.reason); err != nil {
						return err
					}
				}
				return a.setState(ctx, store, c, trade.Active)
			})
		}),
	}
	c.flags(cmd)
	cmd.Flags().BoolVar(&giveUp, "give-up-cancelling", false, "also when open orders are still being cancelled")
	return a.printsJSON(a.asks(cmd))
}

// control is whose trading state a person changes, and why.
type control struct {
	person

	account string
}

func (c *control) flags(cmd *cobra.Command) {
	c.person.flags(cmd)
	cmd.Flags().StringVar(&c.account, "account", postgres.AllAccounts, "only this account; * is all of them")
}

func (a *app) setState(ctx context.Context, store *postgres.Store, c control, state trade.TradingState) error {
	if err := store.SetTradingState(ctx, c.account, state, c.actor, c.reason); err != nil {
		return err
	}
	return a.showStates(ctx, store)
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
