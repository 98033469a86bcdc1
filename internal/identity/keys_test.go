package identity

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
	"interlock/internal/waittest"
)

func (i *issuing) rs256(kid string) string {
	return i.signed(jwt.SigningMethodRS256, kid, rsaKey(), nil)
}

func TestAnUnknownKeyIsAskedForButNotByEverybodyWhoNamesOne(t *testing.T) {
	t.Parallel()
	i := newIssuing(t, rsaJWK("old", &rsaKey().PublicKey))
	j := i.both()
	believed(t, j, i.rs256("old"))
	for n := range 50 {
		refused(t, j, i.rs256(fmt.Sprint("made-up-", n)), "no such key")
	}
	require.Equal(t, 1, i.questions())

	i.publish(rsaJWK("new", &rsaKey().PublicKey))
	i.later(keysPause)
	believed(t, j, i.rs256("new"))
	refused(t, j, i.rs256("old"), "no such key")
	require.Equal(t, 2, i.questions(), "a rotated key is believed at its first use, and the old one no longer")
}

func TestManyAtOnceAskOnce(t *testing.T) {
	t.Parallel()
	i := newIssuing(t, rsaJWK("r", &rsaKey().PublicKey))
	j, token := i.both(), i.rs256("r")
	errs := make([]error, 20)
	var all sync.WaitGroup
	for n := range errs {
		all.Go(func() { _, errs[n] = j.Identify(ctx, token) })
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 1, i.questions())
}

func TestAnIssuerThatDoesNotAnswerLocksNobodyOutWhoIsKnown(t *testing.T) {
	t.Parallel()
	i := newIssuing(t, rsaJWK("r", &rsaKey().PublicKey))
	j := i.both()
	believed(t, j, i.rs256("r"))
	i.answer(http.StatusBadGateway, "hidden")
	i.later(keysLife + time.Minute)
	believed(t, j, i.rs256("r"))
	waittest.Closely(t, "it to be asked again beside them", func() error {
		n := i.questions()
		return waittest.Is(n == 2, "it was asked %d times", n)
	})

	i.later(keysPause)
	_, err := j.Identify(ctx, i.rs256("other"))
	var none *unavailable
	require.ErrorAs(t, err, &none)
	require.NotErrorIs(t, err, trade.ErrNotFound, "nobody knows whether there is such a key")
	require.NotContains(t, err.Error(), "hidden")
	believed(t, j, i.rs256("r"))

	i.later(keysStale)
	_, err = j.Identify(ctx, i.rs256("r"))
	require.ErrorAs(t, err, &none, "not for ever")
}

func TestWhatIsNoSetOfKeysIsNotTaken(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		"", "null", "[]", "{}", `{"keys":{}}`, "<html>", `{"keys":[` + strings.Repeat("{},", keysMost) + `{}]}`, `{"keys":["` + strings.Repeat("x", keysBytes) + `"]}`,
	} {
		i := newIssuing(t)
		i.answer(http.StatusOK, body)
		_, err := i.both().Identify(ctx, i.rs256("r"))
		var none *unavailable
		require.ErrorAs(t, err, &none, "%.60s", body)
	}
}

func TestKeysThatCheckNothingAreLeftOut(t *testing.T) {
	t.Parallel()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	change := func(jwk map[string]any, field string, value any) map[string]any {
		jwk[field] = value
		return jwk
	}
	public := &rsaKey().PublicKey
	for name, jwk := range map[string]map[string]any{
		"too small":         rsaJWK("r", &small.PublicKey),
		"to encrypt":        change(rsaJWK("r", public), "use", "enc"),
		"another algorithm": change(rsaJWK("r", public), "alg", "RS512"),
		"without an ID":     rsaJWK("", public),
		"not base64":        change(rsaJWK("r", public), "n", "!"),
		"of no kind":        change(rsaJWK("r", public), "kty", "XYZ"),
		"a text":            {"kid": "r"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuing(t, jwk, rsaJWK("good", public))
			j := i.both()
			refused(t, j, i.rs256("r"), "no such key")
			believed(t, j, i.rs256("good"))
		})
	}
	i := newIssuing(t, change(change(rsaJWK("r", public), "x5c", []string{"rubbish"}), "x5u", "https://elsewhere.example"))
	believed(t, i.both(), i.rs256("r"))
}
