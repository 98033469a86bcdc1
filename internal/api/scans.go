package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"interlock/internal/scan"
	"interlock/internal/trade"
	"interlock/internal/view"
)

type scanJobInput struct{ Body ScanJobBody }

// Resolve judges the body while it is decoded.
func (in *scanJobInput) Resolve(ctx huma.Context) []error {
	_, refusal := in.Body.job(whoAsks(ctx.Context()))
	return judgement(refusal)
}

type scanJobOutput struct {
	Status int
	Body   ScanJobView
}

// createScan stores a job: 201 when it is new, 200 when it was there. The row
// is the truth: the workers make its schedule if Temporal does not answer now.
func (s *server) createScan(ctx context.Context, in *scanJobInput) (*scanJobOutput, error) {
	who := whoAsks(ctx)
	j, refusal := in.Body.job(who)
	if refusal != nil {
		return nil, refusal
	}
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	err := s.Store.AddScanJob(bound, j, who.UserID)
	switch {
	case errors.Is(err, trade.ErrConflict):
		return s.sameScan(ctx, j)
	case errors.Is(err, trade.ErrInvalid):
		return nil, invalid(errors.New("the records refuse this scan job"))
	case err != nil:
		return nil, s.databaseFault("scan job not stored", err)
	}
	s.follow(ctx, j.ID, func(ctx context.Context) error { return s.Temporal.PutSchedule(ctx, j) })
	return &scanJobOutput{Status: http.StatusCreated, Body: scanJobOf(j)}, nil
}

// sameScan answers a job whose ID is taken: by itself, or by another.
func (s *server) sameScan(ctx context.Context, j scan.Job) (*scanJobOutput, error) {
	stored, refusal := s.ownScan(ctx, j.ID)
	switch {
	case refusal != nil && refusal.Status != http.StatusNotFound:
		return nil, refusal
	case refusal != nil || !reflect.DeepEqual(scanJobOf(scan.Job{Spec: stored.Spec}), scanJobOf(scan.Job{Spec: j.Spec})):
		return nil, problem(http.StatusConflict, ScanJobConflict, "id: %s is or was another scan job; use another ID", j.ID)
	}
	return &scanJobOutput{Status: http.StatusOK, Body: scanJobOf(stored)}, nil
}

// follow lets Temporal follow the records if that is quickly done; the workers
// do otherwise.
func (s *server) follow(ctx context.Context, id string, do func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startPatience)
	defer cancel()
	if err := do(ctx); err != nil {
		s.Log.Warn("the schedule is left to the workers", "job", id, "error", err)
	}
}

// ownScan reads a job of the user and account that ask. Another's is answered
// as if it did not exist.
func (s *server) ownScan(ctx context.Context, id string) (scan.Job, *Problem) {
	return s.scanIf(ctx, id, func(who view.Identity, user, account string) bool {
		return who.UserID == user && who.AccountID == account
	})
}

func (s *server) scanIf(ctx context.Context, id string, may func(who view.Identity, user, account string) bool) (scan.Job, *Problem) {
	if trade.CheckID("id", id) != nil {
		return scan.Job{}, errNoScanJob(id)
	}
	ctx, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	j, err := s.Store.ScanJob(ctx, id)
	switch {
	case errors.Is(err, trade.ErrNotFound), j.ID != "" && !may(whoAsks(ctx), j.UserID, j.AccountID):
		return scan.Job{}, errNoScanJob(id)
	case err != nil:
		return j, s.databaseFault("scan job not read", err)
	}
	return j, nil
}

// seenScan reads a job that is theirs who ask, or of a user of the account they
// operate.
func (s *server) seenScan(ctx context.Context, id string) (scan.Job, *Problem) {
	return s.scanIf(ctx, id, view.Identity.MaySee)
}

type listScansInput struct {
	UserID string `query:"userId" maxLength:"100" doc:"Whose; operators of the account only"`
}

type scanJobsOutput struct {
	Body struct {
		Scans []ScanJobView `json:"scans" nullable:"false"`
	}
}

func (s *server) listScans(ctx context.Context, in *listScansInput) (*scanJobsOutput, error) {
	user, refusal := s.whose(ctx, in.UserID)
	if refusal != nil {
		return nil, refusal
	}
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	jobs, err := s.Store.ScanJobsOf(bound, user, whoAsks(ctx).AccountID)
	if err != nil {
		return nil, s.databaseFault("scan jobs not read", err)
	}
	out := &scanJobsOutput{}
	out.Body.Scans = make([]ScanJobView, len(jobs))
	for i, j := range jobs {
		out.Body.Scans[i] = scanJobOf(j)
	}
	return out, nil
}

type getScanInput struct {
	ID   string `path:"id"`
	Runs int    `query:"runs" minimum:"1" maximum:"100" default:"10" doc:"How many of the latest runs"`
}

type scanOutput struct{ Body ScanView }

func (s *server) getScan(ctx context.Context, in *getScanInput) (*scanOutput, error) {
	j, refusal := s.seenScan(ctx, in.ID)
	if refusal != nil {
		return nil, refusal
	}
	bound, cancel := context.WithTimeout(ctx, recordsPatience)
	defer cancel()
	runs, err := s.Store.ScanRuns(bound, j.ID, in.Runs)
	if err != nil {
		return nil, s.databaseFault("runs not read", err)
	}
	return &scanOutput{Body: ScanView{Job: scanJobOf(j), Runs: runsOf(runs)}}, nil
}
