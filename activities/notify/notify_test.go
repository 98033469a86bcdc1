package notify

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/outbox"
	"interlock/internal/trade"
)

// waiting are deliveries of one rule, and what was written of them.
type waiting struct {
	events  []int64
	attempt int
	told    []int64
	failed  map[int64]string
	pause   time.Duration
	last    bool
	err     error
}

func (w *waiting) DueRules(context.Context, []string, int) ([]string, error) { return nil, w.err }

func (w *waiting) TakeDelivery(_ context.Context, rule string, _ int, _ time.Duration) (outbox.Delivery, error) {
	if w.err != nil {
		return outbox.Delivery{}, w.err
	}
	if len(w.events) == 0 {
		return outbox.Delivery{}, trade.ErrNotFound
	}
	id := w.events[0]
	w.events = w.events[1:]
	return outbox.Delivery{Event: outbox.Event{ID: id}, RuleID: rule, Attempt: w.attempt}, nil
}

func (w *waiting) Delivered(_ context.Context, id int64, _ string) error {
	w.told = append(w.told, id)
	return nil
}

func (w *waiting) NotDelivered(_ context.Context, id int64, _, why string, pause time.Duration, last bool) error {
	w.failed = map[int64]string{id: why}
	w.pause, w.last = pause, last
	return nil
}

// voice sends as it is told to.
type voice func(id int64) error

func (v voice) Send(_ context.Context, d outbox.Delivery) error { return v(d.ID) }

func refuses(these ...int64) voice {
	return func(id int64) error {
		if slices.Contains(these, id) {
			return errors.New("it answered 500")
		}
		return nil
	}
}

func TestAFailureHoldsUpNoOtherEventButSomeInARowDo(t *testing.T) {
	t.Parallel()
	w := &waiting{events: []int64{1, 2, 3, 4, 5, 6, 7, 8}, attempt: 3}
	r, err := (&Activities{Deliveries: w, Sender: refuses(2, 3, 5, 6, 7)}).Deliver(t.Context(), "r")
	require.NoError(t, err)
	require.Equal(t, Report{Delivered: 2, Failed: 5}, r)
	require.Equal(t, []int64{1, 4}, w.told)
	require.Equal(t, map[int64]string{7: "it answered 500"}, w.failed)
	require.Equal(t, 9*time.Second, w.pause)
	require.False(t, w.last)
	require.Equal(t, []int64{8}, w.events, "who does not listen is not shouted at")
}

func TestTheLastTryIsTheLast(t *testing.T) {
	t.Parallel()
	w := &waiting{events: []int64{1}, attempt: Tries}
	_, err := (&Activities{Deliveries: w, Sender: refuses(1)}).Deliver(t.Context(), "r")
	require.NoError(t, err)
	require.True(t, w.last)
}

func TestATryThatWasCutOffIsNoFailure(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	w := &waiting{events: []int64{1}, attempt: 1}
	_, err := (&Activities{Deliveries: w, Sender: voice(func(int64) error { stop(); return ctx.Err() })}).Deliver(ctx, "r")
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, w.failed)
	require.Empty(t, w.told)
}

func TestADatabaseThatIsAwayIsAnErrorAndNotSilence(t *testing.T) {
	t.Parallel()
	away := errors.New("connection refused")
	a := &Activities{Deliveries: &waiting{err: away}, Sender: refuses(0)}
	_, err := a.Deliver(t.Context(), "r")
	require.ErrorIs(t, err, away)
	_, err = a.DueRules(t.Context(), nil)
	require.ErrorIs(t, err, away)
}

func TestOneRuleIsNotToldForEver(t *testing.T) {
	t.Parallel()
	w := &waiting{events: make([]int64, 2*mostSent), attempt: 1}
	r, err := (&Activities{Deliveries: w, Sender: refuses(-1)}).Deliver(t.Context(), "r")
	require.NoError(t, err)
	require.Equal(t, mostSent, r.Delivered)
}

func TestTriesAreMadeForADay(t *testing.T) {
	t.Parallel()
	var all time.Duration
	for attempt := 1; attempt < Tries; attempt++ {
		require.LessOrEqual(t, Pause(attempt), time.Hour)
		require.GreaterOrEqual(t, Pause(attempt+1), Pause(attempt))
		all += Pause(attempt)
	}
	require.InDelta(t, 24, all.Hours(), 1)
}
