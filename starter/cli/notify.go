package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"interlock/internal/notify"
	"interlock/internal/outbox"
	"interlock/internal/postgres"
	"interlock/internal/secret"
	"interlock/internal/trade"
)

func (a *app) notify() *cobra.Command {
	cmd := &cobra.Command{Use: "notify", Short: "Whom to tell what happens: add, list, remove, test", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(a.notifyAdd(), a.notifyList(), a.notifyRemove(), a.notifyTest())
	return cmd
}

// notifyFlags are a rule as it is typed. Its address never is: command lines
// are read by others, and kept.
type notifyFlags struct {
	account, user, file string
	kinds               []string
}

func (a *app) notifyAdd() *cobra.Command {
	var f notifyFlags
	cmd := &cobra.Command{
		Use: "add NAME --url-file FILE", Short: "Tell a service what happens from now on", Args: cobra.ExactArgs(1),
		Long: `Tells a service what happens from now on. FILE holds its address on one line; -
reads it from stdin. The address is a secret and is never shown again:

  https://…                          a webhook, signed; its key is shown once
  telegram://TOKEN@telegram?chats=ID
  slack://hook:A-B-C@webhook
  discord://TOKEN@ID
  smtp://USER:PASSWORD@HOST:587/?from=A&to=B

Without --user it is told of every user's events, as an operator is. Kinds:
` + kindLines(),
		RunE: a.does(func(ctx context.Context, args []string) error {
			rule, target, err := a.readRule(args[0], f)
			if err != nil {
				return ends(exitUsage, err)
			}
			return a.operate(ctx, func(store *postgres.Store) error {
				if err := store.AddRule(ctx, rule, target, whoami()); err != nil {
					return err
				}
				return a.showNewRule(rule, target)
			})
		}),
	}
	cmd.Flags().StringVar(&f.file, "url-file", "", "where the service's address is; - is stdin (required)")
	cmd.Flags().StringVar(&f.account, "account", "", "of which account; * is all (default INTERLOCK_ACCOUNT, else paper)")
	cmd.Flags().StringVar(&f.user, "user", "", "only of this user, and what concerns everybody")
	cmd.Flags().StringSliceVar(&f.kinds, "kinds", nil, "only of these kinds (default all)")
	_ = cmd.RegisterFlagCompletionFunc("kinds", cobra.FixedCompletions(kindNames(), cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return a.printsJSON(cmd)
}

func kindNames() []string {
	names := make([]string, len(outbox.Kinds()))
	for i, k := range outbox.Kinds() {
		names[i] = string(k)
	}
	return names
}

// kindLines names every kind, within the width of a table.
func kindLines() string {
	names := kindNames()
	half := len(names)/2 + 1
	return strings.Join(names[:half], ", ") + ",\n" + strings.Join(names[half:], ", ") + "."
}

var ruleName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

func (a *app) readRule(name string, f notifyFlags) (rule outbox.Rule, target outbox.Target, err error) {
	account, err := a.accountOr(f.account)
	if err != nil {
		return rule, target, err
	}
	kinds, err := outbox.ParseKinds(f.kinds)
	if err != nil {
		return rule, target, fmt.Errorf("--kinds: %w", err)
	}
	if !ruleName.MatchString(name) {
		return rule, target, errors.New("NAME: use 1 to 40 small letters, digits or dashes")
	}
	if f.user != "" {
		if err := trade.CheckID("--user", f.user); err != nil {
			return rule, target, err
		}
	}
	address, err := a.readAddress(f.file)
	if err != nil {
		return rule, target, err
	}
	service, shown, err := notify.Read(address)
	if err != nil {
		return rule, target, fmt.Errorf("--url-file: %w", err)
	}
	target = outbox.Target{Service: service, Address: secret.Text(address)}
	if service == notify.Webhook {
		target.SigningKey = notify.NewSigningKey()
	}
	return outbox.Rule{ID: name, AccountID: account, UserID: f.user, Kinds: kinds, Service: service, Shown: shown}, target, nil
}

// maxAddress is far more than any service's address has.
const maxAddress = 4096

func (a *app) readAddress(file string) (string, error) {
	from := a.in
	switch file {
	case "":
		return "", errors.New("--url-file: say where the service's address is")
	case "-":
	default:
		opened, err := os.Open(file)
		if err != nil {
			return "", fmt.Errorf("--url-file: %w", err)
		}
		defer opened.Close()
		from = opened
	}
	if from == nil {
		return "", errors.New("--url-file: there is no stdin")
	}
	text, err := io.ReadAll(io.LimitReader(from, maxAddress))
	if err != nil {
		return "", fmt.Errorf("--url-file: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

func (a *app) showNewRule(r outbox.Rule, to outbox.Target) error {
	shown := map[string]string{"id": r.ID, "service": r.Service, "address": r.Shown}
	t := &table{}
	t.add("rule", r.ID)
	t.add("service", r.Service)
	t.add("address", r.Shown)
	if to.Service == notify.Webhook {
		shown["signingKey"] = to.SigningKey.Reveal()
		t.add("signing key", to.SigningKey.Reveal())
	}
	return a.show(shown, t)
}

func (a *app) notifyList() *cobra.Command {
	return a.printsJSON(&cobra.Command{
		Use: "list", Short: "List the rules, and what they were not told", Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error {
			return a.operate(ctx, func(store *postgres.Store) error {
				rules, err := store.Rules(ctx)
				if err != nil {
					return err
				}
				t := &table{header: []string{"RULE", "ACCOUNT", "USER", "SERVICE", "OPEN", "GIVEN UP", "KINDS", "LAST ERROR"}}
				for _, r := range rules {
					t.add(r.ID, r.AccountID, orAll(r.UserID), r.Service, fmt.Sprint(r.Open), fmt.Sprint(r.GivenUp), orAll(outbox.Names(r.Kinds)), r.LastError)
				}
				return a.show(rules, t)
			})
		}),
	})
}

func orAll(text string) string {
	if text == "" {
		return "all"
	}
	return text
}

func (a *app) notifyRemove() *cobra.Command {
	return a.asks(&cobra.Command{
		Use: "remove NAME", Short: "Tell a service nothing more, and forget its address", Args: cobra.ExactArgs(1),
		RunE: a.does(func(ctx context.Context, args []string) error {
			return a.operate(ctx, func(store *postgres.Store) error {
				if err := a.sure(ctx, "ends rule %s for ever and gives up what it was still to be told", args[0]); err != nil {
					return err
				}
				if err := store.RemoveRule(ctx, args[0], whoami()); err != nil {
					return err
				}
				fmt.Fprintf(a.out, "rule %s is removed\n", args[0])
				return nil
			})
		}),
	})
}

func (a *app) notifyTest() *cobra.Command {
	var patience time.Duration
	cmd := &cobra.Command{
		Use: "test NAME", Short: "Send a rule a test on the way that everything takes", Args: cobra.ExactArgs(1),
		Long: `Sends a rule a test, through the outbox and the workers as everything else, and
waits until its service has taken it or a try has failed. A failed one is tried
again by the workers.`,
		RunE: a.does(func(ctx context.Context, args []string) error {
			return a.operate(ctx, func(store *postgres.Store) error {
				id, err := store.TestRule(ctx, args[0])
				if err != nil {
					return err
				}
				ctx, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				return a.awaitDelivery(ctx, store, id, args[0])
			})
		}),
	}
	cmd.Flags().DurationVar(&patience, "timeout", 30*time.Second, "how long to wait")
	return cmd
}

func (a *app) awaitDelivery(ctx context.Context, store *postgres.Store, event int64, rule string) error {
	for {
		d, err := store.DeliveryOf(ctx, event, rule)
		switch {
		case ctx.Err() != nil:
			return unavailable(fmt.Errorf("event %d waits for a worker of role proposals", event))
		case err != nil:
			return err
		case d.DeliveredAt != nil:
			fmt.Fprintf(a.out, "event %d arrived\n", event)
			return nil
		case d.LastError != "":
			return ends(exitFailed, fmt.Errorf("event %d did not arrive: %s", event, d.LastError))
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (a *app) ruleNames(ctx context.Context, store *postgres.Store) []string {
	rules, _ := store.Rules(ctx) // none is as good as an error here
	names := make([]string, len(rules))
	for i, r := range rules {
		names[i] = r.ID
	}
	return names
}
