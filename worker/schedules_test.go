package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSlowTemporalDoesNotEndAServingWorker(t *testing.T) {
	t.Parallel()
	failure, calls := errors.New("context deadline exceeded"), 0
	failing := func(times int) func(context.Context) error {
		calls = 0
		return func(context.Context) error {
			if calls++; calls <= times {
				return failure
			}
			return nil
		}
	}
	require.NoError(t, insist(t.Context(), time.Minute, time.Millisecond, failing(3)))
	require.Equal(t, 4, calls)
	require.ErrorIs(t, insist(t.Context(), 0, time.Millisecond, failing(1<<30)), failure, "but it does not hide for ever")

	stopped, stop := context.WithCancel(t.Context())
	require.NoError(t, insist(stopped, time.Minute, time.Hour, func(context.Context) error { stop(); return failure }), "told to stop")
}
