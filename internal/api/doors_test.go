package api_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/badinput"
	"interlock/internal/view"
)

// records counts the rows of every table.
type records struct {
	conn   *pgx.Conn
	query  string
	tables []string
}

func (d *door) records() *records {
	d.t.Helper()
	conn, err := pgx.Connect(ctx, d.url)
	require.NoError(d.t, err)
	d.t.Cleanup(func() { conn.Close(ctx) })
	rows, err := conn.Query(ctx, `SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'interlock' AND table_type = 'BASE TABLE' ORDER BY 1`)
	require.NoError(d.t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(d.t, err)
	require.Greater(d.t, len(tables), 15)
	counts := make([]string, len(tables))
	for i, t := range tables {
		counts[i] = "(SELECT count(*) FROM interlock." + t + ")"
	}
	return &records{conn, "SELECT ARRAY[" + strings.Join(counts, ",") + "]", tables}
}

func (r *records) count(t *testing.T) map[string]int {
	t.Helper()
	var counts []int
	require.NoError(t, r.conn.QueryRow(ctx, r.query).Scan(&counts))
	byTable := map[string]int{}
	for i, n := range counts {
		byTable[r.tables[i]] = n
	}
	return byTable
}

// entry is one way in: a body that is taken, and which of its fields have what
// form.
type entry struct {
	method, path string
	valid        string
	fields       map[string][]badinput.Value
}

func entries(t *testing.T) []entry {
	ids, amounts := badinput.IDs(), badinput.Amounts()
	reasons := []badinput.Value{{Name: "NUL", Text: "a\x00b"}, {Name: "too long", Text: strings.Repeat("ä", 501)}}
	job := map[string][]badinput.Value{
		"id": ids, "model": ids[:1], "inputPrice": amounts, "outputPrice": amounts, "maxQuote": amounts, "every": badinput.Durations(),
		"jitter": badinput.Durations(), "catchUp": badinput.Durations(), "proposalLife": badinput.Durations(), "timeZone": {{Name: "Mars", Text: "Mars/Olympus"}},
	}
	return []entry{
		{"POST", "/api/trading/execute", `{"proposalId":"p","side":"buy","reason":"r"}`, map[string][]badinput.Value{
			"proposalId": ids, "side": badinput.Choices(), "reason": reasons,
		}},
		{"POST", "/api/trading/proposals", `{"id":"new","market":"BTC-EUR","side":"buy","orderType":"limit","amount":"1","price":"1"}`, map[string][]badinput.Value{
			"id": ids, "market": badinput.Markets(), "side": badinput.Choices(), "orderType": badinput.Choices(), "amount": amounts, "amountQuote": amounts,
			"price": amounts, "expectedPrice": amounts, "confidence": append([]badinput.Value{{Name: "above one", Text: "1.01"}}, amounts...),
			"rationale": {{Name: "NUL", Text: "a\x00b"}, {Name: "too long", Text: strings.Repeat("ä", 4001)}}, "source": reasons[:1], "expiresAt": badinput.Times(),
		}},
		{"POST", "/api/trading/proposals/p/override", `{"reason":"r","cooldown":true,"id":"o"}`, map[string][]badinput.Value{
			"id": ids, "reason": reasons, "expiresAt": badinput.Times(),
		}},
		{"POST", "/api/trading/proposals/p/overrides/o/confirm", `{"reason":"r"}`, map[string][]badinput.Value{"reason": reasons}},
		{"POST", "/api/trading/proposals/p/cancel", `{"reason":"r"}`, map[string][]badinput.Value{"reason": reasons}},
		{"POST", "/api/trading/halt", `{"reason":"r"}`, map[string][]badinput.Value{"reason": reasons}},
		{"POST", "/api/trading/resume", `{"reason":"r"}`, map[string][]badinput.Value{"reason": reasons}},
		{"POST", "/api/trading/proposals/p/resolve", `{"reason":"r","absent":true}`, map[string][]badinput.Value{"reason": reasons}},
		{"POST", "/api/trading/budgets/anna/clear", `{"reason":"r"}`, map[string][]badinput.Value{"reason": reasons}},
		{"PUT", "/api/trading/policy", oneLine(t, policyText(t)), map[string][]badinput.Value{
			"timeZone": {{Name: "Mars", Text: "Mars/Olympus"}, {Name: "NUL", Text: "UTC\x00"}}, "minConfidence": amounts, "maxOrderQuote": amounts,
			"exposureMarket": amounts, "cooldown": badinput.Durations(), "priceMaxAge": badinput.Durations(),
		}},
		{"POST", scansPath, `{"id":"j","markets":["BTC-EUR"],"every":"15m","model":"m","inputPrice":"0","outputPrice":"0"}`, job},
		{"POST", scansPath + "/kept/pause", `{"note":"n"}`, map[string][]badinput.Value{"note": append(reasons, ids[0])}},
		{"POST", scansPath + "/kept/resume", `{"note":"n"}`, map[string][]badinput.Value{"note": append(reasons, ids[0])}},
	}
}

func oneLine(t *testing.T, text string) string {
	t.Helper()
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &fields))
	line, err := json.Marshal(fields)
	require.NoError(t, err)
	return string(line)
}

// with is a body with one field as given.
func with(t *testing.T, body, field, value string) string {
	t.Helper()
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(body), &fields))
	names := slices.Sorted(maps.Keys(fields))
	delete(fields, field)
	var parts []string
	for _, name := range names {
		if raw, kept := fields[name]; kept {
			parts = append(parts, fmt.Sprintf("%q:%s", name, raw))
		}
	}
	return "{" + strings.Join(append(parts, fmt.Sprintf("%q:%s", field, value)), ",") + "}"
}

// Every wrong value, in every field, through every way in: one clear line, and
// nothing stored.
func TestBadInputIsRefusedWithFieldValueAndFixAndNothingIsStored(t *testing.T) {
	t.Parallel()
	for _, e := range entries(t) {
		t.Run(e.method+" "+e.path, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			d.propose("p")
			d.addJob("kept")
			d.token = d.tokenFor(view.Operator, "anna", account) // who may ask it all
			records := d.records()
			before := records.count(t)
			for _, field := range slices.Sorted(maps.Keys(e.fields)) {
				for _, v := range e.fields[field] {
					d.refuses(e, with(t, e.valid, field, v.JSON()), field, v.Name, v.Text)
				}
				for _, v := range badinput.NotTexts() {
					d.refuses(e, with(t, e.valid, field, v.Text), field, v.Name, "")
				}
				require.Equal(t, before, records.count(t), field)
			}
			for _, v := range badinput.Documents(e.valid) {
				d.refuses(e, v.Text, "body", v.Name, "")
			}
			r := d.send(e.method, e.path, badinput.Large(10<<20))
			require.Equal(t, 413, r.status)
			require.Contains(t, r.body["message"], "send less")
			require.Equal(t, before, records.count(t))
			require.Empty(t, d.temporal.executes)
			require.Empty(t, d.temporal.cancels)
		})
	}
}

const fixes = `must|write|give|remove|leave|keep|send|at most|at least|name|may be|needs|invalid character|unexpected end|exceeded max depth`

// refuses holds the answer to what a person needs.
func (d *door) refuses(e entry, body, field, name, value string) {
	d.t.Helper()
	r := d.send(e.method, e.path, body)
	about := fmt.Sprintf("%s %s, %s: %s: %s", e.method, e.path, field, name, r.text)
	require.Equal(d.t, 400, r.status, about)
	require.Contains(d.t, []string{"INVALID_REQUEST", "OVERRIDE_REASON_REQUIRED"}, r.code(), about)
	message := r.body["message"].(string)
	require.Contains(d.t, message, field, about)
	require.Regexp(d.t, fixes, message, about)
	require.Less(d.t, len(message), 1500, about)
	require.NotContains(d.t, message, "ilk_A", about)
	require.False(d.t, strings.ContainsFunc(message, unicode.IsControl), about)
	if start := beginning(value); start != "" && r.code() == "INVALID_REQUEST" {
		require.Contains(d.t, message, start, about)
	}
}

// beginning is the part of a value that an answer must show.
func beginning(value string) string {
	end := strings.IndexFunc(value, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' })
	if end < 0 {
		end = len(value)
	}
	if strings.HasPrefix(value, "ilk_") {
		return "ilk_…"
	}
	return value[:min(end, 8)]
}

func TestQueriesAreReadStrictly(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=-1": "limit", "limit=1e400": "limit", "limit=NaN": "limit", "limit=501": "limit", "limit=99999999999999999999": "limit",
		"limit=1&limit=2": "limit", "status=pending": "status", "status=%00": "status", "before=a%20b": "before", "before=" + strings.Repeat("x", 2000): "before",
		"user=bert": "user", "limit=%zz": "query", "limit=1;status=PENDING": "query", "before=%ff": "before",
	} {
		r := d.send("GET", "/api/trading/proposals?"+query, nil)
		require.Equal(t, 400, r.status, "%s: %s", query, r.text)
		require.Contains(t, r.body["message"], field, query)
	}
}

func TestHeadIsAnsweredLikeGetAndWithoutABody(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, d.server.URL+"/api/trading/proposals", nil)
	require.NoError(t, err)
	for token, want := range map[string]int{d.token: 200, "x": 401} {
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := d.server.Client().Do(r)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, want, answer.StatusCode)
	}
}

func TestBodyWithoutEndIsCutOff(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	r := d.send("POST", "/api/trading/proposals", io.MultiReader(strings.NewReader(`{"id":"`), endless{}))
	require.Equal(t, 413, r.status)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestBodyThatStopsIsAnsweredInTime(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(d.server.URL, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(timeout)))
	_, err = fmt.Fprintf(conn, "POST /api/trading/proposals HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n", d.token)
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, 408, answer.StatusCode)
	var problem struct{ Code, Message string }
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&problem))
	require.Equal(t, "REQUEST_TIMEOUT", problem.Code)
	require.NotEmpty(t, problem.Message)
}
