package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"interlock/internal/config"
	"interlock/internal/postgres"
	"interlock/internal/trade"
	"interlock/internal/view"
)

func (a *app) token() *cobra.Command {
	cmd := &cobra.Command{Use: "token", Short: "API tokens, each for one user: create, revoke, list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.tokenCreate(), a.tokenRevoke(), a.tokenList())
	return cmd
}

func (a *app) tokenCreate() *cobra.Command {
	var user, account, role, label string
	cmd := &cobra.Command{
		Use: "create --user USER", Short: "Make a token for one user on one account; it is shown once", Args: cobra.NoArgs,
		Long: `Makes a token for one user on one account. A viewer reads what is its user's, a
trader acts on it, an operator acts for any user of the account, halts, resumes,
resolves and clears budgets. Tokens of one user are one person: four eyes need
tokens of two users, so give nobody a second user.`,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			account, err := a.accountOr(account)
			may, unknown := view.ParseRole(role)
			if unknown != nil {
				unknown = fmt.Errorf("--role: %q: %w", role, unknown)
			}
			if err := errors.Join(err, trade.CheckID("--user", user), trade.CheckID("--account", account), unknown); err != nil {
				return ends(exitUsage, err)
			}
			return a.operate(ctx, func(store *postgres.Store) error {
				id, token, err := store.CreateTokenOf(ctx, may, user, account, label, whoami())
				if err != nil {
					return err
				}
				t := &table{}
				t.add("token", token)
				t.add("id", id)
				t.add("user", user)
				t.add("account", account)
				t.add("role", role)
				return a.show(map[string]string{"id": id, "token": token, "userId": user, "accountId": account, "role": role}, t)
			})
		}),
	}
	cmd.Flags().StringVar(&user, "user", "", "whom the token speaks for (required)")
	cmd.Flags().StringVar(&account, "account", "", "the account it acts on (default INTERLOCK_ACCOUNT, else paper)")
	cmd.Flags().StringVar(&role, "role", string(view.Trader), "what it may do: viewer, trader or operator")
	cmd.Flags().StringVar(&label, "label", "", "a name for people")
	return a.printsJSON(cmd)
}

func (a *app) tokenRevoke() *cobra.Command {
	return a.asks(&cobra.Command{
		Use: "revoke ID", Short: "End a token at once", Args: cobra.ExactArgs(1),
		RunE: a.does(func(ctx context.Context, args []string) error {
			return a.operate(ctx, func(store *postgres.Store) error {
				if err := a.sure(ctx, "ends token %s for ever", args[0]); err != nil {
					return err
				}
				if err := store.RevokeToken(ctx, args[0], whoami()); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "token %s is revoked\n", args[0])
				return nil
			})
		}),
	})
}

func (a *app) tokenList() *cobra.Command {
	return a.printsJSON(&cobra.Command{
		Use: "list", Short: "List the tokens, the revoked ones too", Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			return a.operate(ctx, func(store *postgres.Store) error {
				tokens, err := store.Tokens(ctx)
				if err != nil {
					return err
				}
				t := &table{header: []string{"ID", "USER", "ACCOUNT", "ROLE", "STATE"}}
				for _, x := range tokens {
					state := "valid"
					if x.RevokedAt != nil {
						state = "revoked"
					}
					t.add(x.ID, x.UserID, x.AccountID, string(x.Role), state)
				}
				return a.show(tokens, t)
			})
		}),
	})
}

// accountOr returns the account given, else the environment's.
func (a *app) accountOr(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	p, err := a.locate()
	return p.Account, err
}

func venueOf(url string) (string, error) {
	venue, err := config.VenueOf(url)
	if err != nil {
		return "", ends(exitUsage, fmt.Errorf("--rest-url: %q %w", url, err))
	}
	return venue, nil
}

// clock shows a time short enough for a table.
func clock(t time.Time) string { return t.Local().Format("01-02 15:04:05") }
