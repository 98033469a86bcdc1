package devstack

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	goodTemporal = `echo "temporal version 1.5.1 (Server 1.30.1, UI 2.42.1)"`
	oldTemporal  = `echo "temporal version 1.0.0 (Server 1.24.2, UI 2.30.0)"`
)

// machine has nothing but a cache and a PATH, both empty.
func machine(t *testing.T) (cached, path string) {
	t.Helper()
	dir := t.TempDir()
	path = filepath.Join(dir, "path")
	require.NoError(t, os.Mkdir(path, 0o755))
	t.Setenv("HOME", dir)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	t.Setenv("PATH", path)
	cached, err := cachedTemporal()
	require.NoError(t, err)
	return cached, path
}

func TestTemporalOnPathComesFirstUnlessUnfit(t *testing.T) {
	cached, path := machine(t)
	_, err := FindTemporal(t.Context())
	require.ErrorIs(t, err, ErrNoTemporal)

	program(t, cached, goodTemporal)
	program(t, filepath.Join(path, "temporal"), goodTemporal)
	found, err := FindTemporal(t.Context())
	require.NoError(t, err)
	require.Equal(t, filepath.Join(path, "temporal"), found)

	for _, unfit := range []string{oldTemporal, `exit 1`, `echo "another temporal"`} {
		program(t, filepath.Join(path, "temporal"), unfit)
		found, err := FindTemporal(t.Context())
		require.NoError(t, err)
		require.Equal(t, cached, found, unfit)
	}
}

// compiler stands in for the Go tool: it notes each run beside itself.
const compiler = `
echo "$@" >> "$0.runs"
echo '#!/bin/sh' > "$GOBIN/temporal"
echo 'echo "temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)"' >> "$GOBIN/temporal"
/bin/chmod 755 "$GOBIN/temporal"`

func TestTemporalIsBuiltOnceWhenItCannotBeDownloaded(t *testing.T) {
	cached, path := machine(t)
	program(t, filepath.Join(path, "go"), compiler)
	var progress [3]bytes.Buffer
	var got [3]string
	var errs [3]error
	var wait sync.WaitGroup
	for i := range progress {
		wait.Go(func() {
			got[i], errs[i] = EnsureTemporal(t.Context(), &progress[i])
		})
	}
	wait.Wait()
	require.NoError(t, errors.Join(errs[:]...))
	require.Equal(t, [3]string{cached, cached, cached}, got)
	runs, err := os.ReadFile(filepath.Join(path, "go.runs"))
	require.NoError(t, err)
	require.Equal(t, "install "+temporalModule+"\n", string(runs))
	said := progress[0].String() + progress[1].String() + progress[2].String()
	require.Equal(t, 1, strings.Count(said, "building v1.5.1 from source, which takes minutes"))
	left, err := filepath.Glob(filepath.Join(filepath.Dir(cached), "build-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestFailedBuildSaysBothReasonsAndTheWayOut(t *testing.T) {
	_, path := machine(t)
	program(t, filepath.Join(path, "go"), `echo "no network" >&2; exit 1`)
	_, err := EnsureTemporal(t.Context(), nil)
	require.ErrorContains(t, err, "put the Temporal CLI on PATH, or set TEMPORAL_ADDRESS")
	require.ErrorContains(t, err, "download: ")
	require.ErrorContains(t, err, "build: exit status 1: no network")
}

func TestOursIsUsedWhenPresent(t *testing.T) {
	cached, _ := machine(t)
	program(t, cached, goodTemporal)
	got, err := EnsureTemporal(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, cached, got)
}
