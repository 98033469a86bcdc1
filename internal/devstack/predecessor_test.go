package devstack

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func reachableDir(t *testing.T) string {
	t.Helper()
	dir, err := TempStateDir()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// stoppedPostgres is a server that ran once, with its folder.
func stoppedPostgres(t *testing.T) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), PostgresConfig{Dir: reachableDir(t), Fast: true})
	require.NoError(t, err)
	require.NoError(t, p.Stop())
	return p
}

// orphaned is a server on the data of p that nobody owns.
func orphaned(t *testing.T, p *Postgres) (orphan *process) {
	t.Helper()
	require.NoError(t, onFreePorts(t.Context(), "orphan", io.Discard, func() (err error) {
		if p.port, err = freePort(); err != nil {
			return err
		}
		if orphan, err = start(p.command("postgres", p.data(), 0, p.serverArgs(p.port))); err != nil {
			return err
		}
		return orphan.awaitReady(t.Context(), timeout, interval, p.ping)
	}))
	return orphan
}

func TestOrphanIsEndedByTheNextStart(t *testing.T) {
	t.Parallel()
	p := stoppedPostgres(t)
	orphan := orphaned(t, p)
	t.Cleanup(func() { require.NoError(t, orphan.kill()) })

	var progress bytes.Buffer
	next, err := StartPostgres(t.Context(), PostgresConfig{Dir: p.cfg.Dir, Fast: true, Progress: &progress})
	require.NoError(t, err)
	require.True(t, orphan.exited())
	require.Contains(t, progress.String(), "ending a server that a killed process left behind (pid "+strconv.Itoa(orphan.pid()))
	require.NoError(t, next.Stop())
}

func TestBackendsWithoutTheirPostmasterAreFound(t *testing.T) {
	t.Parallel()
	p, err := StartPostgres(t.Context(), PostgresConfig{Dir: reachableDir(t), Fast: true})
	require.NoError(t, err)
	require.Greater(t, len(serversOn(p.data())), 1)
	require.NoError(t, p.Kill())
	require.Empty(t, serversOn(p.data()))
	require.NoError(t, p.Stop())
}

func TestPidOfAnInnocentProgramIsNoPredecessor(t *testing.T) {
	t.Parallel()
	p := stoppedPostgres(t)
	stale := filepath.Join(p.data(), "postmaster.pid")
	require.NoError(t, p.writeOwned(stale, strconv.Itoa(os.Getpid())+"\n"+p.data()+"\n"))
	next, err := StartPostgres(t.Context(), PostgresConfig{Dir: p.cfg.Dir, Fast: true})
	require.NoError(t, err)
	require.NoError(t, next.Stop())
}

func TestUnreadablePidFileNamesNobody(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n", "abc\n", "-5\n", "0\n", "1\n"} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "postmaster.pid"), []byte(text), 0o600))
		require.Zero(t, postmaster(dir), "%q", text)
	}
	require.Zero(t, postmaster(t.TempDir()))
}
