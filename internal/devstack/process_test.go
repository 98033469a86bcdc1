package devstack

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	patience = 5 * time.Minute
	interval = 10 * time.Millisecond
)

func sleeper(t *testing.T, script string) command {
	t.Helper()
	return command{
		name: "sleeper", path: "/bin/sh", args: []string{"-c", script}, env: bareEnv(),
		log: filepath.Join(t.TempDir(), "log"), deathSignal: syscall.SIGKILL,
	}
}

func TestChildInheritsNothing(t *testing.T) {
	t.Setenv("BITVAVO_TRADE_KEY", "secret")
	c := sleeper(t, `/usr/bin/env`)
	c.env = nil
	child, err := start(c)
	require.NoError(t, err)
	require.True(t, child.gone(patience))
	text, err := os.ReadFile(c.log)
	require.NoError(t, err)
	require.NotContains(t, string(text), "secret")
}

func TestChildHasAProcessGroupOfItsOwn(t *testing.T) {
	t.Parallel()
	child, err := start(sleeper(t, "exec sleep 1000"))
	require.NoError(t, err)
	group, err := syscall.Getpgid(child.pid())
	require.NoError(t, err)
	require.Equal(t, child.pid(), group)
	require.NoError(t, child.kill())
}

func TestStubbornChildIsKilledAfterItsGrace(t *testing.T) {
	t.Parallel()
	c := sleeper(t, `trap "" TERM; echo deaf; exec sleep 1000`)
	child, err := start(c)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return lastWords(c.log) == "deaf" }, patience, interval)
	require.NoError(t, child.stop(step{syscall.SIGTERM, 50 * time.Millisecond}))
	require.Equal(t, "signal: killed", child.fate())
	require.NoError(t, child.stop(step{syscall.SIGTERM, time.Second}), "a second stop does nothing")
	require.NoError(t, child.signal(syscall.SIGTERM), "nor does a signal")
}

func TestMissingProgramIsNamed(t *testing.T) {
	t.Parallel()
	c := sleeper(t, "")
	c.path = "/no/such/program"
	_, err := start(c)
	require.ErrorContains(t, err, "start sleeper")
	require.ErrorContains(t, err, "/no/such/program")
}

func TestLargeLogIsSetAside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, maxLogSize+1))
	f, err := openLog(path)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	require.Zero(t, info.Size())
	require.FileExists(t, path+".1")
}

func TestLastWordsFitInOneLine(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, []byte("1\n2\n3\n4\n5\n6\n"), 0o600))
	require.Equal(t, "3 | 4 | 5 | 6", lastWords(path))
	require.Equal(t, "no log", lastWords(path+".missing"))
}
