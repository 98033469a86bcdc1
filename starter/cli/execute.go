package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"interlock/internal/api"
	"interlock/internal/trade"
	"interlock/workflows"
)

// executeReply is what became of it, a success or a problem.
type executeReply struct {
	answer

	problem api.Problem // zero after a success
	status  trade.Status
	order   *workflows.OrderView
}

func (r *remote) execute(ctx context.Context, body api.ExecuteBody) (executeReply, error) {
	a, err := r.do(ctx, http.MethodPost, executePath, body)
	if err != nil {
		return executeReply{}, err
	}
	return readExecute(a), nil
}

// readExecute reads both shapes; what is no JSON is told by its status.
func readExecute(a answer) executeReply {
	reply := executeReply{answer: a}
	if a.http >= http.StatusMultipleChoices {
		_ = json.Unmarshal(a.body, &reply.problem)
		reply.status, reply.order = reply.problem.ProposalStatus, reply.problem.Order
		return reply
	}
	var done api.Executed
	_ = json.Unmarshal(a.body, &done)
	reply.status, reply.order = done.Status, done.Order
	return reply
}

// outcome names the answer in one word, for counting: a status, or why not.
func (r executeReply) outcome() string {
	switch {
	case r.http == http.StatusOK:
		return string(trade.Executed)
	case r.http == http.StatusAccepted:
		return "OPEN"
	case r.problem.Code != "":
		return r.problem.Code
	}
	return fmt.Sprintf("HTTP %d", r.http)
}

func (a *app) execute() *cobra.Command {
	var body api.ExecuteBody
	cmd := &cobra.Command{
		Use: "execute ID", Short: "Execute a proposal, once or not at all", Args: cobra.ExactArgs(1),
		Long: `Asks for a proposal to be executed and waits up to ten seconds for its order.
A block that an override lifts needs the override's flag and a --reason.`,
		RunE: a.does(func(ctx context.Context, args []string) error {
			body.ProposalID = args[0]
			r, err := a.remote()
			if err != nil {
				return err
			}
			reply, err := r.execute(ctx, body)
			if err != nil {
				return err
			}
			return a.showExecute(args[0], reply)
		}),
	}
	cmd.Flags().BoolVar(&body.OverrideCooldown, "override-cooldown", false, "execute in spite of the cooldown")
	cmd.Flags().BoolVar(&body.OverrideAntiFlip, "override-anti-flip", false, "execute in spite of anti-flip")
	cmd.Flags().StringVar(&body.Reason, "reason", "", "why; required with an override")
	cmd.Flags().StringVar(&body.Side, "side", "", "refuse unless the proposal has this side")
	return a.printsJSON(cmd)
}

func (a *app) showExecute(id string, r executeReply) error {
	if r.problem.Code == api.InvalidRequest { // nothing was asked of the proposal: it is the command that is wrong
		return r.refusal()
	}
	if a.json {
		if !json.Valid(r.body) {
			return r.refusal()
		}
		fmt.Fprintf(a.out, "%s\n", strings.TrimSpace(string(r.body)))
		return answered(exitOf(r.http))
	}
	t := &table{}
	t.add("proposal", id)
	t.add("outcome", r.outcome())
	if r.status != "" {
		t.add("status", string(r.status))
	}
	for _, b := range r.problem.Blocks {
		t.add("blocked", string(b.Code)+": "+b.Message)
	}
	if len(r.problem.Blocks) == 0 && r.problem.Message != "" {
		t.add("because", strings.TrimSpace(r.problem.ExchangeCode+" "+r.problem.Message))
	}
	addOrder(t, r.order)
	t.print(a.out)
	return answered(exitOf(r.http))
}

func addOrder(t *table, o *workflows.OrderView) {
	if o == nil {
		return
	}
	t.add("order", o.OrderID)
	t.add("filled", fmt.Sprintf("%s for %s, fee %s %s (%s)", o.FilledAmount, o.FilledAmountQuote, o.FeePaid, o.FeeCurrency, o.Status))
}
