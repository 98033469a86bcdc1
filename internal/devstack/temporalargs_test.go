package devstack

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestServerListensHereAndKeepsAFileFastAndSafe(t *testing.T) {
	t.Parallel()
	server := Temporal{cfg: TemporalConfig{
		Namespace: "default", DBFile: "/state/temporal.db",
		SearchAttributes: map[string]string{"Side": "Keyword", "Market": "Keyword"},
	}}
	args, err := server.args(7233, Headless)
	require.NoError(t, err)
	require.Equal(t, []string{
		"server", "start-dev", "--ip", "127.0.0.1", "--port", "7233", "--namespace", "default",
		"--log-level", "warn", "--color", "never", "--headless", "--db-filename", "/state/temporal.db",
		"--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL",
		"--search-attribute", "Market=Keyword", "--search-attribute", "Side=Keyword",
	}, args[:len(args)-2*len(defaultDynamicConfig)])
}

func TestGivenDynamicConfigReplacesOurs(t *testing.T) {
	t.Parallel()
	server := Temporal{cfg: TemporalConfig{DynamicConfig: map[string]any{
		"history.maxInFlightUpdates": 3, "frontend.namespaceRPS": 5000,
	}}}
	args, err := server.args(1, 2)
	require.NoError(t, err)
	require.Contains(t, args, "history.maxInFlightUpdates=3")
	require.NotContains(t, args, "history.maxInFlightUpdates=1000")
	require.Contains(t, args, "frontend.namespaceRPS=5000")
	require.Contains(t, args, "frontend.enableServerVersionCheck=false")
	require.Equal(t, 1000, defaultDynamicConfig["history.maxInFlightUpdates"], "ours stays")
}
