package main

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"interlock/internal/waittest"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

type finding struct{ Role, Check, Result, Found, Fix string }

func of(list []finding, role, check string) (found finding) {
	for _, f := range list {
		if f.Role == role && f.Check == check && (found.Check == "" || f.Result == "fail") {
			found = f
		}
	}
	return found
}

func TestTheDoctorFindsAStackSoundAndWhatWasBroken(t *testing.T) {
	t.Parallel()
	s := up(t, stateDir(t))
	code, sound := diagnosed(t, s)
	require.Zero(t, code, "nothing has failed: %v", sound)
	_, table, _ := s.run("doctor")
	require.Contains(t, table, "FOUND, AND WHAT TO DO")
	for _, role := range []string{"proposals", "orders", "scans", "api", "starter"} {
		for _, check := range []string{"configuration", "database", "schema version", "grants", "durability", "Temporal", "namespace", "workers"} {
			require.Equal(t, "ok", of(sound, role, check).Result, "%s: %v", check, of(sound, role, check))
		}
	}
	require.Equal(t, "the read-only key may not trade", of(sound, "scans", "trade permission").Found)
	require.Empty(t, ledger(t, s), "looking places nothing")

	// Grants of one role say nothing about another.
	conn, err := pgx.Connect(t.Context(), s.urls()["owner"])
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), `GRANT INSERT ON interlock.trade_executions TO interlock_api`)
	require.NoError(t, err)
	require.Equal(t, 1, failing(t, s, "api", "grants"))
	require.Equal(t, 0, failing(t, s, "orders", "grants"))
	_, err = conn.Exec(t.Context(), `REVOKE INSERT ON interlock.trade_executions FROM interlock_api`)
	require.NoError(t, err)

	require.NoError(t, temporalCLI(t, s, "schedule", "toggle", "--pause", "--schedule-id", "sweep", "--reason", "test"))
	require.Equal(t, 1, failing(t, s, "proposals", "schedule"))
	require.NoError(t, temporalCLI(t, s, "schedule", "toggle", "--unpause", "--schedule-id", "sweep", "--reason", "test"))
	require.Equal(t, 0, failing(t, s, "proposals", "schedule"), "what it says to do mends it")
}

// failing is the doctor's exit code for a role, of which nothing but check may
// fail.
func failing(t *testing.T, s *stack, role, check string) (code int) {
	t.Helper()
	code, list := diagnosed(t, s, "--role", role)
	for _, f := range list {
		require.True(t, f.Result != "fail" || f.Check == check, f)
		require.Equal(t, role, f.Role)
	}
	require.Equal(t, code == 1, of(list, role, check).Result == "fail", list)
	return code
}

// diagnosed looks until nothing is left open or failed because this machine was
// too slow for the time that a look has.
func diagnosed(t *testing.T, s *stack, args ...string) (code int, list []finding) {
	t.Helper()
	late := func(f finding) bool {
		return f.Result != "ok" && (strings.Contains(f.Found, "deadline exceeded") || strings.Contains(f.Found, "i/o timeout") || strings.Contains(f.Found, "too long to tell"))
	}
	waittest.Until(t, "a look in time at everything", func() error {
		var out string
		code, out, _ = s.run(append([]string{"doctor", "--json"}, args...)...)
		list = decode[[]finding](t, out)
		return waittest.Is(!slices.ContainsFunc(list, late), "%s", out)
	})
	return code, list
}

func temporalCLI(t *testing.T, s *stack, args ...string) error {
	t.Helper()
	args = append(args, "--address", s.urls()["temporal"], "--namespace", s.urls()["namespace"])
	return exec.CommandContext(t.Context(), s.urls()["temporal-cli"], args...).Run()
}

func TestTheDoctorReadsARolesOwnEnvironmentAndHoldsNoKey(t *testing.T) {
	t.Parallel()
	key := write(t, t.TempDir(), "key", "hunter2")
	run := func(env ...string) (int, string) {
		cmd := command(t.Context(), "doctor", "--role", "orders", "--json", "--state", t.TempDir())
		cmd.Env = append(cmd.Env, append(env, "DATABASE_URL=postgres://u:hunter2@127.0.0.1:1/x", "TEMPORAL_ADDRESS=127.0.0.1:1")...)
		out, _ := cmd.CombinedOutput()
		require.NotContains(t, string(out), "hunter2")
		return cmd.ProcessState.ExitCode(), string(out)
	}
	code, out := run("BITVAVO_REST_URL=http://127.0.0.1:1/v2", "BITVAVO_OPERATOR_ID=7", "BITVAVO_TRADE_KEY_FILE="+key, "BITVAVO_TRADE_SECRET_FILE="+key)
	require.Equal(t, 1, code)
	list := decode[[]finding](t, out)
	require.Equal(t, "ok", of(list, "orders", "configuration").Result)
	for _, check := range []string{"database", "Temporal", "exchange"} {
		require.Equal(t, "fail", of(list, "orders", check).Result, check)
	}
	for _, check := range []string{"schema version", "grants", "workers", "schedule", "account", "trade permission"} {
		require.Equal(t, "unknown", of(list, "orders", check).Result, check)
	}
	code, out = run("BITVAVO_READONLY_KEY_FILE=" + key)
	require.Equal(t, 1, code)
	require.Contains(t, out, "BITVAVO_READONLY_KEY_FILE: is set, and role orders must not hold a key of role scans")
	require.Contains(t, out, "BITVAVO_REST_URL: is missing")
	code, out = run("BITVAVO_TRADE_KEY=hunter2")
	require.Equal(t, 2, code)
	require.True(t, strings.HasPrefix(out, "starter: BITVAVO_TRADE_KEY: is set"), out)
}
