package identity

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/view"
)

func TestWhoAJWTSpeaksFor(t *testing.T) {
	t.Parallel()
	i := newIssuing(t, rsaJWK("r", &rsaKey().PublicKey), ecJWK("e", &ecKey().PublicKey))
	j := i.both()
	plain := view.Identity{UserID: subject, AccountID: "paper", Role: view.Trader, Proof: view.ByJWT}
	require.Equal(t, plain, believed(t, j, i.hs256(nil)))
	require.Equal(t, plain, believed(t, j, i.signed(jwt.SigningMethodRS256, "r", rsaKey(), nil)))
	require.Equal(t, plain, believed(t, j, i.signed(jwt.SigningMethodES256, "e", ecKey(), nil)))
	given := map[string]any{"app_metadata": map[string]any{"interlock_role": "operator", "interlock_account": "main"}}
	require.Equal(t, view.Identity{UserID: subject, AccountID: "main", Role: view.Operator, Proof: view.ByJWT}, believed(t, j, i.hs256(given)))
	require.Equal(t, plain, believed(t, j, i.hs256(map[string]any{"aud": []string{"other", "authenticated"}, "app_metadata": nil})))
}

// Each is good but for one thing.
func TestWhatIsNotBelieved(t *testing.T) {
	t.Parallel()
	i := newIssuing(t, rsaJWK("r", &rsaKey().PublicKey), ecJWK("e", &ecKey().PublicKey))
	j := i.both()
	in := func(d time.Duration) int64 { return i.clock().Add(d).Unix() }
	metadata := func(name string, value any) map[string]any {
		return map[string]any{"app_metadata": map[string]any{name: value}}
	}
	for name, c := range map[string]struct {
		change map[string]any
		reason string
	}{
		"expired":                   {map[string]any{"exp": in(-time.Minute)}, "expired"},
		"never expires":             {map[string]any{"exp": nil}, "lacks expiry"},
		"not yet":                   {map[string]any{"nbf": in(time.Minute)}, "not valid yet"},
		"issued in the future":      {map[string]any{"iat": in(time.Minute)}, "issued in the future"},
		"another issuer":            {map[string]any{"iss": issuer + "/"}, "another issuer"},
		"no issuer":                 {map[string]any{"iss": nil}, "lacks"},
		"another audience":          {map[string]any{"aud": "anon"}, "another audience"},
		"no audience":               {map[string]any{"aud": nil}, "lacks"},
		"no subject":                {map[string]any{"sub": nil}, "no user ID"},
		"a subject that is no ID":   {map[string]any{"sub": "anna bert"}, "no user ID"},
		"a subject of all":          {map[string]any{"sub": "*"}, "no user ID"},
		"anonymous":                 {map[string]any{"is_anonymous": true}, "anonymous"},
		"an unknown role":           {metadata("interlock_role", "owner"), "role"},
		"a role in capitals":        {metadata("interlock_role", "Operator"), "role"},
		"an empty role":             {metadata("interlock_role", ""), "role"},
		"a role that is a list":     {metadata("interlock_role", []string{"operator"}), "role"},
		"a role of null":            {metadata("interlock_role", nil), "role"},
		"a role within a text":      {map[string]any{"app_metadata": "operator"}, "role"},
		"an account that is none":   {metadata("interlock_account", "a b"), "account"},
		"an account that is a list": {metadata("interlock_account", []string{"paper"}), "account"},
		"times that are texts":      {map[string]any{"exp": "tomorrow"}, "malformed"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, j, i.hs256(c.change), c.reason) })
	}
	refused(t, i.both(func(c *Config) { c.Account = "" }), i.hs256(nil), "account")
	require.Equal(t, subject, believed(t, j, i.hs256(map[string]any{"exp": in(-leeway / 2), "nbf": in(leeway / 2), "iat": in(leeway / 2)})).UserID, "clocks may differ a little")
}

func TestNoKeyChecksTheSignatureOfAnotherKind(t *testing.T) {
	t.Parallel()
	rsaPublic := &rsaKey().PublicKey
	shared := map[string]any{"kty": "oct", "kid": "o", "alg": "HS256", "k": b64([]byte(secret))}
	i := newIssuing(t, rsaJWK("r", rsaPublic), ecJWK("e", &ecKey().PublicKey), shared)
	j := i.both()
	der, err := x509.MarshalPKIXPublicKey(rsaPublic)
	require.NoError(t, err)
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})

	signature := "signature or algorithm"
	for _, public := range [][]byte{text, der, rsaPublic.N.Bytes(), []byte(rsaJWK("r", rsaPublic)["n"].(string))} {
		refused(t, j, i.signed(jwt.SigningMethodHS256, "r", public, nil), signature)
	}
	refused(t, j, i.signed(jwt.SigningMethodNone, "", jwt.UnsafeAllowNoneSignatureType, nil), signature)
	refused(t, j, i.signed(jwt.SigningMethodHS512, "", []byte(secret), nil), signature)
	refused(t, j, i.signed(jwt.SigningMethodRS512, "r", rsaKey(), nil), signature)
	refused(t, j, i.signed(jwt.SigningMethodPS256, "r", rsaKey(), nil), signature)
	refused(t, j, i.signed(jwt.SigningMethodRS256, "r", otherRSA(), nil), signature)
	refused(t, j, i.signed(jwt.SigningMethodRS256, "e", rsaKey(), nil), "another algorithm")
	refused(t, j, i.signed(jwt.SigningMethodES256, "r", ecKey(), nil), "another algorithm")
	refused(t, j, i.signed(jwt.SigningMethodRS256, "o", rsaKey(), nil), "no such key")
	refused(t, j, i.signed(jwt.SigningMethodRS256, "", rsaKey(), nil), "names no key")

	onlyKeys := i.both(func(c *Config) { c.Secret = "" })
	refused(t, onlyKeys, i.signed(jwt.SigningMethodHS256, "", []byte("x"), nil), signature)
	refused(t, onlyKeys, i.hs256(nil), signature)
	onlySecret := i.both(func(c *Config) { c.KeysURL = "" })
	refused(t, onlySecret, i.signed(jwt.SigningMethodRS256, "r", rsaKey(), nil), signature)
	require.Equal(t, subject, believed(t, onlySecret, i.hs256(nil)).UserID)
}

func TestSupabasesOwnKeysAreNobody(t *testing.T) {
	t.Parallel()
	i := newIssuing(t)
	for _, role := range []string{"anon", "service_role"} {
		refused(t, i.both(), i.hs256(map[string]any{"role": role, "aud": nil, "sub": nil, "iss": "supabase"}), "another issuer")
		refused(t, i.both(), i.hs256(map[string]any{"role": role, "sub": nil}), "no user ID")
	}
}

func TestTextThatIsNoJWTIsMalformed(t *testing.T) {
	t.Parallel()
	i := newIssuing(t)
	good := i.hs256(nil)
	parts := strings.Split(good, ".")
	for _, text := range []string{
		"", ".", "..", "hidden", parts[0] + "." + parts[1], good + ".x", parts[0] + ".." + parts[2], "!" + good,
		parts[0] + "." + parts[1] + ".", parts[0] + "." + b64([]byte(`[]`)) + "." + parts[2], strings.Repeat("a", 10_000),
		b64([]byte(`{"alg":["HS256"]}`)) + "." + parts[1] + "." + parts[2], good + "=",
	} {
		refused(t, i.both(), text, "")
	}
	last := good[len(good)-1:]
	spare := strings.Map(func(r rune) rune { // the same bytes but for bits that nothing is in
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		return rune(alphabet[strings.IndexRune(alphabet, r)|1])
	}, last)
	refused(t, i.both(), good[:len(good)-1]+spare, "malformed")
	tampered := parts[0] + "." + b64([]byte(strings.Replace(mustDecode(t, parts[1]), subject, "someone-else", 1))) + "." + parts[2]
	refused(t, i.both(), tampered, "signature")
}

func mustDecode(t *testing.T, part string) string {
	t.Helper()
	text, err := jwt.NewParser().DecodeSegment(part)
	require.NoError(t, err)
	return string(text)
}
