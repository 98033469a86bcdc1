package config

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

type env map[string]string

func (e env) get(name string) string { return e[name] }

// with returns e with more variables; an empty value removes one.
func (e env) with(pairs ...string) env {
	copied := maps.Clone(e)
	for i := 0; i < len(pairs); i += 2 {
		copied[pairs[i]] = pairs[i+1]
	}
	return copied
}

const paperURL = "http://127.0.0.1:8090/v2"

func environments() map[string]env {
	base := env{"DATABASE_URL": "postgres://u:hunter2@127.0.0.1:5432/interlock"}
	return map[string]env{
		"proposals": base,
		"scans":     base.with("BITVAVO_REST_URL", paperURL, "BITVAVO_READONLY_KEY", "rk", "BITVAVO_READONLY_SECRET", "rs"),
		"orders": base.with("BITVAVO_REST_URL", paperURL, "BITVAVO_TRADE_KEY", "tk", "BITVAVO_TRADE_SECRET", "ts",
			"BITVAVO_OPERATOR_ID", "7"),
		"all": base.with("BITVAVO_REST_URL", paperURL, "BITVAVO_TRADE_KEY", "tk", "BITVAVO_TRADE_SECRET", "ts",
			"BITVAVO_OPERATOR_ID", "7"),
	}
}

func TestEachRoleStartsWithItsOwnKeys(t *testing.T) {
	for role, e := range environments() {
		cfg, err := Worker(role, e.get)
		require.NoError(t, err, role)
		require.Equal(t, "paper", cfg.Account)
		require.Equal(t, e["DATABASE_URL"], cfg.DatabaseURL.Reveal())
		require.Equal(t, e["BITVAVO_TRADE_KEY"], cfg.Trade.Key.Reveal())
		require.Equal(t, e["BITVAVO_READONLY_SECRET"], cfg.Readonly.Secret.Reveal())
		require.Equal(t, "localhost:7233", cfg.Temporal.HostPort)
		require.Equal(t, "default", cfg.Temporal.Namespace)
		require.Equal(t, role == "all", cfg.Notice != "")
	}
}

func TestRoleRefusesKeysOfOtherRoles(t *testing.T) {
	forbidden := map[string][]string{
		"proposals": {"BITVAVO_TRADE_KEY", "BITVAVO_TRADE_SECRET", "BITVAVO_READONLY_KEY", "BITVAVO_READONLY_SECRET", "OPENAI_API_KEY"},
		"orders":    {"BITVAVO_READONLY_KEY", "BITVAVO_READONLY_SECRET", "OPENAI_API_KEY"},
		"scans":     {"BITVAVO_TRADE_KEY", "BITVAVO_TRADE_SECRET"},
	}
	for role, names := range forbidden {
		for _, name := range names {
			for _, suffix := range []string{"", "_FILE"} {
				_, err := Worker(role, environments()[role].with(name+suffix, "hunter2").get)
				require.ErrorContains(t, err, name+suffix+": is set, and role "+role)
				require.NotContains(t, err.Error(), "hunter2")
			}
		}
	}
}

func TestAPIAndStarterHoldNoKey(t *testing.T) {
	base := environments()["proposals"]
	for _, name := range []string{"BITVAVO_TRADE_KEY", "BITVAVO_TRADE_SECRET", "BITVAVO_READONLY_KEY", "BITVAVO_READONLY_SECRET", "OPENAI_API_KEY"} {
		_, err := API(base.with(name, "hunter2").get)
		require.ErrorContains(t, err, name)
		_, err = Starter(base.with(name, "hunter2").get)
		require.ErrorContains(t, err, name)
	}
	_, err := API(base.with("BITVAVO_TRADE_KEY_FILE", "/k").get)
	require.ErrorContains(t, err, "BITVAVO_TRADE_KEY_FILE")
	_, err = Starter(base.with("BITVAVO_TRADE_KEY_FILE", "/k").get)
	require.NoError(t, err, "the starter passes the file's name on to the worker")
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	_, err := Worker("orders", env{
		"DATABASE_URL": "mysql://root:hunter2@db", "INTERLOCK_ACCOUNT": "a b", "BITVAVO_REST_URL": "ftp://x/v2",
		"BITVAVO_OPERATOR_ID": "0", "BITVAVO_TRADE_RPS": "NaN", "INTERLOCK_METRICS_ADDR": "here",
		"BITVAVO_TRADE_KEY": "hunter2 ", "OPENAI_API_KEY": "hunter2",
	}.get)
	for _, name := range []string{
		"DATABASE_URL", "INTERLOCK_ACCOUNT", "BITVAVO_REST_URL", "BITVAVO_OPERATOR_ID", "BITVAVO_TRADE_RPS",
		"INTERLOCK_METRICS_ADDR", "BITVAVO_TRADE_KEY", "BITVAVO_TRADE_SECRET", "OPENAI_API_KEY",
	} {
		require.ErrorContains(t, err, name+": ")
	}
	require.NotContains(t, err.Error(), "hunter2")
}

func TestOneBadValueIsRefused(t *testing.T) {
	cases := []struct{ name, value, says string }{
		{"DATABASE_URL", "", "is missing"},
		{"DATABASE_URL", "host=db password=hunter2", "is not a PostgreSQL URL"},
		{"BITVAVO_REST_URL", "", "is missing"},
		{"BITVAVO_REST_URL", "http://127.0.0.1:8090", "must end in /v2"},
		{"BITVAVO_REST_URL", "http://u:hunter2@127.0.0.1/v2", "is not a base URL"},
		{"BITVAVO_REST_URL", "http://paper.internal/v2", "without encryption"},
		{"BITVAVO_REST_URL", "https://paper.internal/v2", "counts as a live exchange"},
		{"BITVAVO_REST_URL", "https://api.bitvavo.com/v2", "counts as a live exchange"},
		{"BITVAVO_REST_URL", "https://127.0.0.1.bitvavo.com/v2", "counts as a live exchange"},
		{"INTERLOCK_LIVE", "yes", "neither 0 nor 1"},
		{"BITVAVO_OPERATOR_ID", "", "is missing"},
		{"BITVAVO_OPERATOR_ID", "-1", "is not usable"},
		{"BITVAVO_OPERATOR_ID", "9223372036854775808", "is not usable"},
		{"BITVAVO_TRADE_RPS", "0", "is not usable"},
		{"BITVAVO_TRADE_RPS", "3.9", "4 to 1000"},
		{"BITVAVO_TRADE_RPS", "+Inf", "is not usable"},
		{"BITVAVO_TRADE_KEY", "line\nbreak", "spaces or line breaks"},
		{"INTERLOCK_METRICS_ADDR", "127.0.0.1:70000", "is not an address"},
		{"TEMPORAL_PROFILE", "gone", "TEMPORAL_*"},
	}
	for _, c := range cases {
		_, err := Worker("orders", environments()["orders"].with(c.name, c.value).get)
		require.ErrorContains(t, err, c.says, "%s=%s", c.name, c.value)
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := Worker("trader", environments()["orders"].get)
	require.ErrorContains(t, err, `"trader" is not a role`)
}

func TestLiveNeedsPermission(t *testing.T) {
	live := environments()["orders"].with("BITVAVO_REST_URL", "https://api.bitvavo.com/v2", "INTERLOCK_LIVE", "1")
	cfg, err := Worker("orders", live.get)
	require.NoError(t, err)
	require.True(t, cfg.Exchange.Live)
	_, err = Worker("all", live.get)
	require.ErrorContains(t, err, "all is for paper only")
}

func TestKeysMayComeFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte("from-file\n"), 0o600))
	e := environments()["orders"].with("BITVAVO_TRADE_KEY", "", "BITVAVO_TRADE_KEY_FILE", file)
	cfg, err := Worker("orders", e.get)
	require.NoError(t, err)
	require.Equal(t, "from-file", cfg.Trade.Key.Reveal())

	_, err = Worker("orders", e.with("BITVAVO_TRADE_KEY", "both").get)
	require.ErrorContains(t, err, "keep one")
	_, err = Worker("orders", e.with("BITVAVO_TRADE_KEY_FILE", file+"-gone").get)
	require.ErrorContains(t, err, "name a readable file")
	require.NoError(t, os.WriteFile(file, []byte("\n"), 0o600))
	_, err = Worker("orders", e.get)
	require.ErrorContains(t, err, "is an empty file")
}

func TestDefaultsStayOnThisMachine(t *testing.T) {
	base := environments()["orders"]
	cfg, err := Worker("orders", base.with("INTERLOCK_METRICS_ADDR", ":0").get)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:0", cfg.MetricsAddr)
	require.InDelta(t, 5, cfg.TradeRPS, 0)

	api, err := API(environments()["proposals"].get)
	require.NoError(t, err)
	require.Equal(t, DefaultAPIAddr, api.Addr)
	require.Empty(t, api.MetricsAddr)
}

func TestTemporalIsConfiguredAsItsSDKDoes(t *testing.T) {
	cfg, err := Worker("proposals", environments()["proposals"].with(
		"TEMPORAL_ADDRESS", "temporal:7233", "TEMPORAL_NAMESPACE", "trading").get)
	require.NoError(t, err)
	require.Equal(t, "temporal:7233", cfg.Temporal.HostPort)
	require.Equal(t, "trading", cfg.Temporal.Namespace)
}

func TestStarterNeedsNothing(t *testing.T) {
	cfg, err := Starter(env{}.get)
	require.NoError(t, err)
	require.Empty(t, cfg.DatabaseURL)
	require.Empty(t, cfg.TemporalAddress)
	require.Equal(t, "paper", cfg.Account)

	cfg, err = Starter(env{"INTERLOCK_API_URL": "http://127.0.0.1:8085/", "BITVAVO_REST_URL": paperURL, "INTERLOCK_TOKEN": "t"}.get)
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:8085", cfg.APIURL)
	require.Equal(t, paperURL, cfg.RESTURL)
	require.Equal(t, "t", cfg.Token.Reveal())

	_, err = Starter(env{"INTERLOCK_API_URL": "here"}.get)
	require.ErrorContains(t, err, "INTERLOCK_API_URL")
}

func TestEveryKeyVariableIsListed(t *testing.T) {
	names := KeyVariables()
	require.Len(t, names, 12)
	require.Contains(t, names, "OPENAI_API_KEY_FILE")
}
