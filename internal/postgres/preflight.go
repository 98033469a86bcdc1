package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"interlock/internal/trade"
)

// Preflight decides whether a proposal may trade now and, if it may, claims
// its execution, in one transaction. Asked again under the same request ID it
// gives the same decision. ErrNotFound when there is no such proposal; any
// other error means that nothing was decided, or that asking again will tell.
func (s *Store) Preflight(ctx context.Context, req trade.Request) (trade.Decision, error) {
	req.ID, req.Actor, req.Reason = storable(req.ID), shorten(req.Actor), shorten(req.Reason)
	var d trade.Decision
	err := s.inTx(ctx, func(tx pgx.Tx) (err error) {
		d, err = preflight(ctx, tx, req)
		return err
	})
	if err != nil {
		return trade.Decision{}, fmt.Errorf("preflight %s: %w", req.ProposalID, err)
	}
	return d, nil
}

func preflight(ctx context.Context, tx pgx.Tx, req trade.Request) (trade.Decision, error) {
	if err := lockForProposal(ctx, tx, req.ProposalID); err != nil {
		return trade.Decision{}, err
	}
	if d, err := earlierDecision(ctx, tx, req); !errors.Is(err, pgx.ErrNoRows) {
		return d, err
	}
	p, err := readProposal(ctx, tx, req.ProposalID)
	if err != nil {
		return trade.Decision{}, err
	}
	facts, err := readFacts(ctx, tx, p)
	if err != nil {
		return trade.Decision{}, err
	}
	d := trade.Decision{Verdict: trade.Preflight(p, req, facts)}
	if !d.Verdict.Blocked() {
		if d.Claim, err = claim(ctx, tx, p, req, d.Verdict); err != nil {
			return trade.Decision{}, err
		}
	}
	halt, err := haltIfRunaway(ctx, tx, p, facts)
	if err != nil {
		return d, err
	}
	if err := storeDecision(ctx, tx, p, req, d); err != nil || halt == nil {
		return d, err
	}
	return d, auditControl(ctx, tx, *halt, false)
}

// haltIfRunaway halts the account of a runaway in the transaction that noticed
// it. What it returns is to be told in the audit, last of all: an attempt that
// holds the state's share lock may be waiting for the chain.
func haltIfRunaway(ctx context.Context, tx pgx.Tx, p trade.Proposal, f trade.Facts) (*Control, error) {
	reason := trade.Runaway(p, f)
	if reason == "" {
		return nil, nil
	}
	return haltByItself(ctx, tx, p.AccountID, reason)
}

// lockForProposal takes the account's lock, then the user's. It is a statement
// of its own, so that everything read after it is as new as the lock.
func lockForProposal(ctx context.Context, tx pgx.Tx, proposalID string) error {
	var found bool
	if err := tx.QueryRow(ctx, `SELECT interlock.lock_for_proposal($1)`, proposalID).Scan(&found); err != nil {
		return err
	}
	if !found {
		return ErrNotFound
	}
	return nil
}

const earlierVerdictSQL = `SELECT body, claimed FROM interlock.verdicts WHERE proposal_id = @proposal AND request_id = @request`

func earlierDecision(ctx context.Context, tx pgx.Tx, req trade.Request) (trade.Decision, error) {
	var d trade.Decision
	var body json.RawMessage
	var claimed bool
	err := tx.QueryRow(ctx, earlierVerdictSQL, pgx.StrictNamedArgs{"proposal": req.ProposalID, "request": req.ID}).Scan(&body, &claimed)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(body, &d.Verdict); err != nil {
		return d, fmt.Errorf("stored verdict: %w", err)
	}
	if claimed {
		d.Claim, err = currentClaim(ctx, tx, req.ProposalID)
	}
	return d, err
}

func currentClaim(ctx context.Context, tx pgx.Tx, proposalID string) (*trade.Claim, error) {
	e, err := one[executionRow](ctx, tx, executionByProposalSQL, pgx.StrictNamedArgs{"proposal": proposalID})
	if err != nil {
		return nil, err
	}
	attempts, err := all[attemptRow](ctx, tx, attemptsSQL, pgx.StrictNamedArgs{"execution": e.ID})
	if err != nil {
		return nil, err
	}
	execution, err := e.execution(attempts)
	return claimOf(execution), err
}

// claimSQL takes the one execution a proposal can have. A rival's claim, or an
// execution that is not FAILED, yields no row.
const claimSQL = `
	INSERT INTO interlock.trade_executions
		(user_id, proposal_id, account_id, market, side, client_order_id, status, plan, worst_quote, policy_version, request_id, claimed_at)
	VALUES (@user, @proposal, @account, @market, @side, @client, 'EXECUTING', @plan, @worst, @policy, @request, @now)
	ON CONFLICT (user_id, proposal_id) DO UPDATE SET
		status = 'EXECUTING', plan = excluded.plan, worst_quote = excluded.worst_quote, policy_version = excluded.policy_version,
		request_id = excluded.request_id, claimed_at = excluded.claimed_at, followed_at = excluded.claimed_at, ended_at = NULL
	WHERE trade_executions.status = 'FAILED'
	RETURNING id`

const proposalClaimedSQL = `
	UPDATE interlock.trade_proposals SET status = 'EXECUTING', policy_version = @policy,
		failure_code = '', failure_detail = '', exchange_code = '', updated_at = clock_timestamp()
	WHERE id = @proposal AND status IN ('PENDING', 'FAILED')`

func claim(ctx context.Context, tx pgx.Tx, p trade.Proposal, req trade.Request, v trade.Verdict) (*trade.Claim, error) {
	client, err := clientOrderID(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	if err := insertClaim(ctx, tx, p, v, client); err != nil {
		return nil, err
	}
	tag, err := tx.Exec(ctx, proposalClaimedSQL, pgx.StrictNamedArgs{"proposal": p.ID, "policy": v.PolicyVersion})
	if err != nil {
		return nil, err
	}
	if tag.RowsAffected() != 1 {
		return nil, fmt.Errorf("%w: proposal %s is not open", ErrConflict, p.ID)
	}
	if err := consumeOverrides(ctx, tx, p, req, v); err != nil {
		return nil, err
	}
	return currentClaim(ctx, tx, p.ID)
}

func insertClaim(ctx context.Context, tx pgx.Tx, p trade.Proposal, v trade.Verdict, client uuid.UUID) error {
	plan, err := json.Marshal(v.Plan)
	if err != nil {
		return err
	}
	var id int64
	err = tx.QueryRow(ctx, claimSQL, pgx.StrictNamedArgs{
		"user": p.UserID, "proposal": p.ID, "account": p.AccountID, "market": string(p.Market), "side": string(p.Side),
		"client": client, "plan": string(plan), "worst": v.Plan.WorstQuote, "policy": v.PolicyVersion,
		"request": v.RequestID, "now": v.At,
	}).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%w: proposal %s has an execution", ErrConflict, p.ID)
	}
	return err
}

// ownOverrideSQL stores the override that the request itself brought, so that
// every override that was ever used has a row.
const ownOverrideSQL = `
	INSERT INTO interlock.overrides (id, proposal_id, cooldown, anti_flip, actor, reason, via, policy_version, stored_at, expires_at)
	VALUES (@request, @proposal, @cooldown, @antiFlip, @actor, @reason, @via, @policy, @now, @now)`

const consumeOverrideSQL = `
	UPDATE interlock.overrides SET consumed_by = @request
	WHERE proposal_id = @proposal AND id = @id AND consumed_by IS NULL`

func consumeOverrides(ctx context.Context, tx pgx.Tx, p trade.Proposal, req trade.Request, v trade.Verdict) error {
	for _, id := range v.UsedOverrides() {
		used, err := consumeOverride(ctx, tx, p, req, id)
		if err == nil && !used && id == req.ID {
			used, err = consumeOwn(ctx, tx, p, req, v)
		}
		if err != nil {
			return err
		}
		if !used {
			return fmt.Errorf("%w: override %s is used up", ErrConflict, id)
		}
	}
	return nil
}

func consumeOverride(ctx context.Context, tx pgx.Tx, p trade.Proposal, req trade.Request, id string) (used bool, err error) {
	tag, err := tx.Exec(ctx, consumeOverrideSQL, pgx.StrictNamedArgs{"id": id, "proposal": p.ID, "request": req.ID})
	return tag.RowsAffected() == 1, err
}

func consumeOwn(ctx context.Context, tx pgx.Tx, p trade.Proposal, req trade.Request, v trade.Verdict) (used bool, err error) {
	_, err = tx.Exec(ctx, ownOverrideSQL, pgx.StrictNamedArgs{
		"request": req.ID, "proposal": p.ID, "cooldown": req.OverrideCooldown, "antiFlip": req.OverrideAntiFlip,
		"actor": req.Actor, "reason": req.Reason, "via": req.Via, "policy": v.PolicyVersion, "now": v.At,
	})
	if err != nil {
		return false, err
	}
	return consumeOverride(ctx, tx, p, req, req.ID)
}

const storeVerdictSQL = `
	INSERT INTO interlock.verdicts (request_id, proposal_id, claimed, body) VALUES (@request, @proposal, @claimed, @body)`

func storeDecision(ctx context.Context, tx pgx.Tx, p trade.Proposal, req trade.Request, d trade.Decision) error {
	body, err := json.Marshal(d.Verdict)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, storeVerdictSQL, pgx.StrictNamedArgs{
		"request": req.ID, "proposal": p.ID, "claimed": d.Claim != nil, "body": string(body),
	})
	if err != nil {
		return err
	}
	kind := "preflight.blocked"
	if d.Claim != nil {
		kind = "preflight.claimed"
	}
	return appendAudit(ctx, tx, event{
		Chain: p.AccountID, Kind: kind, User: p.UserID, Proposal: p.ID, Actor: req.Actor,
		Body: map[string]any{"request": req, "verdict": d.Verdict, "claim": d.Claim},
	})
}
