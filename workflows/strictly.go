package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"interlock/internal/trade"
)

// InvalidRequestType is the type of the error for a request that cannot be read.
const InvalidRequestType = "INVALID_REQUEST"

// strictly is a request from outside with what is wrong in how it is written.
// Decoding it never fails, so that whatever was sent gets an answer and no
// payload can stop a workflow task. Value is what encoding/json makes of it,
// whatever is wrong: histories were recorded with that.
type strictly[T any] struct {
	Value  T
	broken bool // not even encoding/json can read it
	wrong  error
}

// UnmarshalJSON notes what is wrong and never fails.
func (s *strictly[T]) UnmarshalJSON(data []byte) error {
	s.broken = json.Unmarshal(data, &s.Value) != nil
	var exact T
	s.wrong = trade.DecodeStrict(data, &exact)
	return nil
}

// problem is what is wrong, in one line; nil when nothing is.
func (s *strictly[T]) problem() error {
	switch {
	case s.wrong != nil:
		return errors.New(strings.ReplaceAll(s.wrong.Error(), "\n", "; "))
	case s.broken:
		return errors.New("the request is not what the contract says; send one JSON object")
	}
	return nil
}

// wellWritten is the validator of an update: what is wrongly written is refused
// before it enters history, and what check refuses too.
func wellWritten[T any](check func(T) error) func(workflow.Context, strictly[T]) error {
	return func(_ workflow.Context, s strictly[T]) error {
		if err := s.problem(); err != nil {
			return temporal.NewNonRetryableApplicationError(err.Error(), InvalidRequestType, nil)
		}
		return check(s.Value)
	}
}

// unlimited texts would end up in records and histories.
const (
	maxActor  = 100
	maxReason = 500
)

// checkTexts refuses an actor or a reason that no record keeps.
func checkTexts(actor, reason string) error {
	err := errors.Join(trade.CheckText("actor", actor, maxActor), trade.CheckText("reason", reason, maxReason))
	if err == nil {
		return nil
	}
	return temporal.NewNonRetryableApplicationError(fmt.Sprint(strings.ReplaceAll(err.Error(), "\n", "; ")), InvalidRequestType, nil)
}
