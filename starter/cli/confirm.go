package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"interlock/internal/api"
)

func (a *app) confirm() *cobra.Command {
	var body api.ConfirmBody
	cmd := &cobra.Command{
		Use: "confirm ID OVERRIDE --reason WHY", Short: "Stand behind another person's override", Args: cobra.ExactArgs(2),
		Long: `Stands behind an override that somebody else gave, which a policy asks for above
its "fourEyes". It is refused to whoever gave it. Who you are is what your token
says, so it takes a token of your own, of role operator for another user.`,
		RunE: a.does(func(ctx context.Context, args []string) error {
			if err := needReason(body.Reason); err != nil {
				return err
			}
			r, err := a.remote()
			if err != nil {
				return err
			}
			path := fmt.Sprintf("%s/%s/overrides/%s/confirm", proposalsPath, url.PathEscape(args[0]), url.PathEscape(args[1]))
			reply, err := r.do(ctx, http.MethodPost, path, body)
			if err != nil {
				return err
			}
			var list struct {
				Overrides []api.KeptView `json:"overrides"`
			}
			if err := reply.into(&list); err != nil {
				return err
			}
			t := &table{header: []string{"OVERRIDE", "BY", "CONFIRMED BY"}}
			for _, o := range list.Overrides {
				t.add(o.ID, o.Actor, strings.Join(o.ConfirmedBy, ", "))
			}
			return a.show(list.Overrides, t)
		}),
	}
	cmd.Flags().StringVar(&body.Reason, "reason", "", "why, for the audit (required)")
	return a.printsJSON(cmd)
}
