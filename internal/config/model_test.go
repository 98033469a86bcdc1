package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheModelsServerAndKeyBelongToRoleScans(t *testing.T) {
	base := environments()["scans"]
	cfg, err := Worker("scans", base.with("OPENAI_BASE_URL", "https://x.example/v1/", "OPENAI_API_KEY", "hunter2", "INTERLOCK_SCANS_AT_ONCE", "9").get)
	require.NoError(t, err)
	require.Equal(t, "https://x.example/v1", cfg.Model.BaseURL)
	require.Equal(t, "hunter2", cfg.Model.Key.Reveal())
	require.Equal(t, 9, cfg.ScansAtOnce)
	cfg, err = Worker("scans", base.get)
	require.NoError(t, err)
	require.Equal(t, Model{}, cfg.Model)
	require.Equal(t, DefaultScansAtOnce, cfg.ScansAtOnce)
}

func TestAModelsKeyIsNotSentInTheClear(t *testing.T) {
	base := environments()["scans"]
	for _, url := range []string{"http://127.0.0.1:11434/v1", "http://localhost:8000/v1", "https://x.example/v1"} {
		_, err := Worker("scans", base.with("OPENAI_BASE_URL", url, "OPENAI_API_KEY", "hunter2").get)
		require.NoError(t, err, url)
	}
	_, err := Worker("scans", base.with("OPENAI_BASE_URL", "http://ollama:11434/v1").get)
	require.NoError(t, err, "without a key there is nothing to lose")
	for _, url := range []string{"http://ollama:11434/v1", "ftp://x/v1", "x/v1", "https://u:p@x/v1", "https://x/v1?key=1"} {
		_, err := Worker("scans", base.with("OPENAI_BASE_URL", url, "OPENAI_API_KEY", "hunter2").get)
		require.ErrorContains(t, err, "OPENAI_BASE_URL: ", url)
		require.NotContains(t, err.Error(), "hunter2")
	}
	for _, n := range []string{"0", "-1", "101", "many"} {
		_, err := Worker("scans", base.with("INTERLOCK_SCANS_AT_ONCE", n).get)
		require.ErrorContains(t, err, "INTERLOCK_SCANS_AT_ONCE: ", n)
	}
}
