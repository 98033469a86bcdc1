package devstack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Info is what a running stack tells other commands about itself. It may hold
// a password, so only its owner can read the file.
type Info struct {
	PID     int               `json:"pid"`
	Started time.Time         `json:"started,omitzero"`
	URLs    map[string]string `json:"urls,omitempty"`
}

// LockedError says that another stack runs on the state folder.
type LockedError struct {
	Dir  string
	PID  int
	Info Info // without URLs while that stack still starts
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("a stack is already running on %s (pid %d): use it, stop it, or choose another state folder", e.Dir, e.PID)
}

// ErrNotRunning is ReadInfo's answer when no stack runs on the folder.
var ErrNotRunning = errors.New("no stack is running on this state folder")

// StateLock is the hold of one process on a state folder.
type StateLock struct {
	dir  string
	file io.Closer
}

const (
	lockName = "stack.lock"
	infoName = "stack.json"

	// A reader holds the lock for an instant, also on a machine that is busy;
	// an owner for longer than this.
	readerGone = 3 * time.Second
)

// Lock takes the state folder, making it if need be, or answers *LockedError.
// The hold ends with Release or with the process, however it ends.
func Lock(dir string) (*StateLock, error) {
	if err := makeDir(dir); err != nil {
		return nil, folderProblem(dir, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), readerGone)
	defer cancel()
	file, err := waitLock(ctx, filepath.Join(dir, lockName))
	if errors.Is(err, context.DeadlineExceeded) {
		info, _ := parseInfo(dir) // the lock is what counts; the file may lag
		return nil, &LockedError{Dir: dir, PID: info.PID, Info: info}
	}
	if err != nil {
		return nil, folderProblem(dir, err)
	}
	l := &StateLock{dir: dir, file: file}
	if err := l.Publish(Info{}); err != nil {
		return nil, folderProblem(dir, errors.Join(err, l.Release()))
	}
	return l, nil
}

// Publish replaces what ReadInfo and a second Lock see, at once and whole. The
// PID is filled in.
func (l *StateLock) Publish(info Info) error {
	info.PID = os.Getpid()
	text, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return fmt.Errorf("publish %s: %w", infoName, err)
	}
	path := filepath.Join(l.dir, infoName)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("publish %s: %w", infoName, err)
	}
	return os.Rename(path+".new", path)
}

// Release lets go of the folder. What was published is removed.
func (l *StateLock) Release() error {
	err := os.Remove(filepath.Join(l.dir, infoName))
	return errors.Join(err, l.file.Close())
}

// ReadInfo returns what the stack running on dir has published. A file left
// by one that was killed is ErrNotRunning, as is no file.
func ReadInfo(dir string) (Info, error) {
	f, err := os.Open(filepath.Join(dir, lockName))
	if errors.Is(err, os.ErrNotExist) {
		return Info{}, ErrNotRunning
	}
	if err != nil {
		return Info{}, err
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return Info{}, ErrNotRunning
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return Info{}, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
	return parseInfo(dir)
}

func parseInfo(dir string) (Info, error) {
	text, err := os.ReadFile(filepath.Join(dir, infoName))
	if err != nil {
		return Info{}, err
	}
	var info Info
	if err := json.Unmarshal(text, &info); err != nil {
		return Info{}, fmt.Errorf("read %s: %w", infoName, err)
	}
	return info, nil
}
