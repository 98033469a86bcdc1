package devstack

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/waittest"
)

// A death signal fires when the forking thread ends, so a child started from
// a goroutine whose thread is thrown away is the one that would die.
func TestChildSurvivesTheThreadThatAskedForIt(t *testing.T) {
	t.Parallel()
	var child *process
	var startErr error
	thread := onPassingThread(func() {
		child, startErr = start(sleeper(t, `trap "exit 7" TERM; while :; do sleep 0.05; done`))
	})
	require.NoError(t, startErr)
	task := filepath.Join("/proc/self/task", strconv.Itoa(thread))
	waittest.Until(t, "the end of the thread", func() error {
		_, err := os.Stat(task)
		return waittest.Is(os.IsNotExist(err), "thread %d is there (error %v)", thread, err)
	})
	require.False(t, child.exited())
	require.NoError(t, child.kill())
}

// onPassingThread runs do on a thread that ends afterwards, and returns which.
// The process's first thread never ends, so a goroutine that lands on it holds
// it back while another one does the work.
func onPassingThread(do func()) int {
	done := make(chan int)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if syscall.Gettid() == os.Getpid() {
			defer runtime.UnlockOSThread()
			done <- onPassingThread(do)
			return
		}
		do()
		done <- syscall.Gettid()
	}()
	return <-done
}
