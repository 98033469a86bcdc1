package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/api"
	"interlock/internal/scan"
	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

func TestNothingIsToldWithoutAValidToken(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.propose("p")
	id, revoked, err := d.owner.CreateToken(ctx, "anna", account, "", "test")
	require.NoError(t, err)
	require.NoError(t, d.owner.RevokeToken(ctx, id, "test"))
	for _, header := range []string{
		"", "Bearer", "Bearer ", "Bearer x", "Basic " + d.token, d.token, "Bearer ilk_" + strings.Repeat("A", 43), "Bearer " + revoked,
	} {
		for _, c := range [][2]string{
			{"POST", "/api/trading/execute"}, {"POST", "/api/trading/proposals"}, {"GET", "/api/trading/proposals"},
			{"GET", "/api/trading/proposals/p"}, {"POST", "/api/trading/proposals/p/override"},
			{"POST", "/api/trading/proposals/p/cancel"}, {"GET", "/api/trading/policy"}, {"PUT", "/api/trading/policy"},
		} {
			r := d.send(c[0], c[1], "not even JSON", "Authorization", header)
			require.Equal(t, 401, r.status, "%q %v", header, c)
			require.Equal(t, "UNAUTHORIZED", r.code())
			require.Equal(t, "Bearer", r.header.Get("WWW-Authenticate"))
		}
	}
	d.server.Close()
	require.NotContains(t, d.log.String(), strings.TrimPrefix(revoked, "ilk_"))
	require.NotContains(t, d.log.String(), strings.TrimPrefix(d.token, "ilk_"))
}

func TestStrangersProposalDoesNotExist(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.account("other")
	d.propose("p")
	for _, who := range [][]string{d.as("bert", account), d.as("anna", "other")} {
		for _, c := range []struct {
			method, path string
			body         any
		}{
			{"GET", "/api/trading/proposals/ID", nil},
			{"POST", "/api/trading/execute", map[string]any{"proposalId": "ID"}},
			{"POST", "/api/trading/proposals/ID/override", map[string]any{"cooldown": true, "reason": "r"}},
			{"POST", "/api/trading/proposals/ID/cancel", map[string]any{"reason": "r"}},
		} {
			ask := func(id string) reply {
				body, ok := c.body.(map[string]any)
				if ok && body["proposalId"] != nil {
					body["proposalId"] = id
				}
				return d.send(c.method, strings.ReplaceAll(c.path, "ID", id), c.body, who...)
			}
			theirs, none := ask("p"), ask("q")
			require.Equal(t, 404, theirs.status, theirs.text)
			require.Equal(t, none.text, strings.ReplaceAll(theirs.text, "proposal p ", "proposal q "))
		}
		require.Empty(t, d.send("GET", "/api/trading/proposals", nil, who...).body["proposals"])
		r := d.send("POST", "/api/trading/proposals", body("p"), who...)
		require.Equal(t, 409, r.status)
		require.NotContains(t, r.text, "anna")
	}
}

func TestOnlySmallPlainJSONIsRead(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	big := `{"proposalId":"` + strings.Repeat("x", 64<<10) + `"}`
	exact := `{"proposalId":"p"` + strings.Repeat(" ", 64<<10-len(`{"proposalId":"p"}`)) + `}`
	for _, c := range []struct {
		name   string
		body   any
		header []string
		status int
		code   string
	}{
		{"too large", big, nil, 413, "BODY_TOO_LARGE"},
		{"too large, length not said", io.MultiReader(strings.NewReader(big)), nil, 413, "BODY_TOO_LARGE"},
		{"as large as it may be", exact, nil, 404, "NOT_FOUND"},
		{"as large as it may be, length not said", io.MultiReader(strings.NewReader(exact)), nil, 404, "NOT_FOUND"},
		{"form", "proposalId=p", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "JSON_ONLY"},
		{"text", `{"proposalId":"p"}`, []string{"Content-Type", "text/plain"}, 415, "JSON_ONLY"},
		{"no type", `{"proposalId":"p"}`, []string{"Content-Type", ""}, 415, "JSON_ONLY"},
		{"another character set", `{"proposalId":"p"}`, []string{"Content-Type", "application/json; charset=latin1"}, 415, "JSON_ONLY"},
		{"compressed", `{"proposalId":"p"}`, []string{"Content-Encoding", "gzip"}, 415, "JSON_ONLY"},
		{"character set said", `{"proposalId":"p"}`, []string{"Content-Type", "application/json; charset=UTF-8"}, 404, "NOT_FOUND"},
		{"nothing", nil, nil, 400, "INVALID_REQUEST"},
		{"no JSON", `{"proposalId":`, nil, 400, "INVALID_REQUEST"},
		{"no object", `["p"]`, nil, 400, "INVALID_REQUEST"},
		{"null", `null`, nil, 400, "INVALID_REQUEST"},
		{"two values", `{"proposalId":"p"}{}`, nil, 400, "INVALID_REQUEST"},
		{"a field twice", `{"proposalId":"p","proposalId":"q"}`, nil, 400, "INVALID_REQUEST"},
		{"a field twice, escaped", `{"proposalId":"p","proposal\u0049d":"q"}`, nil, 400, "INVALID_REQUEST"},
	} {
		r := d.send("POST", "/api/trading/execute", c.body, c.header...)
		require.Equal(t, c.status, r.status, "%s: %s", c.name, r.text)
		require.Equal(t, c.code, r.code(), c.name)
		require.Less(t, len(r.text), 1000, c.name)
	}
}

func TestUnknownPathsAndMethodsAreAnsweredInJSON(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/", 404, ""}, {"GET", "/docs", 404, ""}, {"GET", "/healthz/", 404, ""}, {"GET", "//healthz", 404, ""},
		{"GET", "/api/trading/../../healthz", 404, ""}, {"GET", "/openapi.yaml", 404, ""}, {"GET", "/api/trading/proposals/a/b", 404, ""},
		{"DELETE", "/api/trading/proposals", 405, "GET, HEAD, POST"}, {"GET", "/api/trading/execute", 405, "POST"},
		{"OPTIONS", "/api/trading/execute", 405, "POST"}, {"POST", "/healthz", 405, "GET, HEAD"},
		{"GET", "/api/trading/proposals/%2e%2e%2f", 404, ""}, {"GET", "/api/trading/proposals/a%00b", 404, ""},
	} {
		r := d.send(c.method, c.path, nil)
		require.Equal(t, c.status, r.status, "%s %s", c.method, c.path)
		require.Equal(t, c.allow, r.header.Get("Allow"))
	}
	require.Equal(t, 400, d.send("GET", "/api/trading/proposals?user=bert", nil).status)
}

func TestEveryAnswerIsKeptOutOfCachesAndFrames(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, path := range []string{"/healthz", "/nowhere", "/openapi.json", "/api/trading/policy"} {
		h := d.send("GET", path, nil, "Origin", "https://elsewhere.example").header
		require.Equal(t, "no-store", h.Get("Cache-Control"))
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
		require.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		require.Empty(t, h.Get("Access-Control-Allow-Origin"))
	}
}

func TestHealthTellsWhatIsDown(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	require.Equal(t, 200, d.send("GET", "/readyz", nil, "Authorization", "").status)
	d.temporal.down = errors.New("dial tcp 10.0.0.1: refused")
	r := d.send("GET", "/readyz", nil)
	require.Equal(t, 503, r.status)
	require.Equal(t, "WORKFLOWS_UNAVAILABLE", r.code())
	require.NotContains(t, r.text, "10.0.0.1")
	d.store.Close()
	r = d.send("GET", "/readyz", nil)
	require.Equal(t, "DATABASE_UNAVAILABLE", r.code())
	require.Len(t, r.body["errors"], 2)
	require.Equal(t, 200, d.send("GET", "/healthz", nil, "Authorization", "").status)
}

// broken answers who asks and nothing else.
type broken struct {
	api.Store
	err error
}

func (b broken) Identify(context.Context, string) (view.Identity, error) {
	return view.Identity{UserID: "anna", AccountID: account, Role: view.Operator}, nil
}
func (b broken) Proposal(context.Context, string) (view.Proposal, error) {
	return view.Proposal{}, b.fault()
}
func (b broken) Proposals(context.Context, view.Filter) ([]view.Proposal, error) {
	return nil, b.fault()
}
func (b broken) InsertProposal(context.Context, trade.Proposal, string) (trade.Proposal, bool, error) {
	return trade.Proposal{}, false, b.fault()
}
func (b broken) Policy(context.Context, string, string) (trade.Policy, int, error) {
	return trade.Policy{}, 0, b.fault()
}
func (b broken) PutPolicy(context.Context, string, string, trade.Policy, string) (int, error) {
	return 0, b.fault()
}
func (b broken) ScanJob(context.Context, string) (scan.Job, error) { return scan.Job{}, b.fault() }
func (b broken) ScanJobsOf(context.Context, string, string) ([]scan.Job, error) {
	return nil, b.fault()
}
func (b broken) AddScanJob(context.Context, scan.Job, string) error { return b.fault() }

func (b broken) fault() error {
	if b.err == nil {
		panic("a bug")
	}
	return b.err
}

func everything(t *testing.T, store api.Store, want int, code string) {
	t.Helper()
	d := &door{t: t, token: "any", server: httptest.NewServer(api.New(api.Config{Store: store, Temporal: &temporal{}}))}
	defer d.server.Close()
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/api/trading/execute", map[string]any{"proposalId": "p"}},
		{"POST", "/api/trading/proposals", body("p")}, {"GET", "/api/trading/proposals", nil}, {"GET", "/api/trading/proposals/p", nil},
		{"POST", "/api/trading/proposals/p/override", map[string]any{"cooldown": true, "reason": "r"}},
		{"POST", "/api/trading/proposals/p/cancel", map[string]any{"reason": "r"}},
		{"GET", "/api/trading/scans", nil}, {"POST", "/api/trading/scans", job("j", nil)}, {"GET", "/api/trading/scans/j", nil},
		{"POST", "/api/trading/scans/j/pause", map[string]any{"note": "n"}}, {"POST", "/api/trading/scans/j/resume", map[string]any{"note": "n"}},
		{"POST", "/api/trading/scans/j/trigger", nil}, {"DELETE", "/api/trading/scans/j?reason=r", nil},
		{"GET", "/api/trading/policy", nil}, {"PUT", "/api/trading/policy", policyText(t)},
	} {
		r := d.send(c.method, c.path, c.body)
		require.Equal(t, want, r.status, "%s %s: %s", c.method, c.path, r.text)
		require.Equal(t, code, r.code())
		require.NotContains(t, r.text, "10.0.0.1")
		require.NotContains(t, r.text, "a bug")
	}
}

func TestDatabaseThatIsDownIs503AndTellsNoAddress(t *testing.T) {
	t.Parallel()
	everything(t, broken{err: errors.New("dial tcp 10.0.0.1:5432: connection refused")}, 503, "DATABASE_UNAVAILABLE")
}

func TestPanicIsAnsweredAndTheServerGoesOn(t *testing.T) {
	t.Parallel()
	everything(t, broken{}, 500, "INTERNAL")
}

func TestTokenThatCannotBeReadIsNotAnInvalidOne(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.store.Close()
	require.Equal(t, 503, d.send("GET", "/api/trading/policy", nil).status)
}

func TestTemporalThatIsDownIs503AndProposalsAreStillStored(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.temporal.down = errors.New("unavailable")
	d.answering(workflows.ExecuteResult{}, errors.New("unavailable"))
	d.tradable()
	d.temporal.cancelling = func(string, workflows.CancelRequest) error { return errors.New("unavailable") }
	d.propose("p")
	unseen, err := d.owner.UnseenProposals(ctx, 0, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"p"}, unseen)
	for path, body := range map[string]any{
		"/api/trading/execute":              map[string]any{"proposalId": "p"},
		"/api/trading/proposals/p/override": map[string]any{"cooldown": true, "reason": "r", "execute": true},
		"/api/trading/proposals/p/cancel":   map[string]any{"reason": "r"},
	} {
		r := d.send("POST", path, body)
		require.Equal(t, 503, r.status, r.text)
		require.Equal(t, "WORKFLOWS_UNAVAILABLE", r.code())
	}
	require.Equal(t, 200, d.send("POST", "/api/trading/proposals/p/override", map[string]any{"cooldown": true, "reason": "later"}).status, "keeping one needs no workflow")
}

func TestServerIsBoundedAgainstSlowClients(t *testing.T) {
	s := api.NewServer(http.NotFoundHandler())
	require.Positive(t, s.ReadHeaderTimeout)
	require.Positive(t, s.ReadTimeout)
	require.Greater(t, s.WriteTimeout.Seconds(), 30.0, "an execute may take this long")
	require.Positive(t, s.IdleTimeout)
	require.Positive(t, s.MaxHeaderBytes)
}

func TestLogHoldsNoBodyNoQueryAndNoToken(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.send("POST", "/api/trading/proposals", `{"id":"hidden-body","market":1}`)
	d.send("GET", "/api/trading/proposals?before=hidden-query", nil)
	d.server.Close() // a line follows its answer
	require.Contains(t, d.log.String(), `route="POST /api/trading/proposals"`)
	for _, secret := range []string{"hidden", d.token} {
		require.NotContains(t, d.log.String(), secret)
	}
}

func FuzzStrictBodies(f *testing.F) {
	for _, seed := range []string{`{"a":1}`, `{"a":{"a":1},"b":[{"a":1},{"a":2}]}`, `{"a":1,"a":2}`, `[]`, `"x"`, `{"":0}`, `{"a":["a",{"b":"b"}]}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var into any
		if err := api.UnmarshalStrict([]byte(text), &into); err != nil {
			return
		}
		// What passes is valid, and survives being written and read again.
		again, err := json.Marshal(into)
		require.NoError(t, err)
		require.NoError(t, api.UnmarshalStrict(again, &into))
	})
}
