package simulation

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a run can be found to have broken.
const (
	twoOrders = "a second order under one client order ID"
	lostOrder = "exists, and the attempt is"
	lateBegin = "although trading was"
)

// finds requires that taking locks off is noticed while a fault strikes often,
// and that it is not noticed with one of them on: without the lock that the
// test is about, only the others are off, which would otherwise hide it.
func finds(t *testing.T, what, focus string, without, others locks) {
	t.Helper()
	t.Parallel()
	const enough = 1000
	broke := func(n uint64, off locks) string {
		return strings.Join(simulate(*seed+n, off, focus, false).broken, "\n")
	}
	for n := range uint64(enough) {
		broken := broke(n, without)
		if !strings.Contains(broken, what) {
			continue
		}
		t.Logf("found by run %d: %s", n+1, broken)
		for n := range max(n+1, 30) {
			require.NotContains(t, broke(n, others), what, "seed %d, with the lock on", *seed+n)
		}
		return
	}
	t.Fatalf("%d runs did not find %q", enough, what)
}

func TestSimulationFindsADoubleOrderWithoutTheUniqueClaim(t *testing.T) {
	finds(t, twoOrders, "placed, no reply", locks{claimNotUnique: true, blindSend: true}, locks{blindSend: true})
}

func TestSimulationFindsADoubleOrderWithoutTheAttemptRow(t *testing.T) {
	finds(t, twoOrders, frozenPlacing, locks{noRow: true, blindSend: true}, locks{blindSend: true})
}

func TestSimulationFindsADoubleOrderWithoutVoidOnConclusion(t *testing.T) {
	others := locks{attemptsOverlap: true, alwaysAllowed: true, blindSend: true}
	without := others
	without.noVoid = true
	finds(t, twoOrders, frozenPlacing, without, others)
}

func TestSimulationFindsADoubleOrderWhenAnUnknownReplyIsSentAgain(t *testing.T) {
	finds(t, twoOrders, "placed, no reply", locks{repost: true}, locks{})
}

func TestSimulationFindsADoubleOrderWhenATimeoutCountsAsFailed(t *testing.T) {
	finds(t, twoOrders, "reply delayed", locks{timeoutFails: true, blindSend: true}, locks{blindSend: true})
}

func TestSimulationFindsALostOrderWhenATimeoutCountsAsFailed(t *testing.T) {
	finds(t, lostOrder, "reply delayed", locks{timeoutFails: true}, locks{})
}

func TestSimulationFindsADoubleOrderWithoutTheSignedDeadline(t *testing.T) {
	finds(t, twoOrders, "delayed beyond everything", locks{noWindow: true, blindSend: true}, locks{blindSend: true})
}

func TestSimulationFindsALostOrderWithoutTheSignedDeadline(t *testing.T) {
	finds(t, lostOrder, "delayed beyond everything", locks{noWindow: true}, locks{})
}

func TestSimulationFindsALostOrderWhenOneLookIsEnough(t *testing.T) {
	finds(t, lostOrder, lateReplica, locks{oneLook: true}, locks{})
}

func TestSimulationFindsALostOrderWhenALookBeforeTheDeadlineCounts(t *testing.T) {
	finds(t, lostOrder, placedAfterReply, locks{lookEarly: true}, locks{})
}

func TestSimulationFindsAnAttemptInAHaltThatIsReadWithoutItsLock(t *testing.T) {
	finds(t, lateBegin, "", locks{haltUnlocked: true}, locks{})
}

func TestSimulationFindsADoubleOrderWhenAWordIsTakenTooEarly(t *testing.T) {
	finds(t, twoOrders, wrongWord, locks{earlyWord: true}, locks{})
}
