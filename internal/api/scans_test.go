package api_test

import (
	"errors"
	"maps"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/prompt"
	"interlock/internal/scan"
)

const scansPath = "/api/trading/scans"

// job is a body that is accepted, with changes; nil removes a field.
func job(id string, changes map[string]any) map[string]any {
	body := map[string]any{"id": id, "markets": []string{"BTC/EUR", "ETH-EUR"}, "every": "15m", "model": "m", "inputPrice": "0.22", "outputPrice": "1.75"}
	for name, value := range changes {
		if body[name] = value; value == nil {
			delete(body, name)
		}
	}
	return body
}

func (d *door) addJob(id string) {
	d.t.Helper()
	r := d.send("POST", scansPath, job(id, nil))
	require.Equal(d.t, 201, r.status, r.text)
}

func TestScanJobLivesItsLifeOverHTTP(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	require.Equal(t, []any{}, d.send("GET", scansPath, nil).body["scans"])
	r := d.send("POST", scansPath, job("majors", nil))
	require.Equal(t, 201, r.status, r.text)
	require.Equal(t, []any{"BTC-EUR", "ETH-EUR"}, r.body["markets"])
	require.Equal(t, "anna", r.body["userId"])
	require.Equal(t, "15m0s", r.body["every"])
	require.Equal(t, "25", r.body["maxQuote"], "a default")
	require.Equal(t, 200, d.send("POST", scansPath, job("majors", nil)).status, "the same again")

	for _, step := range []struct {
		method, path string
		body         any
		status       int
		paused       bool
	}{
		{"POST", "/majors/trigger", nil, 202, false},
		{"POST", "/majors/pause", map[string]any{"note": "too warm"}, 200, true},
		{"POST", "/majors/resume", map[string]any{"note": "cooled"}, 200, false},
	} {
		r := d.send(step.method, scansPath+step.path, step.body)
		require.Equal(t, step.status, r.status, r.text)
		require.Equal(t, step.paused, r.body["paused"])
		stored, err := d.owner.ScanJob(ctx, "majors")
		require.NoError(t, err)
		require.Equal(t, step.paused, stored.Paused)
	}
	require.Len(t, d.send("GET", scansPath, nil).body["scans"], 1)
	require.Equal(t, 200, d.send("DELETE", scansPath+"/majors?reason=done", nil).status)
	require.Equal(t, 404, d.send("GET", scansPath+"/majors", nil).status)
	require.Equal(t, 409, d.send("POST", scansPath, job("majors", nil)).status, "an ID is never given twice")
	require.Equal(t, []string{"put majors", "trigger majors", "pause majors", "resume majors", "resume majors", "delete majors"}, d.temporal.schedules)
	require.Equal(t, []string{"scan.added", "scan.paused", "scan.resumed", "scan.deleted"}, d.audited("scan.%", "anna"))
}

// audited lists the kinds of what an actor did.
func (d *door) audited(like, actor string) []string {
	d.t.Helper()
	conn, err := pgx.Connect(ctx, d.url)
	require.NoError(d.t, err)
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, `SELECT kind FROM interlock.audit_events WHERE kind LIKE $1 AND actor = $2 ORDER BY chain, seq`, like, actor)
	require.NoError(d.t, err)
	kinds, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(d.t, err)
	return kinds
}

func TestScanJobShowsItsRunsAndWhatBecameOfTheirIdeas(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	require.Equal(t, 200, d.send("PUT", "/api/trading/policy", policyText(t)).status)
	d.addJob("majors")
	j, err := d.owner.ScanJob(ctx, "majors")
	require.NoError(t, err)
	_, _, err = d.owner.BeginScan(ctx, "run-1", j)
	require.NoError(t, err)
	_, err = d.owner.StoreIdeas(ctx, "run-1", j, nil, nil, []prompt.Refused{{Number: 1, Reason: "market: was not asked about", Body: `{"market":"X-EUR"}`}})
	require.NoError(t, err)
	require.NoError(t, d.owner.EndScan(ctx, "run-1", "majors", string(scan.Scanned), "1 refused"))
	r := d.send("GET", scansPath+"/majors?runs=1", nil)
	require.Equal(t, 200, r.status, r.text)
	run := r.body["runs"].([]any)[0].(map[string]any)
	require.Equal(t, "SCANNED", run["code"])
	idea := run["ideas"].([]any)[0].(map[string]any)
	require.Equal(t, "refused", idea["outcome"])
	require.Equal(t, `{"market":"X-EUR"}`, idea["text"])
	require.Equal(t, 400, d.send("GET", scansPath+"/majors?runs=101", nil).status)
}

func TestAnothersScanJobDoesNotExist(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.account("other")
	d.addJob("majors")
	note := map[string]any{"note": "mine now"}
	for _, who := range [][]string{d.as("bert", account), d.as("anna", "other")} {
		require.Equal(t, []any{}, d.send("GET", scansPath, nil, who...).body["scans"])
		for _, c := range []struct {
			method, path string
			body         any
		}{
			{"GET", "/majors", nil}, {"POST", "/majors/pause", note}, {"POST", "/majors/resume", note},
			{"POST", "/majors/trigger", nil}, {"DELETE", "/majors?reason=mine", nil},
		} {
			r := d.send(c.method, scansPath+c.path, c.body, who...)
			require.Equal(t, 404, r.status, "%s %s: %s", c.method, c.path, r.text)
			require.Equal(t, "NOT_FOUND", r.code())
			none := d.send(c.method, scansPath+"/nobodys"+c.path[len("/majors"):], c.body, who...)
			require.Equal(t, none.status, r.status)
		}
		r := d.send("POST", scansPath, job("majors", nil), who...)
		require.Equal(t, 409, r.status, r.text)
		require.Equal(t, "SCAN_JOB_CONFLICT", r.code())
	}
	require.Equal(t, 409, d.send("POST", scansPath, job("majors", map[string]any{"every": "20m"})).status, "one's own, with other content")
	require.Equal(t, []string{"put majors"}, d.temporal.schedules)
}

func TestScanJobThatIsWrongIsRefusedWithEveryReason(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for _, c := range []struct {
		changes map[string]any
		want    []string
	}{
		{map[string]any{"model": nil, "inputPrice": nil}, []string{"model", "inputPrice"}},
		{map[string]any{"every": "fast", "jitter": "-1s", "timeZone": "Mars", "inputPrice": "cheap"}, []string{"body.every", "body.jitter", "body.timeZone", "body.inputPrice"}},
		{map[string]any{"every": "1s", "maxQuote": "0"}, []string{"body.maxQuote"}},
		{map[string]any{"every": "1s", "catchUp": "1s"}, []string{"body.every", "body.catchUp"}},
		{map[string]any{"cron": "0 8 * * *"}, []string{"body.every", "either"}},
		{map[string]any{"every": nil, "cron": "0 25 * * *"}, []string{"body.cron", "hour"}},
		{map[string]any{"markets": []string{}}, []string{"body.markets"}},
		{map[string]any{"markets": []string{"BTC"}}, []string{"body.markets"}},
		{map[string]any{"maxIdeas": 11}, []string{"body.maxIdeas"}},
		{map[string]any{"inputPrice": 0.22}, []string{"body.inputPrice", "digits"}},
		{map[string]any{"userId": "bert"}, []string{"body.userId: is unknown"}},
		{map[string]any{"id": "Not Usable"}, []string{"body.id"}},
	} {
		r := d.send("POST", scansPath, job("majors", c.changes))
		require.Equal(t, 400, r.status, "%v: %s", c.changes, r.text)
		require.Equal(t, "INVALID_REQUEST", r.code())
		for _, part := range c.want {
			require.Contains(t, r.text, part)
		}
	}
	d.addJob("majors")
	require.Equal(t, 400, d.send("POST", scansPath+"/majors/pause", map[string]any{"note": ""}).status)
	require.Equal(t, 400, d.send("DELETE", scansPath+"/majors", nil).status)
	require.Equal(t, 404, d.send("GET", scansPath+"/Not%20Usable", nil).status)
}

func TestTemporalThatIsDownStopsNoPauseAndNoDeletion(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.temporal.down = errors.New("dial tcp 10.0.0.1: refused")
	d.addJob("majors")
	unanswered := func(path string, body any) {
		r := d.send("POST", scansPath+path, body)
		require.Equal(t, 503, r.status, r.text)
		require.Equal(t, "WORKFLOWS_UNAVAILABLE", r.code())
		require.NotContains(t, r.text, "10.0.0.1")
	}
	unanswered("/majors/trigger", nil)
	require.Equal(t, 200, d.send("POST", scansPath+"/majors/pause", map[string]any{"note": "stop"}).status)
	r := d.send("POST", scansPath+"/majors/trigger", nil)
	require.Equal(t, 409, r.status)
	require.Equal(t, "JOB_PAUSED", r.code())
	unanswered("/majors/resume", map[string]any{"note": "go"})
	stored, err := d.owner.ScanJob(ctx, "majors")
	require.NoError(t, err)
	require.True(t, stored.Paused, "nothing changed")
	require.Equal(t, 200, d.send("DELETE", scansPath+"/majors?reason=done", nil).status)
	deleted, err := d.owner.DeletedScanJobs(ctx, account)
	require.NoError(t, err)
	require.Equal(t, []string{"majors"}, deleted, "the workers remove its schedule")
}

func TestDescribedScanJobIsClosedWhereItIsSent(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	schemas := d.send("GET", "/openapi.json", nil).body["components"].(map[string]any)["schemas"].(map[string]any)
	for name, closed := range map[string]bool{"ScanJobBody": true, "NoteBody": true, "ScanJobView": false, "RunView": false} {
		require.Contains(t, schemas, name)
		require.Equal(t, closed, schemas[name].(map[string]any)["additionalProperties"] == false, name)
	}
	require.Subset(t, keys(schemas["ScanJobView"]), keys(schemas["ScanJobBody"]), "what was sent is shown")
}

func keys(schema any) []string {
	var names []string
	for name := range maps.Keys(schema.(map[string]any)["properties"].(map[string]any)) {
		names = append(names, name)
	}
	return names
}
