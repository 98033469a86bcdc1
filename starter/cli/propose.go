package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"interlock/internal/api"
	"interlock/internal/trade"
)

type proposeFlags struct {
	api.ProposalBody

	life     time.Duration
	file     string
	execute  bool
	parallel int
}

func (a *app) propose() *cobra.Command {
	var f proposeFlags
	cmd := &cobra.Command{
		Use:   "propose (--market M --side S --quote Q | --file FILE)",
		Short: "Store one proposal or many, and perhaps execute each",
		Long: `Stores a proposal, or with --file many: JSON lines, or CSV whose first line
names the fields (id, market, side, orderType, amount, amountQuote, price,
expectedPrice, confidence, rationale, source, expiresAt). With --execute each is
executed, and the totals are printed: executed, and blocked by code.

The same ID with the same content is one proposal, however often it is stored.`,
		Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.runPropose(ctx, f) }),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.file, "file", "", "file of proposals; - is standard input")
	flags.BoolVar(&f.execute, "execute", false, "execute each at once")
	flags.IntVar(&f.parallel, "parallel", 1, "how many of a file's proposals are under way at once")
	flags.StringVar(&f.ID, "id", "", "the proposal's ID (default: made up)")
	flags.StringVar(&f.Market, "market", "", "market, like BTC-EUR")
	flags.StringVar(&f.Side, "side", "", "buy or sell")
	flags.StringVar(&f.OrderType, "type", "", "market or limit (default market)")
	flags.StringVar(&f.Amount, "amount", "", "amount in the base asset")
	flags.StringVar(&f.AmountQuote, "quote", "", "amount in the quote asset, for market orders")
	flags.StringVar(&f.Price, "price", "", "price of a limit order")
	flags.StringVar(&f.ExpectedPrice, "expected-price", "", "price that the proposer saw")
	flags.StringVar(&f.Confidence, "confidence", "", "confidence from 0 to 1")
	flags.StringVar(&f.Rationale, "rationale", "", "why, for the records")
	flags.StringVar(&f.Source, "source", "starter", "where the idea comes from")
	flags.DurationVar(&f.life, "expires-in", 0, "how long it may be executed (default one hour)")
	cmd.MarkFlagsMutuallyExclusive("file", "market")
	cmd.MarkFlagsOneRequired("file", "market")
	return a.printsJSON(cmd)
}

func (a *app) runPropose(ctx context.Context, f proposeFlags) error {
	if f.parallel < 1 || f.parallel > 100 {
		return ends(exitUsage, fmt.Errorf("--parallel: %d is not between 1 and 100", f.parallel))
	}
	if f.file != "" {
		return a.proposeFile(ctx, f)
	}
	if f.ID == "" {
		f.ID = uuid.NewString()
	}
	if f.life != 0 {
		at := time.Now().Add(f.life).UTC()
		f.ExpiresAt = &at
	}
	r, err := a.remote()
	if err != nil {
		return err
	}
	reply, err := r.propose(ctx, f.ProposalBody)
	if err != nil {
		return err
	}
	if !f.execute {
		return a.showProposed(reply)
	}
	var stored api.ProposalView
	if err := reply.into(&stored); err != nil {
		return err
	}
	done, err := r.execute(ctx, api.ExecuteBody{ProposalID: stored.ID})
	if err != nil {
		return err
	}
	return a.showExecute(stored.ID, done)
}

func (r *remote) propose(ctx context.Context, body any) (answer, error) {
	return r.do(ctx, http.MethodPost, proposalsPath, body)
}

func (a *app) showProposed(reply answer) error {
	var p api.ProposalView
	if err := reply.into(&p); err != nil {
		return err
	}
	if a.json {
		return printJSON(a.out, json.RawMessage(reply.body))
	}
	t := &table{}
	t.add("proposal", p.ID)
	t.add("status", string(p.Status))
	t.add("order", fmt.Sprintf("%s %s %s", p.Side, amountText(p.Amount, p.AmountQuote, p.Market), p.Market))
	t.add("expires", clock(p.ExpiresAt))
	t.print(a.out)
	return nil
}

// amountText says how much of a market; one of the two amounts is empty.
func amountText(base, quote string, market trade.Market) string {
	if quote != "" {
		return quote + " " + market.Quote() + " of"
	}
	return base
}

var errNoProposals = errors.New("holds no proposal")
