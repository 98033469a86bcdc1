package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"interlock/internal/api"
	"interlock/internal/trade"
)

// needReason refuses a change that nobody could explain later.
func needReason(reason string) error {
	if reason == "" {
		return ends(exitUsage, errors.New("--reason: say why; it is kept in the audit"))
	}
	return nil
}

func (a *app) override() *cobra.Command {
	var body api.OverrideBody
	var life time.Duration
	cmd := &cobra.Command{
		Use: "override ID --reason WHY", Short: "Permit one execution in spite of cooldown or anti-flip", Args: cobra.ExactArgs(1),
		Long: `Permits one execution of a proposal in spite of cooldown, anti-flip or both. It
lifts nothing else, looks past the trades known now and no later ones, and is
used up by the execution it lets through.`,
		RunE: a.does(func(ctx context.Context, args []string) error {
			if err := needReason(body.Reason); err != nil {
				return err
			}
			if !body.Cooldown && !body.AntiFlip {
				return ends(exitUsage, errors.New("--cooldown, --anti-flip: say what to lift"))
			}
			until := time.Now().Add(life).UTC()
			body.ExpiresAt = &until
			return a.runOverride(ctx, args[0], body)
		}),
	}
	cmd.Flags().BoolVar(&body.Cooldown, "cooldown", false, "lift the cooldown")
	cmd.Flags().BoolVar(&body.AntiFlip, "anti-flip", false, "lift anti-flip")
	cmd.Flags().BoolVar(&body.Execute, "execute", false, "execute at once")
	cmd.Flags().StringVar(&body.Reason, "reason", "", "why, for the audit (required)")
	cmd.Flags().DurationVar(&life, "for", trade.OverrideLife, "how long it may be used")
	return a.printsJSON(cmd)
}

func (a *app) runOverride(ctx context.Context, id string, body api.OverrideBody) error {
	r, err := a.remote()
	if err != nil {
		return err
	}
	reply, err := r.do(ctx, http.MethodPost, proposalsPath+"/"+url.PathEscape(id)+"/override", body)
	if err != nil {
		return err
	}
	var kept api.OverrideView
	if err := reply.into(&kept); err != nil {
		return err
	}
	t := &table{}
	t.add("override", kept.OverrideID)
	code := 0
	if kept.Execute != nil {
		code = addTried(t, *kept.Execute)
	}
	if err := a.show(kept, t); err != nil {
		return err
	}
	return answered(code)
}

// addTried shows how the execution stood, and returns the exit code for it.
func addTried(t *table, tried api.TriedView) int {
	t.add("status", string(tried.Status))
	for _, b := range tried.Blocks {
		t.add("blocked", string(b.Code)+": "+b.Message)
	}
	addOrder(t, tried.Order)
	switch {
	case tried.Claimed && tried.Status == trade.Failed:
		return exitFailed
	case tried.Claimed:
		return 0
	case len(tried.Blocks) > 0:
		return exitBlocked
	}
	return exitClosed
}

func (a *app) cancel() *cobra.Command {
	var body api.CancelBody
	cmd := &cobra.Command{
		Use: "cancel ID --reason WHY", Short: "Give a proposal up; cancel its open order", Args: cobra.ExactArgs(1),
		Long: `Gives a proposal up. One that is executing gets no further attempt, and its open
order is cancelled; what was filled stays filled.`,
		RunE: a.does(func(ctx context.Context, args []string) error {
			if err := needReason(body.Reason); err != nil {
				return err
			}
			r, err := a.remote()
			if err != nil {
				return err
			}
			reply, err := r.do(ctx, http.MethodPost, proposalsPath+"/"+url.PathEscape(args[0])+"/cancel", body)
			if err != nil {
				return err
			}
			var p api.ProposalView
			if err := reply.into(&p); err != nil {
				return err
			}
			t := &table{}
			t.add("proposal", p.ID)
			t.add("status", string(p.Status))
			if p.Status != trade.Cancelled {
				t.add("cancel", fmt.Sprintf("kept; no further attempt begins (%s)", http.StatusText(reply.http)))
			}
			addOrder(t, p.Order)
			return a.show(p, t)
		}),
	}
	cmd.Flags().StringVar(&body.Reason, "reason", "", "why, for the audit (required)")
	return a.printsJSON(cmd)
}
