package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
	"interlock/internal/view"
)

var ctx = context.Background()

const (
	issuer  = "https://p.example/auth/v1"
	secret  = "a shared secret of more than 32 bytes"
	subject = "5f0c9f0e-3c0f-4a52-8f41-000000000001"
)

// keys are made once: they are slow to make.
var (
	rsaKey, otherRSA = sync.OnceValue(makeRSA), sync.OnceValue(makeRSA)
	ecKey            = sync.OnceValue(func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		return key
	})
)

func makeRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// issuing is an issuer with its published keys and a clock.
type issuing struct {
	t      *testing.T
	mu     sync.Mutex
	now    time.Time
	asked  int
	status int
	body   string
	server *httptest.Server
}

func newIssuing(t *testing.T, keys ...map[string]any) *issuing {
	t.Helper()
	i := &issuing{t: t, now: time.Now().Truncate(time.Second), status: http.StatusOK}
	i.publish(keys...)
	i.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.asked++
		w.WriteHeader(i.status)
		_, _ = w.Write([]byte(i.body))
	}))
	t.Cleanup(i.server.Close)
	return i
}

func (i *issuing) publish(keys ...map[string]any) {
	i.t.Helper()
	text, err := json.Marshal(map[string]any{"keys": keys})
	require.NoError(i.t, err)
	i.answer(http.StatusOK, string(text))
}

func (i *issuing) answer(status int, body string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.body = status, body
}

func (i *issuing) questions() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

func (i *issuing) later(d time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.now = i.now.Add(d)
}

func (i *issuing) clock() time.Time {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.now
}

// both believes the shared secret and the published keys.
func (i *issuing) both(change ...func(*Config)) *JWTs {
	cfg := Config{
		Secret: secret, KeysURL: i.server.URL, Issuer: issuer, Audience: "authenticated", Now: i.clock,
		RoleClaim: "app_metadata.interlock_role", AccountClaim: "app_metadata.interlock_account", Account: "paper",
	}
	for _, c := range change {
		c(&cfg)
	}
	return New(cfg)
}

// claims are those of a token that is good, with changes; nil removes one.
func (i *issuing) claims(change map[string]any) jwt.MapClaims {
	now := i.clock()
	c := jwt.MapClaims{
		"iss": issuer, "aud": "authenticated", "sub": subject, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"role": "authenticated", "email": "hidden@example.com",
		"app_metadata": map[string]any{"provider": "email"}, "user_metadata": map[string]any{"interlock_role": "operator"},
	}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func (i *issuing) hs256(change map[string]any) string {
	return i.signed(jwt.SigningMethodHS256, "", []byte(secret), change)
}

func (i *issuing) signed(method jwt.SigningMethod, kid string, key any, change map[string]any) string {
	i.t.Helper()
	token := jwt.NewWithClaims(method, i.claims(change))
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	require.NoError(i.t, err)
	return text
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func rsaJWK(kid string, key *rsa.PublicKey) map[string]any {
	return map[string]any{"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}
}

func ecJWK(kid string, key *ecdsa.PublicKey) map[string]any {
	return map[string]any{
		"kty": "EC", "kid": kid, "use": "sig", "alg": "ES256", "crv": "P-256",
		"x": b64(key.X.FillBytes(make([]byte, 32))), "y": b64(key.Y.FillBytes(make([]byte, 32))),
	}
}

// refused holds a refusal to telling its reason and nothing that was sent.
func refused(t *testing.T, j *JWTs, token, reason string) {
	t.Helper()
	_, err := j.Identify(ctx, token)
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal, "%s", token)
	require.ErrorIs(t, err, trade.ErrNotFound)
	require.Contains(t, err.Error(), reason)
	require.NotContains(t, err.Error(), "hidden")
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 3 {
			require.NotContains(t, err.Error(), part)
		}
	}
}

func believed(t *testing.T, j *JWTs, token string) view.Identity {
	t.Helper()
	who, err := j.Identify(ctx, token)
	require.NoError(t, err)
	return who
}
