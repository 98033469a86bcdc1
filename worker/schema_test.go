package main

import (
	"context"
	osexec "os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/doctor"
)

// startAndEnd starts a worker that is expected to end by itself, and returns
// what it said.
func (s *stack) startAndEnd(role string) string {
	s.t.Helper()
	path, err := binary()
	require.NoError(s.t, err)
	bound, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := osexec.CommandContext(bound, path, "--role", role)
	cmd.Env = s.environment(role)
	out, err := cmd.CombinedOutput()
	var exit *osexec.ExitError
	require.ErrorAs(s.t, err, &exit, role)
	require.Equal(s.t, 1, exit.ExitCode(), "%s: %s", role, out)
	return string(out)
}

func TestAWorkerWhoseSchemaIsOlderOrNewerThanItKnowsRefusesToStartInOneLine(t *testing.T) {
	t.Parallel()
	s := bareGround(t)
	exec := func(statement string) {
		t.Helper()
		_, err := s.pool.Exec(ctx, statement)
		require.NoError(t, err, statement)
	}
	for _, c := range []struct{ to, says string }{
		{`UPDATE interlock.schema_version SET version = version - 1`, "run \"starter migrate\" as the owner"},
		{`UPDATE interlock.schema_version SET version = version + 2`, "use a newer program"},
	} {
		exec(c.to)
		for _, role := range []string{"proposals", "orders", "scans"} {
			said := s.startAndEnd(role)
			require.Contains(t, said, "schema version", role)
			require.Contains(t, said, c.says, role)
			require.Equal(t, 1, strings.Count(said, "\n"), said)
		}
	}
	s.check("orders").require(t, "schema version", doctor.Fail, "and this program knows")
	exec(`INSERT INTO interlock.schema_serves SELECT version, version - 1 FROM interlock.schema_version`)
	s.check("orders").require(t, "schema version", doctor.Warn, "still serves this program")
	for _, role := range []string{"proposals", "orders", "scans"} {
		s.start(role, role)
	}
	s.propose("p")
	require.Eventually(t, func() bool { return s.execute("p").Claimed }, time.Minute, 500*time.Millisecond)

	exec(`UPDATE interlock.schema_version SET version = version + 1`)
	for _, role := range []string{"proposals", "orders", "scans"} {
		var exit *osexec.ExitError
		require.ErrorAs(t, s.processes[role].Wait(), &exit, "it ends by itself when its schema is gone")
		require.Equal(t, 1, exit.ExitCode(), role)
	}
}
