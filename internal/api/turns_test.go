package api

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/waittest"
)

func TestTurnsAreLimitedPerProposalAndForgottenAfterwards(t *testing.T) {
	var q turns
	ctx := t.Context()
	for range width {
		waited, err := q.take(ctx, "p")
		require.NoError(t, err)
		require.False(t, waited)
	}
	short, cancel := context.WithTimeout(ctx, time.Millisecond)
	defer cancel()
	_, err := q.take(short, "p")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	waited, err := q.take(ctx, "another")
	require.NoError(t, err)
	require.False(t, waited)
	q.give("another")

	got := make(chan bool)
	go func() {
		waited, _ := q.take(ctx, "p")
		got <- waited
	}()
	q.giveWhenWaitedFor(t, "p")
	require.True(t, <-got)
	for range width {
		q.give("p")
	}
	require.Empty(t, q.lanes)
}

// giveWhenWaitedFor gives once somebody waits beside those who have a turn.
func (t *turns) giveWhenWaitedFor(test *testing.T, id string) {
	test.Helper()
	waittest.Closely(test, "somebody to wait", func() error {
		t.mu.Lock()
		defer t.mu.Unlock()
		users := t.lanes[id].users
		return waittest.Is(users > width, "%d have a turn or wait for one", users)
	})
	t.give(id)
}
