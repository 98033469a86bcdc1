package api_test

import (
	"crypto/rand"
	"crypto/rsa"
	"maps"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/api"
	"interlock/internal/identity"
)

const (
	jwtIssuer = "https://p.example/auth/v1"
	jwtSecret = "a shared secret of more than 32 bytes"
)

// jwts believes what jwtOf signs.
func jwts(now func() time.Time) api.Tokens {
	return identity.New(identity.Config{
		Secret: jwtSecret, Issuer: jwtIssuer, Audience: "authenticated", Account: account, Now: now, RoleClaim: "app_metadata.interlock_role",
	})
}

func jwtClaims(now time.Time, change map[string]any) jwt.MapClaims {
	claims := jwt.MapClaims{"iss": jwtIssuer, "aud": "authenticated", "sub": "anna", "exp": now.Add(time.Hour).Unix()}
	maps.Copy(claims, change)
	return claims
}

func jwtOf(now time.Time, change map[string]any) string {
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwtClaims(now, change)).SignedString([]byte(jwtSecret))
	if err != nil {
		panic(err)
	}
	return text
}

func rs256(t *testing.T, now time.Time) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, jwtClaims(now, nil))
	token.Header["kid"] = "k"
	text, err := token.SignedString(key)
	require.NoError(t, err)
	return text
}
