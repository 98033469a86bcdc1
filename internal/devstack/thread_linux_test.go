package devstack

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A death signal fires when the forking thread ends, so a child started from
// a goroutine whose thread is thrown away is the one that would die.
func TestChildSurvivesTheThreadThatAskedForIt(t *testing.T) {
	t.Parallel()
	thread := make(chan int)
	children := make(chan *process)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		child, err := start(sleeper(t, `trap "exit 7" TERM; while :; do sleep 0.05; done`))
		if err != nil {
			close(children)
			return
		}
		children <- child
		thread <- syscall.Gettid()
	}()
	child, ok := <-children
	require.True(t, ok)
	task := filepath.Join("/proc/self/task", strconv.Itoa(<-thread))
	require.Eventually(t, func() bool { _, err := os.Stat(task); return os.IsNotExist(err) }, patience, interval)
	require.False(t, child.exited())
	require.NoError(t, child.kill())
}
