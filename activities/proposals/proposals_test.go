package proposals

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"interlock/internal/trade"
)

func TestOnlyABrokenStoreIsAskedAgain(t *testing.T) {
	for err, kind := range map[error]string{trade.ErrNotFound: NotFoundType, trade.ErrConflict: BugType, trade.ErrInvalid: BugType} {
		var refusal *temporal.ApplicationError
		require.ErrorAs(t, final(err), &refusal)
		require.True(t, refusal.NonRetryable())
		require.Equal(t, kind, refusal.Type())
	}
	broken := errors.New("connection reset")
	require.Equal(t, broken, final(broken))
	require.NoError(t, final(nil))
}

// house is what is stored and what runs, for the sweep.
type house struct {
	due, open, unseen []string
	running           map[string]bool
	silent            bool
	failOn            string
	expired, seen     []string
	started, woken    []string
}

func (h *house) DueProposals(context.Context, int) ([]string, error) { return h.due, nil }

func (h *house) OpenExecutions(context.Context, time.Duration, int) ([]string, error) {
	return h.open, nil
}

func (h *house) MayTell(context.Context, string) (bool, error) { return h.silent, nil }

func (h *house) UnseenProposals(context.Context, time.Duration, int) ([]string, error) {
	return h.unseen, nil
}

func (h *house) SeenWorkflow(_ context.Context, id string) error {
	h.seen = append(h.seen, id)
	return nil
}

func (h *house) Expire(_ context.Context, id string) (trade.Status, error) {
	h.expired = append(h.expired, id)
	return trade.Expired, nil
}

func (h *house) Ensure(_ context.Context, id string) (bool, error) {
	if id == h.failOn {
		return false, errors.New("temporal is down")
	}
	if h.running[id] {
		return false, nil
	}
	h.started = append(h.started, id)
	return true, nil
}

func (h *house) Refresh(_ context.Context, id string) error {
	h.woken = append(h.woken, id)
	return nil
}

func TestSweepMendsWhatNobodyLives(t *testing.T) {
	h := &house{
		due: []string{"old"}, open: []string{"orphan", "living"}, unseen: []string{"foreign"},
		running: map[string]bool{"living": true},
	}
	r, err := (&Sweeper{Open: h, Lives: h}).Sweep(context.Background())
	require.NoError(t, err)
	require.Equal(t, SweepResult{Expired: 1, Started: 2}, r)
	require.Equal(t, []string{"orphan", "foreign"}, h.started)
	require.Equal(t, []string{"foreign"}, h.seen)
	require.Empty(t, h.woken)
}

func TestSweepWakesARunThatDoesNotKnowItsClaim(t *testing.T) {
	h := &house{open: []string{"living"}, running: map[string]bool{"living": true}, silent: true}
	r, err := (&Sweeper{Open: h, Lives: h}).Sweep(context.Background())
	require.NoError(t, err)
	require.Equal(t, SweepResult{Refreshed: 1}, r)
}

func TestSweepLeavesARunAloneThatTheRowsSayMustNotBeTold(t *testing.T) {
	h := &house{open: []string{"living"}, running: map[string]bool{"living": true}}
	_, err := (&Sweeper{Open: h, Lives: h}).Sweep(context.Background())
	require.NoError(t, err)
	require.Empty(t, h.woken)
}

func TestSweepTriesEverythingAndReportsWhatFailed(t *testing.T) {
	h := &house{open: []string{"bad", "good"}, failOn: "bad", unseen: []string{"bad", "foreign"}}
	r, err := (&Sweeper{Open: h, Lives: h}).Sweep(context.Background())
	require.ErrorContains(t, err, "temporal is down")
	require.Equal(t, 2, r.Started)
	require.Equal(t, []string{"foreign"}, h.seen, "one that could not be started stays unseen")
}
