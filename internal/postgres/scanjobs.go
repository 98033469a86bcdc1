package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"interlock/internal/scan"
)

// jobRow is a row of scan_jobs.
type jobRow struct {
	ID        string          `db:"id"`
	UserID    string          `db:"user_id"`
	AccountID string          `db:"account_id"`
	Revision  int             `db:"revision"`
	Body      json.RawMessage `db:"body"`
	Paused    bool            `db:"paused"`
	Note      string          `db:"note"`
}

func (r jobRow) job() (scan.Job, error) {
	j := scan.Job{ID: r.ID, UserID: r.UserID, AccountID: r.AccountID, Revision: r.Revision, Paused: r.Paused, Note: r.Note}
	if err := json.Unmarshal(r.Body, &j.Spec); err != nil {
		return j, fmt.Errorf("scan job %s: %w: %w", r.ID, ErrInvalid, err)
	}
	return j, nil
}

const jobColumns = `SELECT id, user_id, account_id, revision, body, paused, note FROM interlock.scan_jobs WHERE deleted_at IS NULL`

const insertJobSQL = `
	INSERT INTO interlock.scan_jobs (id, user_id, account_id, body) VALUES (@id, @user, @account, @body)
	ON CONFLICT (id) DO NOTHING`

// AddScanJob stores a job. ErrConflict when the ID is or was another's: runs
// and proposals are named after it, so it is never given twice.
func (s *Store) AddScanJob(ctx context.Context, j scan.Job, actor string) error {
	if err := j.Check(); err != nil {
		return fmt.Errorf("add scan job: %w: %w", ErrInvalid, err)
	}
	body, err := json.Marshal(j.Spec)
	if err != nil {
		return fmt.Errorf("add scan job: %w: %w", ErrInvalid, err)
	}
	return s.changeJob(ctx, j, "scan.added", actor, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, insertJobSQL, pgx.StrictNamedArgs{"id": j.ID, "user": j.UserID, "account": j.AccountID, "body": string(body)})
		if err == nil && tag.RowsAffected() == 0 {
			err = fmt.Errorf("%w: the ID is taken, or was by a deleted job", ErrConflict)
		}
		return err
	})
}

// ScanJob reads one job; ErrNotFound when there is none, or none any more.
func (s *Store) ScanJob(ctx context.Context, id string) (scan.Job, error) {
	r, err := one[jobRow](ctx, s.pool, jobColumns+` AND id = @id`, pgx.StrictNamedArgs{"id": id})
	if err != nil {
		return scan.Job{}, fmt.Errorf("scan job %s: %w", id, classify(err))
	}
	return r.job()
}

// ScanJobs lists the jobs of an account, of every account when it is empty. One
// that does not decode is an error.
func (s *Store) ScanJobs(ctx context.Context, account string) ([]scan.Job, error) {
	return s.scanJobs(ctx, ` AND (@account = '' OR account_id = @account) ORDER BY id`, pgx.StrictNamedArgs{"account": account})
}

// ScanJobsOf lists a user's jobs on an account.
func (s *Store) ScanJobsOf(ctx context.Context, user, account string) ([]scan.Job, error) {
	return s.scanJobs(ctx, ` AND user_id = @user AND account_id = @account ORDER BY id`, pgx.StrictNamedArgs{"user": user, "account": account})
}

func (s *Store) scanJobs(ctx context.Context, which string, args pgx.StrictNamedArgs) ([]scan.Job, error) {
	rows, err := all[jobRow](ctx, s.pool, jobColumns+which, args)
	if err != nil {
		return nil, fmt.Errorf("scan jobs: %w", classify(err))
	}
	jobs := make([]scan.Job, 0, len(rows))
	for _, r := range rows {
		j, err := r.job()
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

const deletedJobsSQL = `
	SELECT id FROM interlock.scan_jobs
	WHERE account_id = @account AND deleted_at > clock_timestamp() - interval '1 day' ORDER BY deleted_at DESC LIMIT 100`

// DeletedScanJobs lists the jobs of an account that were deleted within a day.
func (s *Store) DeletedScanJobs(ctx context.Context, account string) ([]string, error) {
	return s.ids(ctx, deletedJobsSQL, pgx.StrictNamedArgs{"account": account})
}

const pauseJobSQL = `UPDATE interlock.scan_jobs SET paused = @paused, note = @note WHERE id = @id AND deleted_at IS NULL`

// PauseScanJob pauses a job, or lets it go on, with a note. ErrNotFound when
// there is none.
func (s *Store) PauseScanJob(ctx context.Context, j scan.Job, paused bool, note, actor string) error {
	kind := "scan.resumed"
	if paused {
		kind = "scan.paused"
	}
	j.Paused, j.Note = paused, note
	return s.changeJob(ctx, j, kind, actor, func(tx pgx.Tx) error {
		return touched(tx.Exec(ctx, pauseJobSQL, pgx.StrictNamedArgs{"id": j.ID, "paused": paused, "note": note}))
	})
}

const deleteJobSQL = `UPDATE interlock.scan_jobs SET deleted_at = clock_timestamp() WHERE id = @id AND deleted_at IS NULL`

// DeleteScanJob ends a job; its records stay. ErrNotFound when there is none.
func (s *Store) DeleteScanJob(ctx context.Context, j scan.Job, actor string) error {
	return s.changeJob(ctx, j, "scan.deleted", actor, func(tx pgx.Tx) error {
		return touched(tx.Exec(ctx, deleteJobSQL, pgx.StrictNamedArgs{"id": j.ID}))
	})
}

func touched(tag interface{ RowsAffected() int64 }, err error) error {
	if err == nil && tag.RowsAffected() == 0 {
		return ErrNotFound
	}
	return err
}

func (s *Store) changeJob(ctx context.Context, j scan.Job, kind, actor string, change func(pgx.Tx) error) error {
	err := s.inTx(ctx, func(tx pgx.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return appendAudit(ctx, tx, event{Chain: j.AccountID, Kind: kind, User: j.UserID, Actor: actor, Body: j})
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", kind, j.ID, err)
	}
	return nil
}

const droppedSQL = `SELECT overlaps_seen, missed_seen FROM interlock.scan_jobs WHERE id = @id FOR UPDATE`

const recordDroppedSQL = `
	INSERT INTO interlock.scan_runs (id, job_id, revision, code, detail, due_times, ended_at)
	VALUES (@id, @job, @revision, @code, @detail, @times, clock_timestamp())`

// RecordDropped records the due times that a schedule has dropped since the
// last record: overlaps and missed are its own counts, which only grow, or
// start again when the schedule was made again. It returns how many are new.
func (s *Store) RecordDropped(ctx context.Context, j scan.Job, overlaps, missed int64) (skipped, late int64, err error) {
	err = s.inTx(ctx, func(tx pgx.Tx) error {
		var o, m int64
		if err := tx.QueryRow(ctx, droppedSQL, pgx.StrictNamedArgs{"id": j.ID}).Scan(&o, &m); err != nil || (o == overlaps && m == missed) {
			return err
		}
		skipped, late = since(overlaps, o), since(missed, m)
		for _, d := range []struct {
			code  scan.Code
			times int64
		}{{scan.Skipped, skipped}, {scan.Missed, late}} {
			if err := recordDropped(ctx, tx, j, d.code, d.times); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `UPDATE interlock.scan_jobs SET overlaps_seen = @o, missed_seen = @m WHERE id = @id`,
			pgx.StrictNamedArgs{"id": j.ID, "o": overlaps, "m": missed})
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("record dropped scans of %s: %w", j.ID, err)
	}
	return skipped, late, nil
}

func since(now, before int64) int64 {
	if now < before {
		return now
	}
	return now - before
}

func recordDropped(ctx context.Context, tx pgx.Tx, j scan.Job, code scan.Code, times int64) error {
	if times == 0 {
		return nil
	}
	id := fmt.Sprintf("scan-%s.%s.%s", j.ID, strings.ToLower(string(code)), time.Now().UTC().Format("2006-01-02T15:04:05.000000000Z"))
	_, err := tx.Exec(ctx, recordDroppedSQL, pgx.StrictNamedArgs{
		"id": id, "job": j.ID, "revision": j.Revision, "code": string(code), "times": times,
		"detail": fmt.Sprintf("%d due times were not scanned", times),
	})
	return err
}
