package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"
	"go.temporal.io/sdk/client"

	"interlock/internal/postgres"
	"interlock/internal/trade"
	"interlock/workflows"
)

// proposalReport is everything that is stored of a proposal.
type proposalReport struct {
	Proposal postgres.ProposalView `json:"proposal"`
	Verdicts []trade.Verdict       `json:"verdicts"` // the newest first
	Attempts []attemptLine         `json:"attempts"`
	Looks    []lookLine            `json:"looks"`

	Differences []postgres.DifferenceView `json:"differences,omitempty"`
	Workflow    *workflows.State          `json:"workflow,omitempty"` // of an unresolved one, as far as Temporal says
}

// nextLook is when the order is looked for again.
func (r proposalReport) nextLook() string {
	switch {
	case r.Workflow == nil:
		return "unknown: its workflow does not answer"
	case r.Workflow.NextLook.IsZero():
		return "under way"
	}
	return clock(r.Workflow.NextLook)
}

type attemptLine struct {
	Number   int        `db:"number" json:"number"`
	BegunAt  time.Time  `db:"begun_at" json:"begunAt"`
	BegunBy  string     `db:"begun_by" json:"begunBy"`
	Deadline *time.Time `db:"deadline" json:"deadline,omitempty"`
	Verdict  string     `db:"verdict" json:"verdict"` // empty: in doubt
	Reply    string     `db:"reply" json:"reply,omitempty"`
	OrderID  string     `db:"order_id" json:"orderId,omitempty"`
}

type lookLine struct {
	Attempt  int       `db:"number" json:"attempt"`
	LookedAt time.Time `db:"looked_at" json:"lookedAt"`
	Sighting string    `db:"sighting" json:"sighting"`
	Detail   string    `db:"detail" json:"detail,omitempty"`
}

const verdictsOfSQL = `
	SELECT body FROM interlock.verdicts WHERE proposal_id = @proposal ORDER BY created_at DESC LIMIT 20`

const attemptsOfSQL = `
	SELECT a.number, a.begun_at, a.begun_by, a.deadline, coalesce(a.verdict, '') AS verdict,
		trim(a.reply_code || ' ' || a.reply_detail) AS reply, coalesce(a.order_id, '') AS order_id
	FROM interlock.order_attempts a JOIN interlock.trade_executions e ON e.id = a.execution_id
	WHERE e.proposal_id = @proposal ORDER BY a.number`

const looksOfSQL = `
	SELECT l.number, l.looked_at, l.sighting, l.detail
	FROM interlock.order_looks l JOIN interlock.trade_executions e ON e.id = l.execution_id
	WHERE e.proposal_id = @proposal ORDER BY l.looked_at`

func (a *app) showOne(ctx context.Context, id string) error {
	var report proposalReport
	err := a.operate(ctx, func(store *postgres.Store) (err error) {
		if report.Proposal, err = store.Proposal(ctx, id); err != nil {
			return err
		}
		found, err := store.Differences(ctx, report.Proposal.AccountID)
		report.Differences = slices.DeleteFunc(found, func(d postgres.DifferenceView) bool { return d.ProposalID != id })
		return err
	})
	if err != nil {
		return err
	}
	if err := a.readReport(ctx, id, &report); err != nil {
		return unavailable(fmt.Errorf("status of %s: %w", id, err))
	}
	if report.Proposal.Status == trade.Unresolved {
		report.Workflow = a.askWorkflow(ctx, id)
	}
	if a.json {
		return printJSON(a.out, report)
	}
	a.printReport(report)
	return nil
}

// askPatience bounds a question that status can do without.
const askPatience = 5 * time.Second

// askWorkflow asks a proposal's workflow how things stand; nil when it does not
// answer.
func (a *app) askWorkflow(ctx context.Context, id string) *workflows.State {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	var s workflows.State
	err := a.converse(ctx, func(ctx context.Context, c client.Client) error {
		value, err := c.QueryWorkflow(ctx, id, "", workflows.StateQuery)
		if err != nil {
			return err
		}
		return value.Get(&s)
	})
	if err != nil {
		return nil
	}
	return &s
}

func (a *app) readReport(ctx context.Context, id string, report *proposalReport) error {
	url, err := a.operatorURL()
	if err != nil {
		return err
	}
	conn, err := postgres.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	args := pgx.StrictNamedArgs{"proposal": id}
	rows, _ := conn.Query(ctx, verdictsOfSQL, args) // its error comes with the rows
	bodies, err := pgx.CollectRows(rows, pgx.RowTo[json.RawMessage])
	if err != nil {
		return err
	}
	for _, body := range bodies {
		var v trade.Verdict
		if err := json.Unmarshal(body, &v); err != nil {
			return err
		}
		report.Verdicts = append(report.Verdicts, v)
	}
	rows, _ = conn.Query(ctx, attemptsOfSQL, args)
	if report.Attempts, err = pgx.CollectRows(rows, pgx.RowToStructByName[attemptLine]); err != nil {
		return err
	}
	rows, _ = conn.Query(ctx, looksOfSQL, args)
	report.Looks, err = pgx.CollectRows(rows, pgx.RowToStructByName[lookLine])
	return err
}

func (a *app) printReport(r proposalReport) {
	p := r.Proposal
	t := &table{}
	t.add("proposal", p.ID+" of "+p.UserID+" on "+p.AccountID)
	t.add("order", fmt.Sprintf("%s %s %s (%s)", p.Side, amountText(decimalText(p.Amount), decimalText(p.AmountQuote), p.Market), p.Market, p.OrderType))
	t.add("status", strings.TrimSpace(string(p.Status)+" "+detail(p)))
	t.add("created", clock(p.CreatedAt)+", expires "+clock(p.ExpiresAt))
	if e := p.Execution; e != nil {
		t.add("claimed", clock(e.ClaimedAt)+", client order "+e.ClientOrderID.String())
		if e.OrderID != "" {
			t.add("exchange", strings.TrimSpace(e.OrderID+" "+string(e.OrderStatus)))
			t.add("filled", fmt.Sprintf("%s for %s, fee %s %s", e.FilledAmount, e.FilledAmountQuote, e.FeePaid, e.FeeCurrency))
		}
	}
	if p.Status == trade.Unresolved {
		t.add("next look", r.nextLook())
	}
	if r.Workflow != nil {
		addWorkflow(t, *r.Workflow)
	}
	if p.Rationale != "" {
		t.add("rationale", p.Rationale)
	}
	t.print(a.out)
	a.printVerdict(r.Verdicts)
	a.printAttempts(r)
	if len(r.Differences) > 0 {
		fmt.Fprintln(a.out)
		differencesTable(r.Differences).print(a.out)
	}
}

// addWorkflow shows what only the workflow knows: a person's resolution, what is
// being written down, and signals that nobody was told were refused.
func addWorkflow(t *table, s workflows.State) {
	if s.Word != nil {
		t.add("said", resolutionText(*s.Word))
	}
	if s.Recording != nil {
		t.add("recording", s.Recording.Activity+", tried since "+clock(s.Recording.Since))
	}
	for _, r := range s.Refused {
		t.add("refused", fmt.Sprintf("signal %s at %s: %s", r.Signal, clock(r.At), r.Problem))
	}
}

func resolutionText(w workflows.ResolutionView) string {
	what, became := "there is no order", "taken"
	if w.OrderID != "" {
		what = "it is order " + w.OrderID
	}
	switch {
	case !w.Weighed:
		became = "not decided upon yet"
	case !w.Accepted:
		became = "refused: " + w.Problem
	}
	return fmt.Sprintf("%s at %s: %s (%s); %s", w.Actor, clock(w.At), what, w.Reason, became)
}

func decimalText(d *decimal.Decimal) string {
	if d == nil {
		return ""
	}
	return d.String()
}

// printVerdict shows the last verdict with the inputs of every check.
func (a *app) printVerdict(verdicts []trade.Verdict) {
	if len(verdicts) == 0 {
		return
	}
	v := verdicts[0]
	fmt.Fprintf(a.out, "\nverdict %d at %s, policy version %d\n", len(verdicts), clock(v.At), v.PolicyVersion)
	t := &table{header: []string{"CHECK", "", "INPUTS"}}
	for _, c := range v.Checks {
		mark := "ok"
		switch {
		case !c.Passed:
			mark = "BLOCKS"
		case len(c.OverriddenBy) > 0:
			mark = "lifted"
		}
		t.add(string(c.Code), mark, inputsOf(c))
	}
	t.print(a.out)
}

func inputsOf(c trade.Check) string {
	var parts []string
	if c.Message != "" {
		parts = append(parts, c.Message+".")
	}
	for _, name := range sorted(c.Inputs) {
		parts = append(parts, name+"="+c.Inputs[name])
	}
	return strings.Join(parts, " ")
}

func (a *app) printAttempts(r proposalReport) {
	if len(r.Attempts) > 0 {
		fmt.Fprintln(a.out)
		t := &table{header: []string{"ATTEMPT", "BEGUN", "VERDICT", "REPLY"}}
		for _, x := range r.Attempts {
			verdict := x.Verdict
			if verdict == "" {
				verdict = "in doubt"
			}
			t.add(strconv.Itoa(x.Number), clock(x.BegunAt), verdict, strings.TrimSpace(x.OrderID+" "+x.Reply))
		}
		t.print(a.out)
	}
	if len(r.Looks) > 0 {
		fmt.Fprintln(a.out)
		t := &table{header: []string{"LOOK", "AT", "SAW", "DETAIL"}}
		for i, x := range r.Looks {
			t.add(strconv.Itoa(i+1), clock(x.LookedAt), x.Sighting, x.Detail)
		}
		t.print(a.out)
	}
}
