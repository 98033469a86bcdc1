package devstack

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// watched runs a child whose database gives answers in turn, the last for ever,
// and returns how many were asked for when the watch was over.
func watched(t *testing.T, answers ...error) (asked int, said string) {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	child, err := start(command{name: "temporal", path: sleep, args: []string{"1000"}, log: t.TempDir() + "/log"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, child.kill()) })
	var progress bytes.Buffer
	server := &Temporal{cfg: TemporalConfig{Progress: &progress}}
	server.watch(t.Context(), child, time.Millisecond, func(context.Context) error {
		asked++
		if asked > len(answers) {
			require.NoError(t, child.kill())
			return nil
		}
		return answers[asked-1]
	})
	return asked, progress.String()
}

func TestAServerWhoseDatabaseIsStuckIsEnded(t *testing.T) {
	t.Parallel()
	stuck, other := errors.New("GetNamespace operation failed. Error interrupted (9)"), errors.New("deadline exceeded")
	asked, said := watched(t, stuck, nil, stuck, stuck, other, stuck, stuck, stuck, nil)
	require.Equal(t, 8, asked, "three in a row, and no more")
	require.Equal(t, "Temporal: its database is stuck (interrupted), ending it\n", said)
}

func TestAServerThatIsMerelySlowIsLeftAlone(t *testing.T) {
	t.Parallel()
	slow := errors.New("deadline exceeded")
	asked, said := watched(t, slow, slow, slow, slow, slow)
	require.Equal(t, 6, asked, "until it ended by itself")
	require.Empty(t, said)
}
