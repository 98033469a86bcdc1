package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

type campaign struct {
	Seed       uint64
	Proposals  int
	Faults     []strike
	Statuses   map[string]int
	Orders     int
	Attempts   int
	Events     int
	HeardAgain int
	Violations []map[string]string
	Invalid    []string
	Replay     string

	Disturbances []strike
}

type strike struct {
	Name   string
	Struck int
}

// A short campaign: everything that the long ones do, once or more.
func TestNothingIsDoubledOrLostUnderFaults(t *testing.T) {
	t.Parallel()
	code, out, progress := starter(t, "chaos", "--seed", "5", "--proposals", "40", "--duration", "25s", "--rate", "8", "--keep", "--json")
	require.NotEmpty(t, out, progress)
	campaigns := decode[map[string][]campaign](t, out)["campaigns"]
	require.Len(t, campaigns, 1, progress)
	c := campaigns[0]
	require.Empty(t, c.Violations, progress)
	require.Empty(t, c.Invalid, progress)
	require.Zero(t, code)
	require.Equal(t, uint64(5), c.Seed)
	require.Equal(t, 40, c.Proposals)
	require.Greater(t, len(c.Faults), 30)
	require.Greater(t, len(c.Disturbances), 10)
	for _, s := range append(c.Faults, c.Disturbances...) {
		require.Positive(t, s.Struck, s.Name)
	}
	require.GreaterOrEqual(t, c.Orders, c.Statuses["EXECUTED"])
	require.Greater(t, c.Attempts, c.Orders)
	require.GreaterOrEqual(t, c.Events, c.Proposals)
	require.Positive(t, c.HeardAgain)
	require.Contains(t, c.Replay, "chaos --seed 5 --proposals 40 --duration 25s --rate 8")
	dir := campaignFolder(t, progress)
	defer os.RemoveAll(dir)
	require.Empty(t, left(t, dir))
	noSecretIn(t, dir)
}

func campaignFolder(t *testing.T, progress string) string {
	t.Helper()
	first, _, _ := strings.Cut(progress, "\n")
	_, dir, found := strings.Cut(first, "bringing up a stack in ")
	require.True(t, found, first)
	return dir
}

// requireGone asks for the folder and the processes of a campaign's stack.
func requireGone(t *testing.T, progress string) {
	t.Helper()
	dir := campaignFolder(t, progress)
	require.NoDirExists(t, dir)
	require.Empty(t, left(t, dir))
}

func TestInterruptedCampaignLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	progress := &strings.Builder{}
	cmd := command(ctx, "chaos", "--seed", "2", "--proposals", "40", "--duration", "30s", "--json")
	said, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	buffer, interrupted := make([]byte, 4096), false
	for {
		n, err := said.Read(buffer)
		progress.Write(buffer[:n])
		if !interrupted && strings.Contains(progress.String(), "proposals by") {
			require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
			interrupted = true
		}
		if err != nil {
			break
		}
	}
	var ended *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &ended)
	require.Equal(t, 1, ended.ExitCode(), progress.String())
	require.True(t, interrupted, progress.String())
	requireGone(t, progress.String())
}
