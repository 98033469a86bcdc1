package devstack

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"interlock/internal/waittest"
)

const (
	timeout  = 5 * time.Minute
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
	require.True(t, child.gone(timeout))
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
	waittest.Until(t, "it to be deaf", func() error {
		return waittest.Is(child.lastWords() == "deaf", "it said %s", child.lastWords())
	})
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
	require.Equal(t, "3 | 4 | 5 | 6", LastWords([]byte("1\n2\n3\n4\n5\n6\n")))
	require.Equal(t, "it said nothing", LastWords([]byte("\n")))
	require.Equal(t, "cannot listen | panic: nil", LastWords([]byte("up\ncannot listen\npanic: nil\n\ngoroutine 1:\nmain.main()\n")), "a stack says less")
	long := LastWords([]byte(strings.Repeat("ö", 1000) + ": disk is full\n"))
	require.LessOrEqual(t, len(long), mostWords+len("…"))
	require.True(t, utf8.ValidString(long))
	require.True(t, strings.HasSuffix(long, "ö: disk is full"), long)
}

func TestLastWordsAreTheProcesssOwn(t *testing.T) {
	t.Parallel()
	c := sleeper(t, `echo address already in use`)
	first, err := start(c)
	require.NoError(t, err)
	require.True(t, first.gone(timeout))
	require.ErrorIs(t, first.ended(""), syscall.EADDRINUSE)

	c.args = []string{"-c", "exit 3"}
	second, err := start(c)
	require.NoError(t, err)
	require.True(t, second.gone(timeout))
	require.NotErrorIs(t, second.ended(""), syscall.EADDRINUSE, "another process said so")
	require.EqualError(t, second.ended(" early"), "ended early (exit status 3): it said nothing; see "+c.log)
}

func TestAChildThatIsNotReadySaysWhatItLackedAndItsLastWords(t *testing.T) {
	t.Parallel()
	c := sleeper(t, `echo reading candles; exec sleep 1000`)
	child, err := start(c)
	require.NoError(t, err)
	defer func() { require.NoError(t, child.kill()) }()
	waittest.Until(t, "its word", func() error {
		return waittest.Is(child.lastWords() == "reading candles", "it said %s", child.lastWords())
	})
	err = child.awaitReady(t.Context(), 50*time.Millisecond, interval, func(context.Context) error { return errors.New("no answer") })
	require.EqualError(t, err, "not ready in 50ms: no answer; its last words: reading candles; see "+c.log)
}

func TestAnEndIsNoticedWhileAQuestionHangs(t *testing.T) {
	t.Parallel()
	c := sleeper(t, `echo gone; exit 1`)
	child, err := start(c)
	require.NoError(t, err)
	err = child.awaitReady(t.Context(), time.Hour, interval, func(ctx context.Context) error {
		<-ctx.Done() // another program accepts and never answers
		return ctx.Err()
	})
	require.EqualError(t, err, "ended while starting (exit status 1): gone; see "+c.log)
}
