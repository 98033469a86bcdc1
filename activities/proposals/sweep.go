package proposals

import (
	"context"
	"errors"
	"time"

	"interlock/internal/trade"
)

// Sweep is the name under which the activity is registered.
const Sweep = "Sweep"

// Open is what is stored and not over.
type Open interface {
	DueProposals(ctx context.Context, most int) ([]string, error)
	OpenExecutions(ctx context.Context, age time.Duration, most int) ([]string, error)
	MayTell(ctx context.Context, proposalID string) (bool, error)
	UnseenProposals(ctx context.Context, age time.Duration, most int) ([]string, error)
	SeenWorkflow(ctx context.Context, proposalID string) error
	Expire(ctx context.Context, proposalID string) (trade.Status, error)
}

// Lives is what runs.
type Lives interface {
	// Ensure makes sure that a proposal's workflow runs and reports whether it
	// had to be started.
	Ensure(ctx context.Context, proposalID string) (started bool, err error)
	// Refresh tells a running workflow to read its truth again.
	Refresh(ctx context.Context, proposalID string) error
}

// Sweeper finds what is open without anybody living it.
type Sweeper struct {
	Open  Open
	Lives Lives
}

// SweepResult counts what a sweep mended.
type SweepResult struct {
	Expired   int `json:"expired"`
	Started   int `json:"started"`
	Refreshed int `json:"refreshed"`
}

const (
	sweepBatch   = 500
	orphanAge    = 10 * time.Second // a claim this old must have a running workflow
	unseenMinAge = 5 * time.Minute
)

// Sweep mends one batch. It fails when anything could not be mended, after
// trying everything.
func (s *Sweeper) Sweep(ctx context.Context) (SweepResult, error) {
	var r SweepResult
	return r, errors.Join(s.expire(ctx, &r), s.follow(ctx, &r), s.start(ctx, &r))
}

func (s *Sweeper) expire(ctx context.Context, r *SweepResult) error {
	return each(ctx, func() ([]string, error) { return s.Open.DueProposals(ctx, sweepBatch) }, func(id string) error {
		status, err := s.Open.Expire(ctx, id)
		if status == trade.Expired {
			r.Expired++
		}
		return err
	})
}

// follow restarts the workflows of claims. A restarted one finishes by
// looking; one that runs but does not know of its claim is told. So is one that
// waits for a worker, which does nothing then: the rows say how often.
func (s *Sweeper) follow(ctx context.Context, r *SweepResult) error {
	return each(ctx, func() ([]string, error) { return s.Open.OpenExecutions(ctx, orphanAge, sweepBatch) }, func(id string) error {
		started, err := s.Lives.Ensure(ctx, id)
		if err != nil || started {
			r.Started += one(started)
			return err
		}
		tell, err := s.Open.MayTell(ctx, id)
		if err != nil || !tell {
			return err
		}
		r.Refreshed++
		return s.Lives.Refresh(ctx, id)
	})
}

func (s *Sweeper) start(ctx context.Context, r *SweepResult) error {
	return each(ctx, func() ([]string, error) { return s.Open.UnseenProposals(ctx, unseenMinAge, sweepBatch) }, func(id string) error {
		started, err := s.Lives.Ensure(ctx, id)
		if err != nil {
			return err
		}
		r.Started += one(started)
		return s.Open.SeenWorkflow(ctx, id)
	})
}

func each(ctx context.Context, list func() ([]string, error), do func(string) error) error {
	ids, err := list()
	for _, id := range ids {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err = errors.Join(err, do(id))
	}
	return err
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
