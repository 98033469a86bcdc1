package devstack_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack"
)

func TestSecondLockIsRefusedAndNamesTheFirst(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	first, err := devstack.Lock(dir)
	require.NoError(t, err)
	info := devstack.Info{Started: time.Unix(1, 0).UTC(), URLs: map[string]string{"api": "http://127.0.0.1:8080"}}
	require.NoError(t, first.Publish(info))

	_, err = devstack.Lock(dir)
	var locked *devstack.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, os.Getpid(), locked.PID)
	require.Equal(t, info.URLs, locked.Info.URLs)
	require.ErrorContains(t, err, dir)

	require.NoError(t, first.Release())
	next, err := devstack.Lock(dir)
	require.NoError(t, err)
	require.NoError(t, next.Release())
}

func TestReadInfoAnswersWhileTheStackRunsOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := devstack.ReadInfo(dir)
	require.ErrorIs(t, err, devstack.ErrNotRunning)

	holder, _ := startHelper(t, "lock", dir, nil)
	info, err := devstack.ReadInfo(dir)
	require.NoError(t, err)
	require.Equal(t, holder.Process.Pid, info.PID)
	require.Equal(t, "http://127.0.0.1:1", info.URLs["api"])

	killHelper(t, holder)
	require.FileExists(t, filepath.Join(dir, "stack.json"), "a killed holder leaves it")
	_, err = devstack.ReadInfo(dir)
	require.ErrorIs(t, err, devstack.ErrNotRunning)
}

func TestLockOfAKilledHolderIsFree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	holder, _ := startHelper(t, "lock", dir, nil)
	killHelper(t, holder)
	l, err := devstack.Lock(dir)
	require.NoError(t, err)
	info, err := devstack.ReadInfo(dir)
	require.NoError(t, err)
	require.Equal(t, devstack.Info{PID: os.Getpid()}, info, "nothing of the dead one is left")
	require.NoError(t, l.Release())
}

func TestReadersDoNotKeepALockAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := devstack.Lock(dir)
	require.NoError(t, err)
	require.NoError(t, first.Release())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_, _ = devstack.ReadInfo(dir)
		}
	}()
	for range 3 {
		l, err := devstack.Lock(dir)
		require.NoError(t, err)
		require.NoError(t, l.Release())
	}
	cancel()
	<-done
}

func TestPublishedInfoIsPrivate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := devstack.Lock(dir)
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(dir, "stack.json"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NoError(t, l.Release())
	require.NoFileExists(t, filepath.Join(dir, "stack.json"))
}

func TestDamagedInfoIsAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := devstack.Lock(dir)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "stack.json"), []byte("{"), 0o600))
	_, err = devstack.ReadInfo(dir)
	require.ErrorContains(t, err, "read stack.json")
	require.NoError(t, l.Release())
}
