package devstack_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack"
)

// lines is a progress writer that may be read meanwhile.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newSupervisor(t *testing.T) (*devstack.Supervisor, string, *lines) {
	t.Helper()
	dir, progress := t.TempDir(), &lines{}
	s, err := devstack.NewSupervisor(dir, progress)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	return s, dir, progress
}

func pidOf(t *testing.T, s *devstack.Supervisor, name string) int {
	t.Helper()
	pid, err := s.Pid(name)
	require.NoError(t, err)
	return pid
}

func TestKilledChildComesBack(t *testing.T) {
	t.Parallel()
	s, _, progress := newSupervisor(t)
	child := shell("orders", "exec sleep 1000")
	child.Backoff = time.Millisecond
	require.NoError(t, s.Start(t.Context(), child))
	for range 3 {
		first := pidOf(t, s, "orders")
		require.NoError(t, s.Kill("orders"))
		eventually(t, func() bool { pid := pidOf(t, s, "orders"); return pid != first && running(pid) }, "no new process")
		requireGone(t, first)
	}
	require.Contains(t, progress.String(), "orders: ended (signal: killed), starting it again in 1ms; see ")
}

func TestChildWithoutBackoffStaysDown(t *testing.T) {
	t.Parallel()
	s, _, progress := newSupervisor(t)
	require.NoError(t, s.Start(t.Context(), shell("once", "exec sleep 1000")))
	require.NoError(t, s.Kill("once"))
	eventually(t, func() bool { return strings.Contains(progress.String(), "once: ended (signal: killed); see ") }, "no word of the end")
	require.False(t, running(pidOf(t, s, "once")))
}

func TestStopEndsTheLastStartedFirst(t *testing.T) {
	t.Parallel()
	s, dir, _ := newSupervisor(t)
	order := filepath.Join(dir, "order")
	var pids []int
	for _, name := range []string{"a", "b", "c"} {
		child := shell(name, `trap "echo `+name+` >> `+order+`; exit" TERM; touch `+order+name+`; while :; do sleep 0.02; done`)
		child.Ready = func(context.Context) error { _, err := os.Stat(order + name); return err }
		child.ReadyWithin, child.Grace = 5*time.Minute, 5*time.Minute
		require.NoError(t, s.Start(t.Context(), child))
		pids = append(pids, pidOf(t, s, name))
	}
	require.NoError(t, s.Stop())
	for _, pid := range pids {
		require.False(t, running(pid))
	}
	text, err := os.ReadFile(order)
	require.NoError(t, err)
	require.Equal(t, "c\nb\na\n", string(text))
	require.ErrorContains(t, s.Start(t.Context(), shell("late", "true")), "was stopped")
}

func TestStopKillsAChildThatIgnoresItOrIsFrozen(t *testing.T) {
	t.Parallel()
	s, dir, _ := newSupervisor(t)
	deaf := shell("deaf", `trap "" TERM; touch `+filepath.Join(dir, "deaf")+`; exec sleep 1000`)
	deaf.Grace = 50 * time.Millisecond
	deaf.ReadyWithin = 5 * time.Minute
	deaf.Ready = func(context.Context) error { _, err := os.Stat(filepath.Join(dir, "deaf")); return err }
	require.NoError(t, s.Start(t.Context(), deaf))
	require.NoError(t, s.Start(t.Context(), shell("frozen", "exec sleep 1000")))
	require.NoError(t, s.Signal("frozen", syscall.SIGSTOP))
	deafPid, frozenPid := pidOf(t, s, "deaf"), pidOf(t, s, "frozen")
	require.NoError(t, s.Stop())
	require.False(t, running(deafPid) || running(frozenPid))
}

func TestStopDuringABackoffStartsNothing(t *testing.T) {
	t.Parallel()
	s, _, progress := newSupervisor(t)
	child := shell("orders", "exec sleep 1000")
	child.Backoff = time.Hour
	require.NoError(t, s.Start(t.Context(), child))
	require.NoError(t, s.Kill("orders"))
	eventually(t, func() bool { return strings.Contains(progress.String(), "again in 1h") }, "no restart announced")
	require.NoError(t, s.Stop())
	require.False(t, running(pidOf(t, s, "orders")))
}

func TestStopAmidRestartsLeavesNoProcess(t *testing.T) {
	t.Parallel()
	for range 10 {
		s, _, progress := newSupervisor(t)
		child := shell("flapping", "sleep 0.005; exit 3")
		child.Backoff = time.Microsecond
		require.NoError(t, s.Start(t.Context(), child))
		eventually(t, func() bool { return strings.Contains(progress.String(), "exit status 3") }, "it never ended")
		require.NoError(t, s.Stop())
		require.False(t, running(pidOf(t, s, "flapping")))
	}
}

func TestStartWaitsUntilTheChildIsReady(t *testing.T) {
	t.Parallel()
	s, _, _ := newSupervisor(t)
	asked := 0
	child := shell("slow", "exec sleep 1000")
	child.Ready = func(context.Context) error {
		if asked++; asked < 3 {
			return errors.New("not yet")
		}
		return nil
	}
	require.NoError(t, s.Start(t.Context(), child))
	require.Equal(t, 3, asked)
}

func TestChildThatIsNeverReadyIsEnded(t *testing.T) {
	t.Parallel()
	s, dir, _ := newSupervisor(t)
	pidFile := filepath.Join(dir, "pid")
	child := shell("never", `echo $$ > `+pidFile+`; exec sleep 1000`)
	child.ReadyWithin = 200 * time.Millisecond
	child.Ready = func(context.Context) error { return errors.New("port is closed") }
	err := s.Start(t.Context(), child)
	require.ErrorContains(t, err, "start never")
	require.ErrorContains(t, err, "port is closed")
	_, err = s.Pid("never")
	require.ErrorContains(t, err, "no child named never")
}

func TestChildThatEndsEarlyLeavesItsLastWords(t *testing.T) {
	t.Parallel()
	s, dir, _ := newSupervisor(t)
	child := shell("orders", `echo "refuses foreign key BITVAVO_READONLY_KEY" >&2; exit 2`)
	child.Backoff = time.Millisecond
	child.Ready = func(context.Context) error { return errors.New("not yet") }
	err := s.Start(t.Context(), child)
	require.ErrorContains(t, err, "exit status 2")
	require.ErrorContains(t, err, "refuses foreign key BITVAVO_READONLY_KEY")
	require.FileExists(t, filepath.Join(dir, "logs", "orders.log"))
}

func TestChildGetsItsOwnEnvironmentOnly(t *testing.T) {
	t.Setenv("BITVAVO_TRADE_KEY", "secret")
	s, dir, _ := newSupervisor(t)
	child := shell("scans", "/usr/bin/env; echo end; exec sleep 1000")
	child.Env = []string{"BITVAVO_READONLY_KEY=mine"}
	log := filepath.Join(dir, "logs", "scans.log")
	require.NoError(t, s.Start(t.Context(), child))
	var text []byte
	eventually(t, func() bool { text, _ = os.ReadFile(log); return bytes.Contains(text, []byte("end\n")) }, "nothing printed")
	require.Contains(t, string(text), "BITVAVO_READONLY_KEY=mine")
	require.NotContains(t, string(text), "secret")
}

func TestOneNameIsOneChild(t *testing.T) {
	t.Parallel()
	s, _, _ := newSupervisor(t)
	require.NoError(t, s.Start(t.Context(), shell("orders", "exec sleep 1000")))
	require.ErrorContains(t, s.Start(t.Context(), shell("orders", "exec sleep 1000")), "already runs")
	first := pidOf(t, s, "orders")
	require.NoError(t, s.End("orders"))
	require.False(t, running(first))
	require.NoError(t, s.Start(t.Context(), shell("orders", "exec sleep 1000")))
	for _, err := range []error{s.Kill("other"), s.Signal("other", syscall.SIGTERM), s.End("other")} {
		require.ErrorContains(t, err, "no child named other")
	}
}

func TestKilledSupervisorLeavesNoChild(t *testing.T) {
	t.Parallel()
	parent, pid := startHelper(t, "supervisor", t.TempDir(), nil)
	require.True(t, running(pid))
	killHelper(t, parent)
	requireGone(t, pid)
}
