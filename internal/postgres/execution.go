package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// Executions are decided upon by trade.Execution. What is here locks a row,
// reads the facts, asks it, and writes what it says.

// claimedRowSQL is the execution that a claim names and no other. Its number
// alone is not enough: a restored database hands the same numbers out again,
// and a workflow that lived through the restore would act on another's.
const claimedRowSQL = `id = @id AND proposal_id = @proposal AND account_id = @account`

func refArgs(c trade.ClaimRef) pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{"id": c.ExecutionID, "proposal": c.ProposalID, "account": c.AccountID}
}

// lockExecutionSQL serialises whoever begins, concludes or records an attempt.
// It does not stop foreign keys from pointing here.
const lockExecutionSQL = `
	SELECT ` + executionColumns + ` FROM interlock.trade_executions WHERE ` + claimedRowSQL + ` FOR NO KEY UPDATE`

const readExecutionSQL = `SELECT ` + executionColumns + ` FROM interlock.trade_executions WHERE ` + claimedRowSQL

// locked is an execution under its lock, with the transaction it is locked in.
type locked struct {
	trade.Execution

	tx   pgx.Tx
	user string
}

// lockExecution locks the execution that c was a claim of, also when another
// request's claim is in force by now. ErrNotFound when this database has none.
func lockExecution(ctx context.Context, tx pgx.Tx, c trade.ClaimRef) (locked, error) {
	return loadExecution(ctx, tx, lockExecutionSQL, c)
}

func loadExecution(ctx context.Context, tx pgx.Tx, sql string, c trade.ClaimRef) (locked, error) {
	row, err := one[executionRow](ctx, tx, sql, refArgs(c))
	if err != nil {
		return locked{}, fmt.Errorf("execution %d of %s: %w", c.ExecutionID, c.ProposalID, err)
	}
	attempts, err := all[attemptRow](ctx, tx, attemptsSQL, pgx.StrictNamedArgs{"execution": row.ID})
	if err != nil {
		return locked{}, err
	}
	e, err := row.execution(attempts)
	return locked{Execution: e, tx: tx, user: row.UserID}, err
}

// lockClaim locks the execution of c while c is the claim in force. ErrNotFound
// otherwise: whoever holds c must read the truth again.
func lockClaim(ctx context.Context, tx pgx.Tx, c trade.ClaimRef) (locked, error) {
	e, err := lockExecution(ctx, tx, c)
	return e, inForce(e, c, err)
}

// readClaim is lockClaim for who only reads: what it finds may be over by the
// time it is acted upon.
func readClaim(ctx context.Context, tx pgx.Tx, c trade.ClaimRef) (locked, error) {
	e, err := loadExecution(ctx, tx, readExecutionSQL, c)
	return e, inForce(e, c, err)
}

func inForce(e locked, c trade.ClaimRef, err error) error {
	if err == nil && e.RequestID != c.RequestID {
		err = fmt.Errorf("execution %d of %s: claim of request %s: %w", c.ExecutionID, c.ProposalID, c.RequestID, ErrNotFound)
	}
	return err
}

const executionFactsSQL = `
	SELECT clock_timestamp() AS now, p.expires_at, p.cancel_actor IS NOT NULL AS cancelled, a.read_lag,
		a.created_in = interlock.database_id() AS here, interlock.life_began_at() AS began
	FROM interlock.trade_proposals p JOIN interlock.accounts a ON a.id = p.account_id WHERE p.id = @proposal`

type executionFactsRow struct {
	Now       time.Time     `db:"now"`
	ExpiresAt time.Time     `db:"expires_at"`
	Cancelled bool          `db:"cancelled"`
	ReadLag   time.Duration `db:"read_lag"`
	Here      bool          `db:"here"`
	Began     *time.Time    `db:"began"`
}

// facts reads what a step is decided by besides the execution itself.
func (e locked) facts(ctx context.Context) (trade.ExecutionFacts, error) {
	r, err := one[executionFactsRow](ctx, e.tx, executionFactsSQL, pgx.StrictNamedArgs{"proposal": e.ProposalID})
	return trade.ExecutionFacts{
		Now: r.Now, ReadLag: r.ReadLag, Life: trade.DatabaseLife{Here: r.Here, BeganAt: r.Began},
		ExpiresAt: r.ExpiresAt, CancelRequested: r.Cancelled,
	}, err
}

// attemptFacts reads also what an attempt is decided by.
func (e locked) attemptFacts(ctx context.Context, control trade.TradingState) (trade.ExecutionFacts, error) {
	f, err := e.facts(ctx)
	if err != nil {
		return f, err
	}
	f.Control = control
	f.Price, _, err = marketFact(ctx, e.tx, e.AccountID, e.Plan.Market)
	return f, err
}

// lockTradingState comes before the execution's lock: a halt that has committed
// is seen, and one that comes now waits for this transaction.
func lockTradingState(ctx context.Context, tx pgx.Tx, account string) (control trade.TradingState, err error) {
	err = tx.QueryRow(ctx, `SELECT interlock.lock_trading_state($1)`, account).Scan(&control)
	return control, err
}

const finalOrderSQL = `SELECT body FROM interlock.final_orders WHERE execution_id = $1`

// readFinal adds the final order, if role orders has seen it.
func (e *locked) readFinal(ctx context.Context) error {
	var body json.RawMessage
	err := e.tx.QueryRow(ctx, finalOrderSQL, e.ID).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(body, &e.Final)
	}
	return err
}

const saidOverSQL = `SELECT order_id FROM interlock.order_resolutions WHERE execution_id = $1`

// readSaidOver adds the order that a person says is over.
func (e *locked) readSaidOver(ctx context.Context) error {
	err := e.tx.QueryRow(ctx, saidOverSQL, e.ID).Scan(&e.SaidOver)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

func (e locked) audit(ctx context.Context, kind, actor string, body map[string]any) error {
	body["execution"] = e.ID
	return appendAudit(ctx, e.tx, event{Chain: e.AccountID, Kind: kind, User: e.user, Proposal: e.ProposalID, Actor: actor, Body: body})
}

// insertAttemptSQL relies on two constraints: the number is unique, and at
// most one attempt of an execution is in doubt or accepted.
const insertAttemptSQL = `
	INSERT INTO interlock.order_attempts (execution_id, number, request_id, deadline, begun_by)
	VALUES (@execution, @number, @request, @deadline, @worker)`

const insertVoidSQL = `
	INSERT INTO interlock.order_attempts (execution_id, number, request_id, verdict, concluded_at)
	VALUES (@execution, @number, @request, 'void', clock_timestamp())`

func (e locked) insertAttempt(ctx context.Context, a trade.Attempt) error {
	if a.Outcome == trade.OutcomeVoid {
		_, err := e.tx.Exec(ctx, insertVoidSQL, pgx.StrictNamedArgs{"execution": e.ID, "number": a.Number, "request": a.RequestID})
		return err
	}
	_, err := e.tx.Exec(ctx, insertAttemptSQL, pgx.StrictNamedArgs{
		"execution": e.ID, "number": a.Number, "request": a.RequestID, "deadline": a.Deadline, "worker": a.BegunBy,
	})
	return err
}

const concludeAttemptSQL = `
	UPDATE interlock.order_attempts SET verdict = @verdict, order_id = @order, concluded_at = clock_timestamp()
	WHERE execution_id = @execution AND number = @number AND verdict IS NULL`

func (e locked) concludeAttempt(ctx context.Context, a trade.Attempt) error {
	tag, err := e.tx.Exec(ctx, concludeAttemptSQL, pgx.StrictNamedArgs{
		"execution": e.ID, "number": a.Number, "verdict": string(a.Outcome), "order": textOrNull(a.OrderID),
	})
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("%w: attempt %d has an outcome", ErrConflict, a.Number)
	}
	return err
}

func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

const setStatusSQL = `
	WITH execution AS (
		UPDATE interlock.trade_executions SET status = @status, followed_at = clock_timestamp()
		WHERE id = @execution AND status IN ('EXECUTING', 'UNRESOLVED') RETURNING proposal_id
	)
	UPDATE interlock.trade_proposals p SET status = @status, updated_at = clock_timestamp()
	FROM execution WHERE p.id = execution.proposal_id`

// conclude writes what role proposals concludes: attempts, outcomes, status,
// and the alarm for what should be impossible.
func (e locked) conclude(ctx context.Context, c trade.Changes) error {
	if c.Begun != nil {
		if err := e.insertAttempt(ctx, *c.Begun); err != nil {
			return err
		}
	}
	if c.Concluded != nil {
		if err := e.concludeAttempt(ctx, *c.Concluded); err != nil {
			return err
		}
	}
	if c.Status != "" {
		if _, err := e.tx.Exec(ctx, setStatusSQL, pgx.StrictNamedArgs{"execution": e.ID, "status": string(c.Status)}); err != nil {
			return err
		}
	}
	return e.alarmOthers(ctx, c.Others)
}

// alarmUnclear calls a person for an order whose status nobody knows; once, and
// nothing for nil.
func (e locked) alarmUnclear(ctx context.Context, o *trade.Order) error {
	if o == nil {
		return nil
	}
	d := differenceRow{
		kind: contradiction, order: *o, user: e.user, proposal: e.ProposalID,
		detail: fmt.Sprintf("the exchange gives it the status %q, whose meaning is not known, and it does not end", o.Status),
	}
	isNew, err := noteDifference(ctx, e.tx, e.AccountID, d)
	if err != nil || !isNew {
		return err
	}
	return alarm(ctx, e.tx, e.AccountID, []differenceRow{d})
}

// alarmOthers is for what should be impossible: more orders under the ID of an
// execution than the one it takes.
func (e locked) alarmOthers(ctx context.Context, others []trade.Order) error {
	if len(others) == 0 {
		return nil
	}
	var seconds []differenceRow
	for _, o := range others {
		d := differenceRow{
			kind: contradiction, order: o, user: e.user, proposal: e.ProposalID,
			detail: "a second order under the client order ID of proposal " + e.ProposalID,
		}
		if _, err := noteDifference(ctx, e.tx, e.AccountID, d); err != nil {
			return err
		}
		seconds = append(seconds, d)
	}
	return alarm(ctx, e.tx, e.AccountID, seconds)
}
