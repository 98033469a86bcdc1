package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"interlock/internal/prompt"
	"interlock/internal/scan"
	"interlock/internal/trade"
	"interlock/internal/view"
)

const beginRunSQL = `
	INSERT INTO interlock.scan_runs (id, job_id, revision) VALUES (@id, @job, @revision) ON CONFLICT (id) DO NOTHING`

const runSQL = `SELECT coalesce(snapshot, ''), coalesce(code, '') FROM interlock.scan_runs WHERE id = @id`

// BeginScan records that a run began, and returns how far it has come: the
// digest of its snapshot and the code it ended with, empty when not yet.
// ErrNotFound when there is no such job.
func (s *Store) BeginScan(ctx context.Context, runID string, j scan.Job) (snapshot string, ended scan.Code, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, beginRunSQL, pgx.StrictNamedArgs{"id": runID, "job": j.ID, "revision": j.Revision}); err != nil {
			return err
		}
		return tx.QueryRow(ctx, runSQL, pgx.StrictNamedArgs{"id": runID}).Scan(&snapshot, &ended)
	})
	if err != nil {
		return "", "", fmt.Errorf("begin %s: %w", runID, err)
	}
	return snapshot, ended, nil
}

const putSnapshotSQL = `INSERT INTO interlock.market_snapshots (digest, body) VALUES (@digest, @body) ON CONFLICT (digest) DO NOTHING`

const linkSnapshotSQL = `UPDATE interlock.scan_runs SET snapshot = @digest WHERE id = @id AND snapshot IS NULL`

// PutSnapshot keeps what a run saw and returns its digest. A run that already
// saw something keeps that.
func (s *Store) PutSnapshot(ctx context.Context, runID string, seen prompt.Snapshot) (digest string, err error) {
	text, digest, err := seen.Text()
	if err != nil {
		return "", fmt.Errorf("snapshot of %s: %w", runID, err)
	}
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, putSnapshotSQL, pgx.StrictNamedArgs{"digest": digest, "body": string(text)}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, linkSnapshotSQL, pgx.StrictNamedArgs{"id": runID, "digest": digest}); err != nil {
			return err
		}
		var ended string
		return tx.QueryRow(ctx, runSQL, pgx.StrictNamedArgs{"id": runID}).Scan(&digest, &ended)
	})
	if err != nil {
		return "", fmt.Errorf("snapshot of %s: %w", runID, err)
	}
	return digest, nil
}

// Snapshot reads what was kept under a digest; ErrNotFound when nothing was,
// ErrInvalid when it is no longer what was digested.
func (s *Store) Snapshot(ctx context.Context, digest string) (seen prompt.Snapshot, err error) {
	var body json.RawMessage
	err = s.pool.QueryRow(ctx, `SELECT body FROM interlock.market_snapshots WHERE digest = $1`, digest).Scan(&body)
	if err != nil {
		return seen, fmt.Errorf("snapshot %s: %w", digest, classify(err))
	}
	if prompt.Digest(body) != digest {
		return seen, fmt.Errorf("snapshot %s: %w: its text has another digest", digest, ErrInvalid)
	}
	return seen, json.Unmarshal(body, &seen)
}

const endRunSQL = `
	UPDATE interlock.scan_runs SET code = @code, detail = @detail, ended_at = clock_timestamp() WHERE id = @id AND code IS NULL`

const endsForSQL = `SELECT user_id, account_id, revision FROM interlock.scan_jobs WHERE id = @job`

// EndScan gives a run its end, once; a run that never began is recorded too.
// ErrNotFound when there never was such a job.
func (s *Store) EndScan(ctx context.Context, runID, jobID, code, detail string) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		j := scan.Job{ID: jobID}
		if err := tx.QueryRow(ctx, endsForSQL, pgx.StrictNamedArgs{"job": jobID}).Scan(&j.UserID, &j.AccountID, &j.Revision); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, beginRunSQL, pgx.StrictNamedArgs{"id": runID, "job": j.ID, "revision": j.Revision}); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, endRunSQL, pgx.StrictNamedArgs{"id": runID, "code": code, "detail": printable(detail)})
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return appendAudit(ctx, tx, event{
			Chain: j.AccountID, Kind: "scan.ended", User: j.UserID, Actor: j.Purpose(),
			Body: map[string]any{"run": runID, "job": j.ID, "revision": j.Revision, "code": code, "detail": detail},
		})
	})
	if err != nil {
		return fmt.Errorf("end %s: %w", runID, err)
	}
	return nil
}

// StoreIdeas stores what a model wrote, one transaction for all: proposals for
// ideas, duplicates where an open proposal of the user already says the same,
// refusals with their reasons. Asked again it stores nothing twice. It returns
// the proposals of the run and whether the policy lets them execute by
// themselves.
func (s *Store) StoreIdeas(ctx context.Context, runID string, j scan.Job, proposals []trade.Proposal, bodies []string, refused []prompt.Refused) (stored scan.Stored, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) (err error) {
		if _, err := tx.Exec(ctx, ideasTurnSQL, pgx.StrictNamedArgs{"user": j.UserID}); err != nil {
			return err
		}
		if stored, err = storedIdeas(ctx, tx, runID); err != nil || stored.Written() > 0 {
			return errors.Join(err, autoExecute(ctx, tx, j, &stored))
		}
		for _, r := range refused {
			if err := insertIdea(ctx, tx, runID, r.Number, "refused", "", r.Reason, r.Body); err != nil {
				return err
			}
		}
		for i, p := range proposals {
			if err := storeIdea(ctx, tx, runID, ideaNumber(p.ID), p, bodies[i], j.Purpose()); err != nil {
				return err
			}
		}
		if stored, err = storedIdeas(ctx, tx, runID); err != nil {
			return err
		}
		return autoExecute(ctx, tx, j, &stored)
	})
	if err != nil {
		return scan.Stored{}, fmt.Errorf("store ideas of %s: %w", runID, err)
	}
	return stored, nil
}

// ideasTurnSQL keeps two runs from both finding no open proposal.
const ideasTurnSQL = `SELECT pg_advisory_xact_lock(hashtextextended('interlock ideas ' || @user, 0))`

func ideaNumber(proposalID string) int {
	var n int
	_, _ = fmt.Sscan(proposalID[strings.LastIndex(proposalID, "-")+1:], &n)
	return n
}

// openTwinSQL finds a proposal that is still alive and wants the same.
const openTwinSQL = `
	SELECT id FROM interlock.trade_proposals
	WHERE user_id = @user AND account_id = @account AND market = @market AND side = @side
		AND (status IN ('EXECUTING', 'UNRESOLVED') OR status IN ('PENDING', 'FAILED') AND expires_at > clock_timestamp())
	ORDER BY created_at LIMIT 1`

func storeIdea(ctx context.Context, tx pgx.Tx, runID string, number int, p trade.Proposal, body, actor string) error {
	var twin string
	err := tx.QueryRow(ctx, openTwinSQL, pgx.StrictNamedArgs{
		"user": p.UserID, "account": p.AccountID, "market": string(p.Market), "side": string(p.Side),
	}).Scan(&twin)
	switch {
	case err == nil:
		return insertIdea(ctx, tx, runID, number, "duplicate", twin, "an open proposal already says the same", body)
	case !errors.Is(err, pgx.ErrNoRows):
		return err
	}
	if _, _, err := insertProposal(ctx, tx, p, actor); err != nil {
		return err
	}
	return insertIdea(ctx, tx, runID, number, "proposed", p.ID, "", body)
}

const insertIdeaSQL = `
	INSERT INTO interlock.scan_ideas (run_id, number, outcome, proposal_id, reason, body)
	VALUES (@run, @number, @outcome, nullif(@proposal, ''), @reason, @body)`

func insertIdea(ctx context.Context, tx pgx.Tx, runID string, number int, outcome, proposal, reason, body string) error {
	_, err := tx.Exec(ctx, insertIdeaSQL, pgx.StrictNamedArgs{
		"run": runID, "number": number, "outcome": outcome, "proposal": proposal, "reason": reason, "body": printable(body),
	})
	return err
}

func storedIdeas(ctx context.Context, q querier, runID string) (stored scan.Stored, err error) {
	ideas, err := all[view.ScanIdea](ctx, q, ideasSQL, pgx.StrictNamedArgs{"run": runID})
	for _, i := range ideas {
		switch i.Outcome {
		case "proposed":
			stored.Proposals = append(stored.Proposals, i.ProposalID)
		case "duplicate":
			stored.Duplicates++
		default:
			stored.Refused++
		}
	}
	return stored, err
}

// autoExecute reads the policy of this moment: a person may have switched it
// off while the model thought.
func autoExecute(ctx context.Context, tx pgx.Tx, j scan.Job, stored *scan.Stored) error {
	_, body, err := currentPolicy(ctx, tx, j.UserID, j.AccountID)
	if err != nil {
		return err
	}
	policy, err := trade.ParsePolicy(body)
	stored.Execute = err == nil && bool(policy.AutoExecute)
	return nil
}

const ideasSQL = `
	SELECT i.number, i.outcome, coalesce(i.proposal_id, '') AS proposal_id, coalesce(p.status, '') AS status, i.reason, i.body, i.stored_at
	FROM interlock.scan_ideas i LEFT JOIN interlock.trade_proposals p ON p.id = i.proposal_id
	WHERE i.run_id = @run ORDER BY i.number`

const runsSQL = `
	SELECT id, coalesce(snapshot, '') AS snapshot, coalesce(code, '') AS code, detail, due_times, started_at, ended_at
	FROM interlock.scan_runs WHERE job_id = @job ORDER BY started_at DESC LIMIT @most`

// ScanRuns lists a job's latest runs with their ideas, the newest first.
func (s *Store) ScanRuns(ctx context.Context, jobID string, most int) ([]view.ScanRun, error) {
	runs, err := all[view.ScanRun](ctx, s.pool, runsSQL, pgx.StrictNamedArgs{"job": jobID, "most": most})
	for i := range runs {
		if err != nil {
			break
		}
		runs[i].Ideas, err = all[view.ScanIdea](ctx, s.pool, ideasSQL, pgx.StrictNamedArgs{"run": runs[i].ID})
	}
	if err != nil {
		return nil, fmt.Errorf("runs of %s: %w", jobID, classify(err))
	}
	return runs, nil
}

// printable is foreign text as a column can hold it.
func printable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\x00", "?")
}

func joined(code, detail string) string {
	return printable(strings.TrimSuffix(strings.TrimSpace(code+" "+detail), " "))
}
