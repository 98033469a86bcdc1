package main

import (
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"

	"interlock/internal/trade"
	"interlock/workflows"
)

// oneAnswer bounds one request, so that one that was lost is made again.
const oneAnswer = time.Minute

// measured are the blocks of a machine that is too busy to keep the price and
// the measure of the clocks.
var measured = []trade.Code{trade.ClockSkew, trade.PriceStale}

// busy reports whether nothing but the machine stands against a claim.
func busy(blocks []trade.Block) bool {
	return len(blocks) > 0 && !slices.ContainsFunc(blocks, func(b trade.Block) bool { return !slices.Contains(measured, b.Code) })
}

// execute asks until the answer is about the proposal, and not the machine.
func (s *stack) execute(id string) (result workflows.ExecuteResult) {
	s.t.Helper()
	s.eventually("an answer about "+id, func() bool {
		var err error
		if result, err = s.ask(id, workflows.ExecuteRequest{}); err != nil {
			s.t.Logf("%s was not answered: %v", id, err)
		}
		return err == nil && !busy(result.Blocks)
	})
	return result
}

// executes asks for a proposal and returns the answer once it is executed: on
// a busy machine that is after the answer.
func (s *stack) executes(id string) workflows.ExecuteResult {
	s.t.Helper()
	result := s.execute(id)
	s.becomes(id, trade.Executed)
	return result
}

// decided asks under one request ID until there is an answer: asked again, it
// is the same request.
func (s *stack) decided(id string) (result workflows.ExecuteResult) {
	s.t.Helper()
	request := uuid.NewString()
	s.eventually("an answer about "+id, func() bool {
		var err error
		result, err = s.askAs(ctx, request, id, workflows.ExecuteRequest{})
		request = next(request, result, err)
		return err == nil && !busy(result.Blocks)
	})
	return result
}

// next is the ID to ask under after an answer. What the workflow has answered
// once it answers again under the same ID: that it could not reach the
// database, or that nothing but the machine stands against a claim.
func next(request string, result workflows.ExecuteResult, err error) string {
	var failed *temporal.ApplicationError
	var inActivity *temporal.ActivityError
	var late *temporal.TimeoutError
	if busy(result.Blocks) || errors.As(err, &failed) || errors.As(err, &inActivity) || errors.As(err, &late) {
		return uuid.NewString()
	}
	return request
}

// again asks once more for what failed because the machine was too late for an
// attempt.
func (s *stack) again(id string) {
	s.t.Helper()
	if !s.tooLate(id) {
		return
	}
	s.t.Logf("%s: too late on this machine for another attempt, asked again", id)
	_, _ = s.ask(id, workflows.ExecuteRequest{}) // what came of it is read
}

const tooLateSQL = `
	SELECT count(*) FROM interlock.trade_proposals p JOIN interlock.trade_executions e ON e.proposal_id = p.id
	WHERE p.id = $1 AND p.status = 'FAILED' AND p.failure_code IN ('EXCHANGE_UNAVAILABLE', 'PRICE_STALE')
		AND e.ended_at - e.claimed_at > $2::interval - interval '3 s'`

// tooLate reports whether a proposal failed because no attempt could begin in
// time any more, or not before its price was old; what fails earlier has no
// such excuse.
func (s *stack) tooLate(id string) bool {
	var n int
	err := s.query(tooLateSQL, &n, id, trade.SendWithin.String())
	return err == nil && n == 1 // an error may be a connection that the test has cut
}
