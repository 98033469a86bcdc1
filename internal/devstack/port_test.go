package devstack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// stolen is a choice of ports of which the first few are taken by the time they
// are used.
func stolen(t *testing.T, few int) ports {
	t.Helper()
	return ports{free: func() (int, error) {
		l, err := net.Listen("tcp", hostPort(0))
		if err != nil {
			return 0, err
		}
		if few--; few < 0 {
			l.Close()
		} else {
			t.Cleanup(func() { l.Close() })
		}
		return l.Addr().(*net.TCPAddr).Port, nil
	}}
}

func temporalPath(t *testing.T) string {
	t.Helper()
	path, err := FindTemporal(t.Context())
	require.NoError(t, err, "run make tools")
	return path
}

func TestPostgresTriesAnotherPortWhenOneWasTakenMeanwhile(t *testing.T) {
	t.Parallel()
	var progress bytes.Buffer
	p, err := StartPostgres(t.Context(), PostgresConfig{Dir: reachableDir(t), Fast: true, Progress: &progress, ports: stolen(t, 5)})
	require.NoError(t, err)
	require.Equal(t, 5, strings.Count(progress.String(), "PostgreSQL: a port that was free was taken meanwhile, trying others"))
	require.NoError(t, p.Stop())
}

func TestThePoolerTriesAnotherPortWhenOneWasTakenMeanwhile(t *testing.T) {
	t.Parallel()
	program, err := findPooler()
	if err != nil {
		t.Skipf("DID NOT RUN: %v; install pgbouncer", err)
	}
	server, err := StartPostgres(t.Context(), PostgresConfig{Dir: reachableDir(t), Fast: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Stop()) }()
	p, err := newPooler(reachableDir(t), server.URL())
	require.NoError(t, err)
	p.ports = stolen(t, 5)
	require.NoError(t, p.open(t.Context(), program))
	require.NoError(t, p.ping(t.Context()))
	require.NoError(t, p.Stop())
}

func TestTemporalTriesOtherPortsWhenOneWasTakenMeanwhile(t *testing.T) {
	t.Parallel()
	var progress bytes.Buffer
	s, err := StartTemporal(t.Context(), TemporalConfig{
		Path: temporalPath(t), Log: filepath.Join(t.TempDir(), "log"), Progress: &progress, ports: stolen(t, 5),
	})
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(progress.String(), "Temporal: a port that was free was taken meanwhile, trying others"), "two ports each time")
	require.NoError(t, s.Stop())
}

// innerPortTaken is a server that says what the real one says when a port that
// it picked itself was taken, and ends or goes on; the third is the real one.
const innerPortTaken = `#!/bin/sh
echo started >> %[1]s
case $(wc -l < %[1]s) in
1) echo 'msg="Failed to start gRPC listener" error="listen tcp 127.0.0.1:40281: bind: address already in use" service=history'; exit 2 ;;
2) echo 'msg="error in prometheus listener" error="listen tcp 127.0.0.1:40282: bind: address already in use"'; exec sleep 1000 ;;
esac
exec %[2]s "$@"
`

func TestTemporalWithoutOneOfItsInnerPortsIsStartedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script, starts := filepath.Join(dir, "temporal"), filepath.Join(dir, "starts")
	require.NoError(t, os.WriteFile(script, fmt.Appendf(nil, innerPortTaken, starts, temporalPath(t)), 0o700))
	s, err := StartTemporal(t.Context(), TemporalConfig{Path: script, UIPort: Headless, Log: filepath.Join(dir, "log")})
	require.NoError(t, err)
	began, err := os.ReadFile(starts)
	require.NoError(t, err)
	require.Equal(t, "started\nstarted\nstarted\n", string(began))
	require.NoError(t, s.Stop())
}

// TestAnotherServerOnThePortIsNotTakenForOurs: of two that picked one port, the
// slower must not find the quicker one ready.
func TestAnotherServerOnThePortIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	first, err := StartTemporal(t.Context(), TemporalConfig{Path: temporalPath(t), UIPort: Headless, Log: filepath.Join(t.TempDir(), "log")})
	require.NoError(t, err)
	defer func() { require.NoError(t, first.Stop()) }()
	picked := 0
	second, err := StartTemporal(t.Context(), TemporalConfig{
		Path: temporalPath(t), UIPort: Headless, Log: filepath.Join(t.TempDir(), "log"), ports: ports{free: func() (int, error) {
			if picked++; picked == 1 {
				return first.port, nil
			}
			return freePort()
		}},
	})
	require.NoError(t, err)
	require.Equal(t, 2, picked)
	require.NotEqual(t, first.Address(), second.Address())
	require.NoError(t, second.Stop())
}

func TestNoMorePortsAreTriedAfterCtrlCOrAnotherFault(t *testing.T) {
	t.Parallel()
	for _, fault := range []error{syscall.EADDRINUSE, errors.New("no such program")} {
		ctx, cancel := context.WithCancel(t.Context())
		tries := 0
		err := onFreePorts(ctx, "server", io.Discard, func() error {
			if tries++; tries < 3 {
				return fmt.Errorf("listen: %w", syscall.EADDRINUSE)
			}
			cancel()
			return fault
		})
		require.ErrorIs(t, err, fault)
		require.Equal(t, 3, tries)
	}
	tries := 0
	err := onFreePorts(t.Context(), "server", io.Discard, func() error { tries++; return errors.New("no such program") })
	require.EqualError(t, err, "no such program")
	require.Equal(t, 1, tries)
}
