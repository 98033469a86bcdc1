package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/config"
	"interlock/internal/view"
)

func TestTheEnvironmentSaysWhichJWTsAreBelieved(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("s", 40)
	env := map[string]string{"DATABASE_URL": "postgres://u@127.0.0.1/i"}
	read := func() config.JWT {
		t.Helper()
		cfg, err := config.API(func(name string) string { return env[name] })
		require.NoError(t, err)
		return cfg.JWT
	}
	require.Nil(t, believed(read()), "none unless somebody says so")

	env["INTERLOCK_JWT_SECRET"], env["INTERLOCK_JWT_ISSUER"] = secret, "https://p.example"
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"iss": "https://p.example", "aud": "authenticated", "sub": "anna", "exp": time.Now().Add(time.Hour).Unix(),
		"app_metadata": map[string]any{"interlock_role": "operator", "interlock_account": "main"},
	}).SignedString([]byte(secret))
	require.NoError(t, err)
	who, err := believed(read()).Identify(context.Background(), token)
	require.NoError(t, err)
	require.Equal(t, view.Identity{UserID: "anna", AccountID: "main", Role: view.Operator, Proof: view.ByJWT}, who)
}
