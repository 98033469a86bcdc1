package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/secret"
)

func apiEnv() env {
	return environments()["proposals"].with("INTERLOCK_JWT_SECRET", strings.Repeat("hunter2-", 4), "INTERLOCK_JWT_ISSUER", "https://p.example/auth/v1")
}

func TestJWTsAreBelievedAsSupabaseIssuesThem(t *testing.T) {
	cfg, err := API(apiEnv().get)
	require.NoError(t, err)
	require.Equal(t, JWT{
		Secret: secret.Text(strings.Repeat("hunter2-", 4)), Issuer: "https://p.example/auth/v1", Audience: "authenticated",
		RoleClaim: "app_metadata.interlock_role", AccountClaim: "app_metadata.interlock_account",
	}, cfg.JWT)
	require.True(t, cfg.JWT.On())

	cfg, err = API(environments()["proposals"].get)
	require.NoError(t, err)
	require.False(t, cfg.JWT.On())
	require.Empty(t, cfg.Origins, "no page of another origin unless it is listed")
}

func TestJWTSecretMayComeFromAFileAndOnlyTheAPIHoldsIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("s", 40)+"\n"), 0o600))
	cfg, err := API(apiEnv().with("INTERLOCK_JWT_SECRET", "", "INTERLOCK_JWT_SECRET_FILE", file).get)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("s", 40), cfg.JWT.Secret.Reveal())
	for role, e := range environments() {
		_, err := Worker(role, e.with("INTERLOCK_JWT_SECRET", "hunter2").get)
		require.ErrorContains(t, err, "INTERLOCK_JWT_SECRET: is set")
	}
}

func TestEveryProblemOfIdentitiesIsReportedAtOnce(t *testing.T) {
	_, err := API(environments()["proposals"].with(
		"INTERLOCK_JWT_SECRET", "hunter2", "INTERLOCK_JWKS_URL", "http://keys.example/jwks", "INTERLOCK_JWT_ACCOUNT", "a b",
		"INTERLOCK_JWT_ROLE_CLAIM", "user_metadata.role", "INTERLOCK_JWT_ACCOUNT_CLAIM", "a..b", "INTERLOCK_CORS_ORIGINS", "*",
		"INTERLOCK_API_RPS", "fast", "INTERLOCK_API_FAILURES", "0",
	).get)
	for _, says := range []string{
		"INTERLOCK_JWT_SECRET: is shorter", "INTERLOCK_JWKS_URL: reaches", "INTERLOCK_JWT_ISSUER: is missing", "INTERLOCK_JWT_ACCOUNT: ",
		"INTERLOCK_JWT_ROLE_CLAIM: \"user_metadata.role\" is written by users", "INTERLOCK_JWT_ACCOUNT_CLAIM: ", "INTERLOCK_CORS_ORIGINS: ",
		"INTERLOCK_API_RPS: ", "INTERLOCK_API_FAILURES: ",
	} {
		require.ErrorContains(t, err, says)
	}
	require.NotContains(t, err.Error(), "hunter2")
	_, err = API(environments()["proposals"].with("INTERLOCK_JWT_AUDIENCE", "us", "INTERLOCK_JWT_ACCOUNT", "main").get)
	require.ErrorContains(t, err, "INTERLOCK_JWT_AUDIENCE: is set, and no JWT can be checked")
	require.ErrorContains(t, err, "INTERLOCK_JWT_ACCOUNT: is set, and no JWT can be checked")
}

func TestOriginsAreExact(t *testing.T) {
	cfg, err := API(apiEnv().with("INTERLOCK_CORS_ORIGINS", "https://app.example.com, http://127.0.0.1:5173,").get)
	require.NoError(t, err)
	require.Equal(t, []string{"https://app.example.com", "http://127.0.0.1:5173"}, cfg.Origins)
	for _, bad := range []string{
		"*", "https://*.example.com", "https://app.example.com/", "https://App.example.com", "app.example.com", "http://app.example.com", "null",
		"https://u:p@app.example.com", "ftp://app.example.com", "https://app.example.com?x", "file://",
	} {
		_, err := API(apiEnv().with("INTERLOCK_CORS_ORIGINS", bad).get)
		require.ErrorContains(t, err, "INTERLOCK_CORS_ORIGINS", bad)
	}
}
