package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

var errHeld = errors.New("held by another process")

// tryLock takes the lock file at path, or answers errHeld. The kernel lets go
// of it when the holder dies, so a file that is merely left behind means
// nothing.
func tryLock(path string) (io.Closer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return held{f}, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errHeld
	}
	return nil, &os.PathError{Op: "lock", Path: path, Err: err}
}

// held is a lock file that is locked until Close.
type held struct{ file *os.File }

// Close unlocks before it closes: a process that is just being started, for
// anything, has the file open too until its program begins.
func (h held) Close() error {
	return errors.Join(syscall.Flock(int(h.file.Fd()), syscall.LOCK_UN), h.file.Close())
}

// waitLock takes the lock at path as soon as its holder lets go.
func waitLock(ctx context.Context, path string) (io.Closer, error) {
	var lock io.Closer
	err := poll(ctx, 20*time.Millisecond, func() (bool, error) {
		var err error
		if lock, err = tryLock(path); errors.Is(err, errHeld) {
			return false, nil
		}
		return true, err
	})
	return lock, err
}

// withLast adds what the last try said to the end of waiting.
func withLast(err, last error) error {
	if err == nil || last == nil {
		return err
	}
	return fmt.Errorf("%w: %w", err, last)
}

// poll asks every interval until done, a failure, or the end of ctx.
func poll(ctx context.Context, every time.Duration, ask func() (done bool, err error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if done, err := ask(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
