package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack"
	"interlock/internal/waittest"
)

// refusedUp brings a stack up that cannot come up, and returns the one line
// that says why. Nothing of it may be left.
func refusedUp(t *testing.T, dir string, change func(*exec.Cmd), more ...string) string {
	t.Helper()
	cmd := command(t.Context(), upArgs(dir, more...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if change != nil {
		change(cmd)
	}
	err := cmd.Run()
	var ended *exec.ExitError
	require.ErrorAs(t, err, &ended, "it came up: %s", errs.String())
	require.Contains(t, []int{1, 2}, ended.ExitCode(), errs.String())
	if dir != "" {
		require.Empty(t, left(t, dir), "no process outlives a start that failed")
	}
	lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
	last := lines[len(lines)-1]
	require.True(t, strings.HasPrefix(last, "starter: "), errs.String())
	require.Less(t, len(last), 400, "a line, not a report: %s", last)
	return last
}

func upArgs(dir string, more ...string) []string {
	return append([]string{"up", "--state", dir, "--api-port", "0", "--temporal-port", "0", "--ui-port", "0", "--exchange-port", "0", "--demo-scan=false"}, more...)
}

// TestUpSaysWhyItCannotAndLosesNothing breaks what a stack needs, one thing
// after another, and in the end finds everything as it was.
func TestUpSaysWhyItCannotAndLosesNothing(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	s := up(t, dir)
	s.must("propose", "--id", "first", "--market", "BTC-EUR", "--side", "buy", "--quote", "25", "--confidence", "0.9", "--execute")
	require.NoError(t, s.stop(syscall.SIGINT))

	t.Run("a port is taken", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
		for _, flag := range []string{"--api-port", "--temporal-port", "--ui-port"} {
			says := refusedUp(t, dir, nil, flag, port)
			require.Contains(t, says, "port "+port+" for ")
			require.Contains(t, says, flag)
			require.Contains(t, says, "choose another")
		}
	})
	t.Run("PostgreSQL of another major version", func(t *testing.T) {
		version := filepath.Join(dir, "postgres", "data", "PG_VERSION")
		was, err := os.ReadFile(version)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(version, []byte("14\n"), 0o600))
		says := refusedUp(t, dir, nil)
		require.Contains(t, says, "14")
		require.NoError(t, os.WriteFile(version, was, 0o600))
	})
	t.Run("damaged secrets", func(t *testing.T) {
		file := filepath.Join(dir, "secrets.json")
		was, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, text := range []string{"", `{"logins":`} {
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			require.Contains(t, refusedUp(t, dir, nil), "restore it, or use another state folder")
		}
		require.NoError(t, os.WriteFile(file, was, 0o600))
	})
	t.Run("a process that ends", func(t *testing.T) {
		says := refusedUp(t, dir, nil, "--candles", write(t, t.TempDir(), "candles.csv", "not,candles\n"))
		require.Contains(t, says, "start exchange: ended while starting (exit status 2): starter: --csv: ")
		require.Contains(t, says, "; see "+filepath.Join(dir, "logs", "exchange.log"))
	})
	t.Run("a stale lock and what a killed predecessor published", func(t *testing.T) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "stack.lock"), nil, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "stack.json"), []byte(`{"pid": 1, "urls": {"api": "http://127.0.0.1:1"}}`), 0o600))
	})

	again := up(t, dir)
	require.Contains(t, again.must("status", "first"), "EXECUTED")
	require.Len(t, ledger(t, again), 1)

	// A killed predecessor: its children do not outlive it for long.
	_ = again.stop(syscall.SIGKILL)
	awaitGone(t, dir)
	third := up(t, dir)
	code, out, _ := third.run("execute", "first")
	require.Equal(t, 5, code, out)
	require.Contains(t, third.must("audit", "verify"), "sound")
}

// awaitGone waits for the end of all processes of a stack that was killed.
func awaitGone(t *testing.T, dir string) {
	t.Helper()
	waittest.Until(t, "no process to be left", func() error {
		there := left(t, dir)
		return waittest.Is(len(there) == 0, "left are %v", there)
	})
}

func TestUpInAFolderThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Contains(t, refusedUp(t, file, nil), "is a file, or lies under one")
	require.Contains(t, refusedUp(t, filepath.Join(file, "below"), nil), "is a file, or lies under one")
	require.Contains(t, refusedUp(t, filepath.Join(dir, strings.Repeat("x", 300)), nil), "too long")

	closed := filepath.Join(dir, "closed")
	require.NoError(t, os.Mkdir(closed, 0o500))
	says := refusedUp(t, filepath.Join(closed, "state"), asNobody)
	require.Contains(t, says, "may not write there")
	require.Contains(t, says, "--state")
	require.Contains(t, refusedUp(t, "", asNobody), "name a folder")
}

// asNobody takes root's rights away; whoever is not root has none to lose.
func asNobody(cmd *exec.Cmd) {
	if os.Getuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return strings.HasPrefix(v, "HOME=") }) // root's is closed
	}
}

func TestUpInAnOddFolderWorks(t *testing.T) {
	t.Parallel()
	parent := stateDir(t)
	dir := filepath.Join(parent, "a folder with spaces, ünïcode and a name that is longer than any socket's may be "+strings.Repeat("x", 100))
	s := up(t, dir)
	require.Contains(t, s.must("account", "list"), "paper")
	require.NoError(t, s.stop(syscall.SIGHUP), "a closed terminal is a stop")
	require.Empty(t, left(t, dir))
}

// TestUpInterruptedAtAnyMomentLeavesNothingAndStartsAgain stops a first start
// at moments through all of its phases, by Ctrl-C and by SIGKILL.
func TestUpInterruptedAtAnyMomentLeavesNothingAndStartsAgain(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	for i, phase := range []string{"creating a database", "database ", "Temporal ", "exchange ", "account ", "workers "} {
		sig := []syscall.Signal{syscall.SIGINT, syscall.SIGKILL}[i%2]
		cmd := command(t.Context(), upArgs(dir)...)
		said, w, err := os.Pipe()
		require.NoError(t, err)
		cmd.Stderr = w
		require.NoError(t, cmd.Start())
		w.Close()
		awaitLine(t, said, phase)
		require.NoError(t, cmd.Process.Signal(sig))
		_ = cmd.Wait() // how it ended is its own affair
		awaitGone(t, dir)
	}
	s := up(t, dir)
	require.Contains(t, s.must("account", "list"), "paper")
}

func TestOfTwoStacksOnOneFolderOneComesUp(t *testing.T) {
	t.Parallel()
	dir := stateDir(t)
	ended := make(chan error, 2)
	cmds, words := make([]*exec.Cmd, 2), &said{}
	for i := range cmds {
		cmds[i] = command(t.Context(), upArgs(dir)...)
		cmds[i].Stderr = words
		require.NoError(t, cmds[i].Start())
		go func() { ended <- cmds[i].Wait() }()
	}
	var refused *exec.ExitError
	require.ErrorAs(t, <-ended, &refused, "the folder is one stack's")
	waittest.Until(t, "the other to come up", func() error {
		info, err := devstack.ReadInfo(dir)
		return errors.Join(err, waittest.Is(!info.Started.IsZero(), "it is still starting; they said: %s", words))
	})
	for _, cmd := range cmds {
		_ = cmd.Process.Signal(syscall.SIGINT) // one has ended
	}
	require.NoError(t, <-ended, words)
	require.Empty(t, left(t, dir))
}

// TestAFullDiskIsSaidAndNothingIsDoubledWhenThereIsRoomAgain mounts a small
// disk of its own, which takes root.
func TestAFullDiskIsSaidAndNothingIsDoubledWhenThereIsRoomAgain(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("a disk of its own can be mounted by root only")
	}
	small := mounted(t, "20m")
	says := refusedUp(t, filepath.Join(small, "state"), nil)
	require.Contains(t, says, "is full")
	require.Contains(t, says, "make room")

	disk := mounted(t, "400m")
	s := up(t, filepath.Join(disk, "state"))
	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	for _, id := range []string{"a", "b"} {
		_, _, _ = s.run("propose", "--id", id, "--market", "ETH-EUR", "--side", "buy", "--quote", "25", "--confidence", "0.9", "--execute")
	}
	require.NoError(t, os.Remove(filler))
	s.becomes("a proposal", func(code int) bool { return code == 0 }, "propose", "--id", "c", "--market", "BTC-EUR", "--side", "buy", "--quote", "25", "--confidence", "0.9")
	s.becomes("its execution", func(code int) bool { return code == 0 || code == 5 }, "execute", "c")
	waittest.Until(t, "everything to have ended", func() error {
		_, out, errs := s.run("status")
		return waittest.Is(!strings.Contains(out, "EXECUTING") && !strings.Contains(out, "UNRESOLVED"), "%s%s", out, errs)
	})
	executed := strings.Count(s.must("status"), "EXECUTED")
	require.Len(t, ledger(t, s), executed, "one order for each, and none for another")
	require.Contains(t, s.must("audit", "verify"), "sound")
	require.NoError(t, s.stop(syscall.SIGINT))
}

func mounted(t *testing.T, size string) string {
	t.Helper()
	dir := stateDir(t)
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755,size="+size))
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

func fill(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	require.NoError(t, err)
	defer f.Close()
	block := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(block)
	}
	require.True(t, errors.Is(err, syscall.ENOSPC), err)
}

// awaitLine reads until a line begins with or holds what is awaited, and then
// lets the rest flow by.
func awaitLine(t *testing.T, from *os.File, holds string) {
	t.Helper()
	var heard []string
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		heard = append(heard, lines.Text())
		if strings.Contains(lines.Text(), holds) {
			go func() { _, _ = io.Copy(io.Discard, from) }()
			return
		}
	}
	require.FailNow(t, "it ended and never said "+holds, "it said:\n%s", strings.Join(heard, "\n"))
}
