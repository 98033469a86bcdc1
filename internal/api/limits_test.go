package api_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/api"
	"interlock/internal/identity"
	"interlock/internal/listen/listentest"
	"interlock/internal/trade"
	"interlock/internal/view"
)

func TestOnePersonIsHeldToARateWhateverTheyProveThemselvesWith(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(c *api.Config) { c.RPS = 1 })
	second := d.as("anna", account)
	for n := range 5 {
		require.Equal(t, 200, d.send("GET", "/api/trading/proposals", nil, [][]string{nil, second}[n%2]...).status)
	}
	for _, header := range [][]string{nil, second} {
		r := d.send("GET", "/api/trading/proposals", nil, header...)
		require.Equal(t, 429, r.status)
		require.Equal(t, "TOO_MANY_REQUESTS", r.code())
		require.Equal(t, "1", r.header.Get("Retry-After"))
	}
	require.Equal(t, 200, d.send("GET", "/api/trading/proposals", nil, d.as("bert", account)...).status, "others are not held up")
	require.Equal(t, 200, d.send("GET", "/healthz", nil).status)
	d.now = d.now.Add(time.Second)
	require.Equal(t, 200, d.send("GET", "/api/trading/proposals", nil).status)
	require.Contains(t, d.log.String(), "msg=refused status=429")
}

// counted counts how often the records are asked who somebody is.
type counted struct {
	api.Store
	asked *int
}

func (c counted) Identify(ctx context.Context, token string) (view.Identity, error) {
	*c.asked++
	return c.Store.Identify(ctx, token)
}

func TestAnAddressThatFailsTooOftenIsNotLookedAtAndLocksNobodyOut(t *testing.T) {
	t.Parallel()
	asked := 0
	d := newDoor(t, func(c *api.Config) { c.FailuresPerMinute, c.Store = 5, counted{c.Store, &asked} })
	require.Equal(t, 200, d.send("GET", "/api/trading/proposals", nil).status)
	for n := range 5 {
		require.Equal(t, 401, d.send("GET", "/api/trading/proposals", nil, "Authorization", "Bearer ilk_"+strings.Repeat(strconv.Itoa(n), 43)).status)
	}
	before := asked
	r := d.send("GET", "/api/trading/proposals", nil, "Authorization", "Bearer ilk_"+strings.Repeat("x", 43))
	require.Equal(t, 429, r.status)
	require.Equal(t, "12", r.header.Get("Retry-After"))
	newcomer := d.as("bert", account)
	require.Equal(t, 429, d.send("GET", "/api/trading/proposals", nil, newcomer...).status)
	require.Equal(t, before, asked, "nobody was looked up")
	require.Equal(t, 200, d.send("GET", "/api/trading/proposals", nil).status, "who was believed before still is")
	d.now = d.now.Add(12 * time.Second)
	require.Equal(t, 200, d.send("GET", "/api/trading/proposals", nil, newcomer...).status)
}

func TestRevokingHoldsAtOnceForWhoWasBelieved(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	id, token, err := d.owner.CreateToken(ctx, "anna", account, "", "test")
	require.NoError(t, err)
	require.Equal(t, 200, d.send("GET", "/api/trading/proposals", nil, "Authorization", "Bearer "+token).status)
	require.NoError(t, d.owner.RevokeToken(ctx, id, "test"))
	require.Equal(t, 401, d.send("GET", "/api/trading/proposals", nil, "Authorization", "Bearer "+token).status)
}

func TestEveryRefusalIsLoggedWithoutWhatWasSent(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(c *api.Config) { c.JWTs = jwts(c.Now) })
	viewer := d.tokenFor(view.Viewer, "anna", account)
	forged := "ilk_" + strings.Repeat("Z", 43)
	bad := jwtOf(d.now, map[string]any{"aud": "hidden-audience", "email": "hidden@example.com"})
	for _, header := range []string{"", "Basic aGlkZGVu", "Bearer " + forged, "Bearer hidden", "Bearer " + bad} {
		require.Equal(t, 401, d.send("GET", "/api/trading/proposals?before=hidden", nil, "Authorization", header).status)
	}
	require.Equal(t, 403, d.send("POST", "/api/trading/halt", `{"reason":"hidden"}`, "Authorization", "Bearer "+viewer).status)
	d.server.Close()
	lines := strings.Split(d.log.String(), "\n")
	refusals := 0
	for _, line := range lines {
		if strings.Contains(line, "msg=refused") {
			refusals++
			require.Regexp(t, `reason=.+ remote=127\.0\.0\.1 `, line)
		}
	}
	require.Equal(t, 6, refusals, d.log.String())
	require.Contains(t, d.log.String(), "it is for another audience")
	for _, secret := range []string{"hidden", "aGlkZGVu", forged, viewer, bad, strings.Split(bad, ".")[1]} {
		require.NotContains(t, d.log.String(), secret)
	}
}

func TestAJWTAndATokenOfOneUserAreOnePerson(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(c *api.Config) { c.JWTs = jwts(c.Now) })
	d.propose("p")
	same := []string{"Authorization", "Bearer " + jwtOf(d.now, map[string]any{"sub": "anna"})}
	r := d.send("GET", "/api/trading/proposals/p", nil, same...)
	require.Equal(t, 200, r.status, r.text)
	require.Equal(t, 404, d.send("GET", "/api/trading/proposals/p", nil, "Authorization", "Bearer "+jwtOf(d.now, map[string]any{"sub": "Anna"})).status)
	require.Equal(t, 403, d.send("POST", "/api/trading/halt", map[string]any{"reason": "r"}, same...).status, "a JWT without a role is a trader's")
	viewer := jwtOf(d.now, map[string]any{"sub": "anna", "app_metadata": map[string]any{"interlock_role": "viewer"}})
	require.Equal(t, 403, d.send("POST", "/api/trading/proposals", body("q"), "Authorization", "Bearer "+viewer).status)
	require.Equal(t, 201, d.send("POST", "/api/trading/proposals", body("q"), same...).status)
	require.Equal(t, 1, d.rows(`SELECT count(*) FROM interlock.audit_events WHERE proposal_id = 'q' AND body->'verified'->>'proof' = 'jwt' AND body->'verified'->>'user' = 'anna'`))
}

func TestAnIssuerThatDoesNotAnswerIs503AndTokensStillWork(t *testing.T) {
	t.Parallel()
	down := "http://" + listentest.Refusing(t)
	d := newDoor(t, func(c *api.Config) {
		c.JWTs = identity.New(identity.Config{KeysURL: down, Issuer: jwtIssuer, Audience: "authenticated", Account: account, Now: c.Now})
	})
	r := d.send("GET", "/api/trading/proposals", nil, "Authorization", "Bearer "+rs256(t, d.now))
	require.Equal(t, []any{503, "IDENTITY_UNAVAILABLE"}, []any{r.status, r.code()})
	require.NotContains(t, r.text, "127.0.0.1")
	require.Equal(t, 200, d.send("GET", "/api/trading/proposals", nil).status)
}

func TestOnlyListedOriginsMayUseItFromABrowser(t *testing.T) {
	t.Parallel()
	const listed = "https://app.example.com"
	d := newDoor(t, func(c *api.Config) { c.Origins = []string{listed} })
	preflight := func(origin, method string) *http.Response {
		r, err := http.NewRequestWithContext(ctx, http.MethodOptions, d.server.URL+"/api/trading/execute", http.NoBody)
		require.NoError(t, err)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", method)
		r.Header.Set("Access-Control-Request-Headers", "authorization,content-type")
		answer, err := d.server.Client().Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer
	}
	got := preflight(listed, "POST")
	require.Equal(t, 204, got.StatusCode)
	require.Equal(t, listed, got.Header.Get("Access-Control-Allow-Origin"))
	require.Empty(t, got.Header.Get("Access-Control-Allow-Credentials"))
	for _, other := range []string{"https://app.example.com.evil.example", "http://app.example.com", "https://APP.example.com", "null", "https://app.example.com:444", "*"} {
		require.Empty(t, preflight(other, "POST").Header.Get("Access-Control-Allow-Origin"), other)
		r := d.send("GET", "/api/trading/proposals", nil, "Origin", other)
		require.Empty(t, r.header.Get("Access-Control-Allow-Origin"), other)
	}
	require.Empty(t, preflight(listed, "PATCH").Header.Get("Access-Control-Allow-Origin"))
	r := d.send("GET", "/api/trading/proposals", nil, "Origin", listed)
	require.Equal(t, listed, r.header.Get("Access-Control-Allow-Origin"))
	r = d.send("GET", "/api/trading/proposals", nil, "Origin", listed, "Authorization", "")
	require.Equal(t, 401, r.status)
	require.Equal(t, listed, r.header.Get("Access-Control-Allow-Origin"), "so that the page can read why")

	none := newDoor(t)
	require.Equal(t, 405, none.send("OPTIONS", "/api/trading/execute", nil, "Origin", listed, "Access-Control-Request-Method", "POST").status)
}

func TestARoleThatIsNoneMayNothing(t *testing.T) {
	t.Parallel()
	for _, role := range []view.Role{"", "owner", "OPERATOR"} {
		for _, need := range append(view.Roles(), "") {
			require.False(t, role.Covers(need), "%q %q", role, need)
		}
	}
	require.False(t, view.Operator.Covers(""), "a route that no role is named for is nobody's")
	require.ErrorIs(t, (&identity.Refusal{}), trade.ErrNotFound)
}
