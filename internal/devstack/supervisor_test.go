package devstack_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack"
	"interlock/internal/listen"
	"interlock/internal/waittest"
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

func (l *lines) await(t *testing.T, text string) {
	t.Helper()
	waittest.Until(t, "the progress to say "+text, func() error {
		return waittest.Is(strings.Contains(l.String(), text), "it said %s", l)
	})
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
		waittest.Until(t, "a new process", func() error {
			pid := pidOf(t, s, "orders")
			return waittest.Is(pid != first && running(pid), "it is process %d, after %d", pid, first)
		})
		requireGone(t, first)
	}
	require.Regexp(t, `orders: ended \(signal: killed\): it said nothing; see .*/logs/orders.log; starting it again in 1ms`, progress.String())
}

func TestChildWithoutBackoffStaysDown(t *testing.T) {
	t.Parallel()
	s, _, progress := newSupervisor(t)
	require.NoError(t, s.Start(t.Context(), shell("once", "exec sleep 1000")))
	require.Empty(t, s.Unrest())
	require.NoError(t, s.Kill("once"))
	progress.await(t, "once: ended (signal: killed): it said nothing; see ")
	require.Regexp(t, `^once ended \(signal: killed\): it said nothing; see .*/logs/once.log; that is end 1 of it$`, s.Unrest())
	require.False(t, running(pidOf(t, s, "once")))
}

func TestStopEndsTheLastStartedFirst(t *testing.T) {
	t.Parallel()
	s, dir, _ := newSupervisor(t)
	order := filepath.Join(dir, "order")
	var pids []int
	for _, name := range []string{"a", "b", "c"} {
		child := shell(name, `trap "echo `+name+` >> `+order+`; exit" TERM; touch `+order+name+`; while :; do sleep 0.02; done`)
		child.Ready = func(context.Context, listen.Addresses) error { _, err := os.Stat(order + name); return err }
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
	deaf.Ready = func(context.Context, listen.Addresses) error {
		_, err := os.Stat(filepath.Join(dir, "deaf"))
		return err
	}
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
	progress.await(t, "again in 1h")
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
		progress.await(t, "exit status 3")
		require.NoError(t, s.Stop())
		require.False(t, running(pidOf(t, s, "flapping")))
	}
}

func TestStartWaitsUntilTheChildIsReady(t *testing.T) {
	t.Parallel()
	s, _, _ := newSupervisor(t)
	asked := 0
	child := shell("slow", "exec sleep 1000")
	child.Ready = func(context.Context, listen.Addresses) error {
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
	child.Ready = func(context.Context, listen.Addresses) error { return errors.New("port is closed") }
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
	child.Ready = func(context.Context, listen.Addresses) error { return errors.New("not yet") }
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
	waittest.Until(t, "all that it prints", func() (err error) {
		text, err = os.ReadFile(log)
		return errors.Join(err, waittest.Is(bytes.Contains(text, []byte("end\n")), "printed so far: %s", text))
	})
	require.Contains(t, string(text), "BITVAVO_READONLY_KEY=mine")
	require.NotContains(t, string(text), "secret")
}

// listener is a child that serves at an address of its own choice.
func listener() devstack.Child {
	return devstack.Child{
		Name: "listener", Path: "/proc/self/exe", Env: []string{helperMode + "=listener"}, Tells: true, Backoff: 50 * time.Millisecond,
		Ready: func(_ context.Context, at listen.Addresses) error {
			return waittest.Is(at[listen.HTTP] != "", "it told %v", at)
		},
	}
}

func TestAChildComesBackAtItsAddressOrSaysWhyNot(t *testing.T) {
	t.Parallel()
	s, _, progress := newSupervisor(t)
	require.NoError(t, s.Start(t.Context(), listener()))
	at, err := s.Addresses("listener")
	require.NoError(t, err)
	taken := steal(t, at[listen.HTTP], func() error { return s.Kill("listener") })
	progress.await(t, "address already in use; it listened there before, and others know the address; see ")
	again, err := s.Addresses("listener")
	require.NoError(t, err)
	require.Equal(t, at, again)
	taken.Close()
	waittest.Until(t, "an answer there", func() error {
		answer, err := http.Get("http://" + at[listen.HTTP])
		if err == nil {
			answer.Body.Close()
		}
		return err
	})
}

// steal listens at an address in place of whoever does and is killed.
func steal(t *testing.T, address string, kill func() error) (taken net.Listener) {
	t.Helper()
	waittest.Closely(t, "the address "+address, func() (err error) {
		if err = kill(); err == nil {
			taken, err = net.Listen("tcp", address)
		}
		return err
	})
	t.Cleanup(func() { taken.Close() })
	return taken
}

func TestAnAddressOfAnEarlierStartIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s, _, _ := newSupervisor(t)
	require.NoError(t, s.Start(t.Context(), listener()))
	at, err := s.Addresses("listener")
	require.NoError(t, err)
	require.NoError(t, s.End("listener"))
	taken, err := net.Listen("tcp", at[listen.HTTP])
	require.NoError(t, err)
	defer taken.Close()
	require.NoError(t, s.Start(t.Context(), listener()))
	again, err := s.Addresses("listener")
	require.NoError(t, err)
	require.NotEqual(t, at, again)
}

func TestAChildThatTellsNothingIsNotReady(t *testing.T) {
	t.Parallel()
	s, _, _ := newSupervisor(t)
	child := shell("silent", "exec sleep 1000")
	child.Tells, child.ReadyWithin = true, 100*time.Millisecond
	require.ErrorContains(t, s.Start(t.Context(), child), "it has not told where it listens")
	_, err := s.Addresses("silent")
	require.ErrorContains(t, err, "no child named silent")
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
