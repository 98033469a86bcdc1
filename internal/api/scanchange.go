package api

import (
	"context"
	"errors"
	"net/http"

	"interlock/internal/scan"
	"interlock/internal/trade"
)

// NoteBody says why a job is paused or goes on.
type NoteBody struct {
	Note string `json:"note" minLength:"1" maxLength:"500" doc:"Why; kept with the job and in the audit"`
}

type noteInput struct {
	ID   string `path:"id"`
	Body NoteBody
}

// pauseScan writes the row first: no scan of a paused job looks at anything,
// whatever its schedule does.
func (s *server) pauseScan(ctx context.Context, in *noteInput) (*scanJobOutput, error) {
	j, refusal := s.ownScan(ctx, in.ID)
	if refusal == nil {
		j.Paused, j.Note = true, in.Body.Note
		refusal = s.notePause(ctx, j)
	}
	if refusal != nil {
		return nil, refusal
	}
	s.follow(ctx, j.ID, func(ctx context.Context) error { return s.Temporal.PauseSchedule(ctx, j) })
	return &scanJobOutput{Status: http.StatusOK, Body: scanJobOf(j)}, nil
}

// resumeScan lets the schedule go on first: a worker takes one that is paused
// for a person's wish. It does so again after the row, in case one just did.
func (s *server) resumeScan(ctx context.Context, in *noteInput) (*scanJobOutput, error) {
	j, refusal := s.ownScan(ctx, in.ID)
	if refusal != nil {
		return nil, refusal
	}
	j.Paused, j.Note = false, in.Body.Note
	resume := func(ctx context.Context) error { return s.Temporal.PauseSchedule(ctx, j) }
	if refusal := s.scheduled(ctx, j.ID, resume); refusal != nil {
		return nil, refusal
	}
	if refusal := s.notePause(ctx, j); refusal != nil {
		return nil, refusal
	}
	s.follow(ctx, j.ID, resume)
	return &scanJobOutput{Status: http.StatusOK, Body: scanJobOf(j)}, nil
}

func (s *server) notePause(ctx context.Context, j scan.Job) *Problem {
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	return s.changed(j.ID, s.Store.PauseScanJob(bound, j, j.Paused, j.Note, whoAsks(ctx).UserID))
}

func (s *server) changed(id string, err error) *Problem {
	switch {
	case errors.Is(err, trade.ErrNotFound):
		return errNoScanJob(id)
	case err != nil:
		return s.databaseFault("scan job not changed", err)
	}
	return nil
}

// scheduled insists on what only Temporal can do.
func (s *server) scheduled(ctx context.Context, id string, do func(context.Context) error) *Problem {
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	if err := do(bound); err != nil {
		s.Log.Warn("schedule was not answered", "job", id, "error", err)
		return errWorkflows()
	}
	return nil
}

type triggerInput struct {
	ID string `path:"id"`
}

func (s *server) triggerScan(ctx context.Context, in *triggerInput) (*scanJobOutput, error) {
	j, refusal := s.ownScan(ctx, in.ID)
	switch {
	case refusal != nil:
		return nil, refusal
	case j.Paused:
		return nil, problem(http.StatusConflict, string(scan.JobPaused), "%s is paused (%s); resume it first", j.ID, j.Note)
	}
	if refusal := s.scheduled(ctx, j.ID, func(ctx context.Context) error { return s.Temporal.TriggerSchedule(ctx, j.ID) }); refusal != nil {
		return nil, refusal
	}
	return &scanJobOutput{Status: http.StatusAccepted, Body: scanJobOf(j)}, nil
}

type deleteScanInput struct {
	ID     string `path:"id"`
	Reason string `query:"reason" required:"true" minLength:"1" maxLength:"500" doc:"Why; kept in the audit"`
}

type deletedOutput struct{ Body ScanJobView }

// deleteScan writes the row first: no scan of a deleted job looks at anything,
// and the workers remove a schedule that is left.
func (s *server) deleteScan(ctx context.Context, in *deleteScanInput) (*deletedOutput, error) {
	j, refusal := s.ownScan(ctx, in.ID)
	if refusal != nil {
		return nil, refusal
	}
	j.Note = in.Reason
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	if refusal := s.changed(j.ID, s.Store.DeleteScanJob(bound, j, whoAsks(ctx).UserID)); refusal != nil {
		return nil, refusal
	}
	s.follow(ctx, j.ID, func(ctx context.Context) error { return s.Temporal.DeleteSchedule(ctx, j.ID) })
	return &deletedOutput{Body: scanJobOf(j)}, nil
}
