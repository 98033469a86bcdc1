package devstack

import (
	"runtime"
	"sync"
)

type forkRequest struct {
	fork func() error
	done chan<- error
}

// The kernel's parent death signal is tied to the thread that forked, not to
// the process, and the Go runtime ends idle threads as it likes. So all forks
// happen on one thread that lasts as long as the process.
var forks = sync.OnceValue(func() chan<- forkRequest {
	requests := make(chan forkRequest)
	go func() {
		runtime.LockOSThread()
		for r := range requests {
			r.done <- r.fork()
		}
	}()
	return requests
})

func onLastingThread(fork func() error) error {
	done := make(chan error, 1)
	forks() <- forkRequest{fork, done}
	return <-done
}
