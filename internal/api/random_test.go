package api_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"interlock/internal/badinput"
	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

var (
	requests = flag.Int("requests", 1000, "random requests per route")
	seed     = flag.Uint64("seed", 0, "of the random requests; 0 takes one from the clock")
)

// description is what the API says of itself.
type description struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]json.RawMessage `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	Parameters []struct {
		Name, In string
		Required bool
		Schema   json.RawMessage
	} `json:"parameters"`
	Role        string `json:"x-role"`
	RequestBody *struct {
		Content map[string]struct{ Schema json.RawMessage }
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]struct{ Schema json.RawMessage }
	} `json:"responses"`
}

// route is one operation with what must hold for its requests and answers.
type route struct {
	operation

	method, path string
	body         *jsonschema.Schema // nil: takes none
	bodySchema   map[string]any
	answers      map[string]*jsonschema.Schema
	root         map[string]any
}

func routes(t *testing.T, d *door) []route {
	t.Helper()
	text := d.send("GET", "/openapi.json", nil).text
	var whole description
	require.NoError(t, json.Unmarshal([]byte(text), &whole))
	root, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("api.json", root))
	compile := func(parts ...string) *jsonschema.Schema {
		for i, p := range parts {
			parts[i] = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(p)
		}
		s, err := compiler.Compile("api.json#/" + strings.Join(parts, "/"))
		require.NoError(t, err)
		return s
	}
	var list []route
	delete(whole.Paths, eventsPath) // a stream has no end and is no JSON; its own tests hold it to its form
	for path, methods := range whole.Paths {
		for method, op := range methods {
			r := route{operation: op, method: strings.ToUpper(method), path: path, answers: map[string]*jsonschema.Schema{}, root: root.(map[string]any)}
			if op.RequestBody != nil {
				r.body = compile("paths", path, method, "requestBody", "content", "application/json", "schema")
				require.NoError(t, json.Unmarshal(op.RequestBody.Content["application/json"].Schema, &r.bodySchema))
			}
			for status := range op.Responses {
				r.answers[status] = compile("paths", path, method, "responses", status, "content", "application/json", "schema")
			}
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b route) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	require.Greater(t, len(list), 15)
	return list
}

// TestRandomRequests: whatever is asked, the answer is one that the description
// has; what does not fit the description is refused; a refusal stores nothing;
// and what is stored can be read.
func TestRandomRequests(t *testing.T) {
	t.Parallel()
	start := *seed
	if start == 0 {
		start = uint64(time.Now().UnixNano())
	}
	for i, r := range routes(t, newDoor(t)) {
		t.Run(r.method+" "+r.path, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t)
			d.lived()
			g := &guesser{Rand: rand.New(rand.NewPCG(start, uint64(i))), route: r, now: d.now}
			defer func() {
				if t.Failed() {
					t.Logf("again with: go test ./internal/api -run 'TestRandomRequests/%s' -seed %d", r.method, start)
				}
			}()
			g.ask(d, *requests)
			d.holdsNoRubbish()
		})
	}
}

// lived is a door behind which there is something of everything.
func (d *door) lived() {
	d.tradable()
	d.temporal.execute = func(_ context.Context, id, updateID string, req workflows.ExecuteRequest) (workflows.ExecuteResult, error) {
		decision := d.claim(id, updateID, req)
		result := workflows.ExecuteResult{Status: trade.Pending, Claimed: decision.Claim != nil, Blocks: decision.Verdict.Blocks(), PolicyVersion: decision.Verdict.PolicyVersion}
		if result.Claimed {
			result.Status, result.Blocks = trade.Executing, []trade.Block{}
		}
		return result, nil
	}
	d.temporal.cancelling = func(id string, req workflows.CancelRequest) error {
		_, err := d.owner.Cancel(ctx, id, req.Actor, req.Reason)
		return err
	}
	d.temporal.resolving = func(_ string, req workflows.ResolveRequest) (workflows.ResolveResult, error) {
		return workflows.ResolveResult{Accepted: req.Absent, Problem: "another order", Status: trade.Failed, Failure: &workflows.FailureView{Code: trade.OrderAbsent}}, nil
	}
	for _, id := range []string{"prop-1", "prop-2", "prop-3"} {
		d.propose(id)
	}
	require.Equal(d.t, 200, d.send("POST", "/api/trading/proposals/prop-1/override", map[string]any{"id": "prop-1", "cooldown": true, "reason": "r"}).status)
	d.addJob("majors")
	d.addJob("j")
}

// ask sends n random requests and holds every answer to the description.
func (g *guesser) ask(d *door, n int) {
	t := d.t
	records := d.records()
	operator := d.in(view.Operator, "olga", account)
	before := records.count(t)
	for number := range n {
		path, body, header := g.path(), g.body(), g.header()
		fits := g.fits(body)
		if g.Role == string(view.Operator) && !g.one(20) {
			header = append(header, operator...)
		}
		var content any
		if body != "" {
			content = body
		}
		r := d.send(g.method, path, content, header...)
		about := fmt.Sprintf("%d: %s %s %.2000s\nanswered %d %.2000s", number, g.method, path, body, r.status, r.text)
		require.Less(t, r.status, 500, about)
		schema := g.answers[fmt.Sprint(r.status)]
		require.NotNil(t, schema, "not described: %s", about)
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(r.text))
		require.NoError(t, err)
		require.NoError(t, schema.Validate(value), about)
		require.True(t, fits || r.status >= 400, "taken, and not as described: %s", about)
		switch {
		case g.method == "GET" && number < n-1:
		case r.status < 400:
			before = records.count(t)
		default:
			now := records.count(t)
			if r.code() == "OVERRIDE_REFUSED" || r.code() == "RESOLVE_REFUSED" || r.body["blocks"] != nil { // the audit keeps who tried what
				before["audit_events"], before["verdicts"], before["overrides"], before["outbox"] = now["audit_events"], now["verdicts"], now["overrides"], now["outbox"]
			}
			require.Equal(t, before, now, about)
		}
	}
}

// holdsNoRubbish reads back everything that was stored.
func (d *door) holdsNoRubbish() {
	t := d.t
	t.Helper()
	conn, err := pgx.Connect(ctx, d.url)
	require.NoError(t, err)
	defer conn.Close(ctx)
	for query, check := range map[string]func(id string){
		`SELECT id FROM interlock.trade_proposals`: func(id string) {
			life, err := d.owner.ReadState(ctx, id)
			require.NoError(t, err, id)
			require.NoError(t, life.Proposal.Check(), id)
		},
		`SELECT id FROM interlock.scan_jobs WHERE deleted_at IS NULL`: func(id string) {
			job, err := d.owner.ScanJob(ctx, id)
			require.NoError(t, err, id)
			require.NoError(t, job.Check(), id)
			require.NoError(t, trade.CheckText("note", job.Note, 500))
		},
		`SELECT body::text FROM interlock.trading_policies`: func(body string) {
			_, err := trade.ParsePolicy([]byte(body))
			require.NoError(t, err, body)
		},
		`SELECT id FROM interlock.overrides`: func(id string) { require.NoError(t, trade.CheckID("id", id)) },
		`SELECT reason FROM interlock.overrides UNION ALL SELECT reason FROM interlock.override_confirmations`: func(reason string) {
			require.NoError(t, trade.CheckText("reason", reason, 500))
		},
	} {
		rows, err := conn.Query(ctx, query)
		require.NoError(t, err)
		values, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		for _, v := range values {
			check(v)
		}
	}
}

// guesser makes requests that are nearly right.
type guesser struct {
	*rand.Rand
	route

	now time.Time
}

func (g *guesser) one(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *guesser, list []T) T { return list[g.IntN(len(list))] }

func (g *guesser) header() []string {
	if g.one(50) {
		return []string{"Content-Type", pick(g, []string{"", "text/plain", "application/json; charset=latin1", "application/xml"})}
	}
	return nil
}

func (g *guesser) path() string {
	path, query := g.route.path, url.Values{}
	for _, p := range g.Parameters {
		value := g.param(p.Name)
		if p.In == "path" {
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(value), 1)
		} else if p.Required && !g.one(10) || g.one(2) {
			query.Set(p.Name, value)
		}
	}
	if g.one(30) {
		query.Set(g.text(), g.text())
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

func (g *guesser) param(name string) string {
	known := map[string][]string{
		"id": {"prop-1", "prop-2", "prop-3", "majors", "j", "none"}, "overrideId": {"prop-1", "o"}, "limit": {"1", "50", "500", "0", "501", "-1", "1e9", "ten"},
		"runs": {"1", "100", "0", "101"}, "status": {"PENDING", "EXECUTED", "pending", ""}, "before": {"prop-1", "prop-9"}, "reason": {"done", " "},
		"user": {"anna", "nobody"}, "userId": {"anna", "bert", "no user"},
	}
	value := g.text()
	if !g.one(6) {
		value = pick(g, known[name])
	}
	if value == "" || value == "." || value == ".." || strings.Contains(value, "/") { // these are other routes
		return "x"
	}
	return value
}

// fits reports whether a body is as described; none is where none is taken.
func (g *guesser) fits(body string) bool {
	if g.route.body == nil {
		return true
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	return err == nil && g.route.body.Validate(value) == nil
}

func (g *guesser) body() string {
	if g.bodySchema == nil {
		return ""
	}
	body := g.value("", g.bodySchema, 4)
	if g.one(25) && strings.HasPrefix(body, `{"`) {
		return pick(g, badinput.Documents(body)).Text
	}
	return body
}

// value is JSON that fits schema, mostly.
func (g *guesser) value(name string, schema map[string]any, depth int) string {
	if ref, _ := schema["$ref"].(string); ref != "" {
		schema = g.resolve(ref)
	}
	if g.one(40) || depth == 0 {
		return pick(g, badinput.NotTexts()).Text
	}
	if choices, _ := schema["oneOf"].([]any); choices != nil {
		return g.value(name, pick(g, choices).(map[string]any), depth)
	}
	switch schema["type"] {
	case "object":
		return g.object(schema, depth)
	case "array":
		entries := make([]string, g.IntN(4))
		for i := range entries {
			entries[i] = g.value(name, schema["items"].(map[string]any), depth-1)
		}
		if examples, _ := schema["examples"].([]any); examples != nil && !g.one(3) {
			return written(examples[0])
		}
		return "[" + strings.Join(entries, ",") + "]"
	case "boolean":
		return pick(g, []string{"true", "false"})
	case "integer":
		return pick(g, []string{"0", "1", "3", "10", "100", "1000", "16000", "1000000", "1000001", "-1", "1.5", "1e400", "99999999999999999999"})
	}
	return written(g.string(name, schema))
}

func (g *guesser) object(schema map[string]any, depth int) string {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	names := make([]string, 0, len(properties))
	for name := range properties {
		names = append(names, name)
	}
	slices.Sort(names)
	var parts []string
	add := func(name, value string) { parts = append(parts, written(name)+":"+value) }
	for _, name := range names {
		if must := slices.Contains(required, any(name)); must && !g.one(40) || !must && g.one(3) {
			add(name, g.value(name, properties[name].(map[string]any), depth-1))
		}
	}
	if more, _ := schema["additionalProperties"].(map[string]any); more != nil {
		add(pick(g, []string{"BTC", "ETH", "btc", "EUR-", g.text()}), g.value("amount", more, depth-1))
	}
	if g.one(30) {
		add(g.text(), "1")
	}
	if g.one(40) && len(parts) > 0 {
		parts = append(parts, parts[0])
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func (g *guesser) string(name string, schema map[string]any) string {
	if g.one(12) {
		return g.text()
	}
	if enum, _ := schema["enum"].([]any); enum != nil {
		return pick(g, enum).(string)
	}
	known := map[string][]string{
		"id": {"prop-1", "prop-4", "majors", "j", fmt.Sprintf("new-%d", g.IntN(1000))}, "proposalId": {"prop-1", "prop-2", "prop-3", "none"},
		"market": {"BTC-EUR", "ETH/EUR"}, "side": {"buy", "SELL"}, "orderType": {"market", "limit"}, "checks": {"COOLDOWN_BLOCKED", "DAILY_LIMIT_REACHED"},
		"expiresAt": {g.now.Add(time.Hour).Format(time.RFC3339), g.now.Add(time.Minute).Format(time.RFC3339Nano), "2001-01-01T00:00:00+14:00"},
		"amount":    {"0.001", "1", "0", "999999999999999999"}, "price": {"80000", "0.000000000000000001"}, "confidence": {"0.8", "1", "1.1"},
		"cron": {"0 8 * * 1-5", "* * * * *", "61 * * * *"}, "every": {"15m", "10s", "9s", "720h"}, "timeZone": {"UTC", "Europe/Amsterdam", "Mars", "Local"},
		"profile": {"scan-v1", "none"}, "account": {account, "other"},
	}
	if list := known[name]; list != nil && !g.one(4) {
		return pick(g, list)
	}
	if examples, _ := schema["examples"].([]any); examples != nil && !g.one(4) {
		return fmt.Sprint(examples[0])
	}
	if pattern, _ := schema["pattern"].(string); strings.Contains(pattern, "ms|s|m|h") {
		return pick(g, []string{"90s", "60m", "2h", "0", "8784h", "8785h"})
	} else if strings.Contains(pattern, "unlimited") {
		return pick(g, []string{"unlimited", "250.00", "0"})
	}
	return pick(g, []string{"a reason", "ü", strings.Repeat("ä", 500), strings.Repeat("ä", 501), " "})
}

func (g *guesser) text() string {
	lists := [][]badinput.Value{
		badinput.IDs(), badinput.Markets(), badinput.Amounts(), badinput.Times(), badinput.Durations(), badinput.Choices(),
	}
	return pick(g, pick(g, lists)).Text
}

func (g *guesser) resolve(ref string) map[string]any {
	at := any(g.root)
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at = at.(map[string]any)[part]
	}
	return at.(map[string]any)
}

func written(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // it came from JSON
	}
	return string(text)
}
