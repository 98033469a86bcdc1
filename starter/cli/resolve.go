package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"interlock/starter/stack"
	"interlock/workflows"
)

// resolve goes to the proposal's workflow, as any Temporal client could send
// it: the HTTP API offers it to no user. Its actor is recorded as unverified.
func (a *app) resolve() *cobra.Command {
	var who person
	var request workflows.ResolveRequest
	cmd := &cobra.Command{
		Use: "resolve ID (--order ID | --absent) --reason WHY", Short: "Say what became of an unresolved order", Args: cobra.ExactArgs(1),
		Long: `Gives a person's word on an order of unknown fate: the order it is at the
exchange, or that there is none. It counts only while the proposal is UNRESOLVED
and past every deadline, and a named order must match market, side and amount.
It waits until the word was weighed, and prints what stood against it if
anything; said again while the proposal is open, a word that was taken is
answered as before. Exit code 3 means that it was refused.`,
		RunE: a.does(func(ctx context.Context, args []string) error {
			if err := who.check(); err != nil {
				return err
			}
			if request.Absent == (request.OrderID != "") {
				return ends(exitUsage, errors.New("--order, --absent: give one of them"))
			}
			request.Actor, request.Reason = who.actor, who.reason
			return a.converse(ctx, func(ctx context.Context, c client.Client) error {
				if err := a.sure(ctx, "%s", saying(args[0], request)); err != nil {
					return err
				}
				result, err := say(ctx, c, args[0], request)
				if err != nil {
					return err
				}
				return a.showResolve(args[0], result)
			})
		}),
	}
	who.flags(cmd)
	cmd.Flags().StringVar(&request.OrderID, "order", "", "the exchange's ID of the order")
	cmd.Flags().BoolVar(&request.Absent, "absent", false, "there is no such order")
	return a.printsJSON(a.asks(cmd))
}

func saying(id string, r workflows.ResolveRequest) string {
	if r.Absent {
		return "says that " + id + " placed no order: it may then be executed again, and if there is one, it is doubled"
	}
	return "says that order " + r.OrderID + " is the one of " + id
}

// say gives a word to a proposal's workflow and waits until it was weighed.
func say(ctx context.Context, c client.Client, id string, request workflows.ResolveRequest) (workflows.ResolveResult, error) {
	var result workflows.ResolveResult
	h, err := c.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: workflows.ResolveName, Args: []any{request}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = h.Get(ctx, &result)
	}
	var unanswered *client.WorkflowUpdateServiceTimeoutOrCanceledError
	if errors.As(err, &unanswered) {
		err = fmt.Errorf("no answer in time, but the word may count all the same: say it again, or see status %s: %w", id, err)
	}
	return result, err
}

func (a *app) showResolve(id string, r workflows.ResolveResult) error {
	t := &table{}
	t.add("proposal", id)
	word, code := "taken", 0
	if !r.Accepted {
		word, code = "refused: "+r.Problem, exitBlocked
	}
	t.add("word", word)
	t.add("status", string(r.Status))
	if r.Failure != nil {
		t.add("failure", strings.TrimSpace(string(r.Failure.Code)+" "+r.Failure.Message))
	}
	addOrder(t, r.Order)
	if err := a.show(r, t); err != nil {
		return err
	}
	return answered(code)
}

// patience bounds one conversation with a workflow.
const patience = 30 * time.Second

// converse does something with a Temporal client.
func (a *app) converse(ctx context.Context, do func(context.Context, client.Client) error) error {
	p, err := a.locate()
	if err != nil {
		return err
	}
	options := p.Temporal
	if p.TemporalAddress == "" {
		address, err := p.find("", stack.Temporal, "TEMPORAL_ADDRESS")
		if err != nil {
			return err
		}
		options = client.Options{HostPort: address, Namespace: p.urls[stack.Namespace]}
	}
	options.Logger = slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := client.DialContext(ctx, options)
	if err != nil {
		return unavailable(fmt.Errorf("temporal at %s: %w", options.HostPort, err))
	}
	defer c.Close()
	err = do(ctx, c)
	var missing *serviceerror.NotFound
	var known *exitError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.As(err, &missing):
		return ends(exitUnknown, errors.New("no workflow of that name runs: the proposal is unknown or closed; see status"))
	}
	return unavailable(err)
}
