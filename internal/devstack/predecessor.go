package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopPredecessor ends the servers that a killed process left on data. The
// caller holds the folder's lock, so whoever still serves it is an orphan.
// The pid file goes too: its number may belong to an innocent program by now,
// and PostgreSQL would then refuse to start.
func stopPredecessor(ctx context.Context, data string, progress io.Writer) error {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		pids := serversOn(data)
		if len(pids) == 0 {
			break
		}
		fmt.Fprintf(progress, "PostgreSQL: ending a server that a killed process left behind (pid %d)\n", pids[0])
		if err := endServers(ctx, data, pids, sig); err != nil {
			return err
		}
	}
	if pids := serversOn(data); len(pids) > 0 {
		return fmt.Errorf("a PostgreSQL server (pid %d) still serves %s and does not end: stop it by hand", pids[0], data)
	}
	err := os.Remove(filepath.Join(data, "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// endServers signals the postmaster, who tells its backends, or whoever is
// left without one, and waits a bounded time.
func endServers(ctx context.Context, data string, pids []int, sig syscall.Signal) error {
	target := pids
	if master := postmaster(data); slices.Contains(pids, master) && sig != syscall.SIGKILL {
		target = []int{master}
	}
	for _, pid := range target {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("a PostgreSQL server (pid %d) serves %s and cannot be ended: %w", pid, data, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return awaitNoServers(ctx, data)
}

// awaitNoServers returns nil also when time is up: the caller looks again.
func awaitNoServers(ctx context.Context, data string) error {
	err := poll(ctx, 20*time.Millisecond, func() (bool, error) { return len(serversOn(data)) == 0, nil })
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// postmaster reads the pid that PostgreSQL noted in data, or 0.
func postmaster(data string) int {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 1 {
		return 0
	}
	return pid
}
