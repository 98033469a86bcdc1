package leaktest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestAGoroutineThatGoesOnIsFoundAndOneThatEndsIsWaitedFor(t *testing.T) {
	before := goleak.IgnoreCurrent()
	over := make(chan struct{})
	go func() { <-over }()
	require.ErrorContains(t, left(0, before), "TestAGoroutineThatGoesOn")
	close(over)
	require.NoError(t, left(timeout, before))
}
