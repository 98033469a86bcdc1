package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"

	"interlock/internal/devstack"
	"interlock/internal/devstack/devtest"
	"interlock/internal/trade"
	"interlock/migrations"
	"interlock/workflows"
)

var recordInFlight = flag.Bool("record", false, "record a database, a Temporal server and an exchange with runs in flight (make inflight)")

// inFlightDir holds one folder for each time that an installation was stopped
// in the middle of its work: the rows, what Temporal kept, and what the
// exchange kept. A folder is named after the schema version of its rows and is
// never recorded again: later code has to bring every one of them to its end.
const inFlightDir = "testdata/inflight"

// inFlight is what becomes of each proposal of a recorded installation, in the
// state that it is named after, once newer workers carry it on; and how many
// orders the exchange then lists for it.
var inFlight = map[string]struct {
	end    string
	orders int
}{
	"waiting":    {"PENDING", 0},
	"claimed":    {"FAILED EXCHANGE_UNAVAILABLE", 0},
	"begun":      {"FAILED ORDER_ABSENT", 0},
	"unresolved": {"EXECUTED", 1},
	"resting":    {"EXECUTED", 1},
}

// An upgrade stops every worker and starts newer ones: whatever was under way
// ends as it would have ended, and is never sent again.
func TestWhatAnEarlierVersionLeftInFlightEndsRightly(t *testing.T) {
	t.Parallel()
	if *recordInFlight {
		recordFlight(t)
		return // a claim that is only seconds old might still be sent
	}
	folders, err := filepath.Glob(filepath.Join(inFlightDir, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, folders, "run make inflight")
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) { carryOn(t, folder) })
	}
}

func TestTheHistoriesOfWhatWasInFlightReplay(t *testing.T) {
	t.Parallel()
	histories, err := filepath.Glob(filepath.Join(inFlightDir, "*", "histories", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, histories, "run make inflight")
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(workflows.Proposal, workflow.RegisterOptions{Name: workflows.ProposalType})
	for _, file := range histories {
		require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(nil, file), file)
	}
}

// carryOn starts the present code on what was recorded.
func carryOn(t *testing.T, folder string) {
	h := restoreFlight(t, folder)
	for _, role := range []string{"scans", "proposals", "orders"} {
		h.start(role, role)
	}
	h.awaitReady()
	require.Equal(t, trade.Pending, h.status("waiting"))
	require.Equal(t, trade.Executing, h.status("resting"))
	h.admin("POST", "/admin/price", map[string]any{"market": "ETH-EUR", "price": "2700"}, nil)
	for id, want := range inFlight {
		if id != "waiting" {
			h.ends(id, id)
		}
		require.Equal(t, want.end, h.end(id), id)
		require.Equal(t, want.orders, h.ordersOf(id), id)
	}
	require.Equal(t, "filled", h.orderStatus("resting"), "or its time to live of a year is over")
	for _, id := range []string{"waiting", "claimed", "begun"} {
		h.eventually(id+" can be executed", func() bool {
			_, err := h.ask(id, workflows.ExecuteRequest{})
			return err == nil && h.status(id) == trade.Executed
		})
	}
	for id := range inFlight {
		require.Equal(t, 1, h.ordersOf(id), id)
		require.Equal(t, trade.Executed, h.execute(id).Status, id)
	}
	require.Zero(t, h.count(`SELECT count(*) FROM interlock.exchange_differences`))
	require.Len(t, h.ordered(), len(inFlight))
}

func (s *stack) orderStatus(id string) (status string) {
	s.t.Helper()
	require.NoError(s.t, s.query(`SELECT order_status FROM interlock.trade_executions WHERE proposal_id = $1`, &status, id))
	return status
}

// restoreFlight brings a recorded installation back, without workers, on the
// present schema: not a copy of its database, but the very same one.
func restoreFlight(t *testing.T, folder string) *house {
	t.Helper()
	url := devtest.Postgres(t)
	var version int32
	_, err := fmt.Sscanf(filepath.Base(folder), "schema-%d", &version)
	require.NoError(t, err)
	require.NoError(t, migrations.To(ctx, url, version))
	loadTables(t, url, filepath.Join(folder, "database"))
	require.NoError(t, migrations.Up(ctx, url))

	dir := t.TempDir()
	h := &house{file: filepath.Join(dir, "temporal", "temporal.db")}
	require.NoError(t, os.MkdirAll(filepath.Dir(h.file), 0o700))
	for _, suffix := range []string{"", "-wal"} {
		unzip(t, filepath.Join(folder, "temporal.db"+suffix+".gz"), h.file+suffix)
	}
	h.server = devtest.PrivateTemporal(t, devstack.TemporalConfig{DBFile: h.file, SearchAttributes: workflows.SearchAttributes()})
	state := filepath.Join(dir, "exchange.jsonl")
	bornNow(t, filepath.Join(folder, "exchange.jsonl"), state)
	h.stack = newExchange(t, url, devtest.Server{Address: h.server.Address(), Namespace: h.server.Namespace()}, state)
	_, err = h.pool.Exec(ctx, `UPDATE interlock.accounts SET rest_url = $1, created_in = interlock.database_id()`, h.exchange.URL+"/v2")
	require.NoError(t, err)
	return h
}

// bornNow copies an exchange's state file and spares it the prices of all the
// time since it was recorded.
func bornNow(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	var born map[string]any
	require.NoError(t, json.Unmarshal(first, &born))
	born["origin"] = time.Now().UnixMilli()
	first, err = json.Marshal(born)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, append(append(first, '\n'), rest...), 0o600))
}

// recordFlight stops an installation in the middle of its work, and stores it.
func recordFlight(t *testing.T) {
	folder := filepath.Join(inFlightDir, fmt.Sprintf("schema-%04d", migrations.Latest()))
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "database"), 0o755))
	state := filepath.Join(t.TempDir(), "exchange.jsonl")
	h := newFlight(t, state)
	h.takeOff()
	h.storeHistories(filepath.Join(folder, "histories"))
	require.NoError(t, h.server.Signal(syscall.SIGSTOP))
	for _, suffix := range []string{"", "-wal"} {
		zip(t, h.file+suffix, filepath.Join(folder, "temporal.db"+suffix+".gz"))
	}
	require.NoError(t, h.server.Signal(syscall.SIGCONT))
	dumpTables(t, h.ownerURL, filepath.Join(folder, "database"))
	content, err := os.ReadFile(state)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "exchange.jsonl"), content, 0o600))
}

func (h *house) storeHistories(folder string) {
	h.t.Helper()
	require.NoError(h.t, os.MkdirAll(folder, 0o755))
	for id := range inFlight {
		var events history.History
		for all := h.temporal.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); all.HasNext(); {
			event, err := all.Next()
			require.NoError(h.t, err)
			events.Events = append(events.Events, event)
		}
		text, err := protojson.MarshalOptions{Indent: " "}.Marshal(&events)
		require.NoError(h.t, err)
		require.NoError(h.t, os.WriteFile(filepath.Join(folder, id+".json"), append(text, '\n'), 0o600))
	}
}

func newFlight(t *testing.T, state string) *house {
	h := &house{file: filepath.Join(t.TempDir(), "temporal", "temporal.db")}
	h.server = devtest.PrivateTemporal(t, devstack.TemporalConfig{DBFile: h.file, SearchAttributes: workflows.SearchAttributes()})
	at := devtest.Server{Address: h.server.Address(), Namespace: h.server.Namespace()}
	h.stack = newExchange(t, devtest.Database(t, migrations.Up), at, state)
	h.openRecords([]func(*trade.Policy){func(p *trade.Policy) {
		p.Allowlist = trade.Allowlist{"BTC-EUR", "ETH-EUR", "SOL-EUR", "ADA-EUR"}
		p.MaxOrderBase = trade.AssetLimits{Unlimited: true}
		p.LimitOrderTTL = trade.Duration(366 * 24 * time.Hour)
	}})
	return h
}

// takeOff brings each proposal into the state it is named after, and ends
// every worker there.
func (h *house) takeOff() {
	h.t.Helper()
	h.admin("POST", "/admin/price", map[string]any{"market": "ETH-EUR", "price": "2800"}, nil)
	for id, market := range map[string]trade.Market{"waiting": "BTC-EUR", "claimed": "ADA-EUR", "begun": "BTC-EUR", "unresolved": "SOL-EUR"} {
		h.proposeIn(id, market, inQuote, late)
	}
	h.proposeIn("resting", "ETH-EUR", belowMarket, late)
	for _, role := range []string{"scans", "proposals", "orders"} {
		h.start(role, role)
	}
	h.awaitReady()
	_, err := h.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "waiting", TaskQueue: workflows.ProposalsQueue}, workflows.ProposalType, workflows.ProposalInput{})
	require.NoError(h.t, err)
	h.rests("resting")
	h.loses("unresolved", noAnswerNow)
	h.kill("orders")
	dir := h.t.TempDir()
	h.startStruck("struck", strike{Role: "orders", Proposal: "begun", At: "PlaceOrder/row", After: true, Nth: 1, Dir: dir})
	h.executing("begun")
	h.awaitTrace(dir, struckFile, "PlaceOrder/row")
	h.executing("claimed")
	h.becomes("claimed", trade.Executing)
	h.kill("proposals")
	h.kill("scans")
	for id, want := range map[string]trade.Status{
		"waiting": trade.Pending, "claimed": trade.Executing, "begun": trade.Executing, "unresolved": trade.Unresolved, "resting": trade.Executing,
	} {
		require.Equal(h.t, want, h.status(id), "%s: the machine was too slow, record again", id)
	}
}

// late gives a proposal all the time in the world.
func late(p *trade.Proposal) { p.ExpiresAt = time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC) }

// inFlightTables lists what is dumped, with its columns.
const inFlightTables = `
	SELECT c.relname, string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relnamespace = 'interlock'::regnamespace AND c.relkind = 'r' AND c.relpersistence = 'p' AND c.relname <> 'schema_version'
		AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
	GROUP BY c.relname ORDER BY c.relname`

// dumpTables writes every table to a file of its own, its columns first.
func dumpTables(t *testing.T, url, folder string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(ctx)
	for table, columns := range tablesOf(t, conn) {
		var rows bytes.Buffer
		_, err := conn.PgConn().CopyTo(ctx, &rows, fmt.Sprintf(`COPY (SELECT %s FROM interlock.%s ORDER BY 1) TO STDOUT`, columns, table))
		require.NoError(t, err)
		content := append([]byte(columns+"\n"), rows.Bytes()...)
		require.NoError(t, os.WriteFile(filepath.Join(folder, table+".tsv"), content, 0o600))
	}
}

func tablesOf(t *testing.T, conn *pgx.Conn) map[string]string {
	t.Helper()
	rows, err := conn.Query(ctx, inFlightTables)
	require.NoError(t, err)
	tables := map[string]string{}
	var table, columns string
	_, err = pgx.ForEachRow(rows, []any{&table, &columns}, func() error { tables[table] = columns; return nil })
	require.NoError(t, err)
	return tables
}

// loadTables puts the dumped rows in the place of whatever the migrations made.
func loadTables(t *testing.T, url, folder string) {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer conn.Close(ctx)
	tables := tablesOf(t, conn)
	statements := []string{`SET session_replication_role = replica`}
	for table := range tables {
		statements = append(statements, `TRUNCATE interlock.`+table+` CASCADE`)
	}
	for _, s := range statements {
		_, err := conn.Exec(ctx, s)
		require.NoError(t, err, s)
	}
	for table := range tables {
		text, err := os.ReadFile(filepath.Join(folder, table+".tsv"))
		require.NoError(t, err)
		columns, rows, _ := strings.Cut(string(text), "\n")
		_, err = conn.PgConn().CopyFrom(ctx, strings.NewReader(rows), fmt.Sprintf(`COPY interlock.%s (%s) FROM STDIN`, table, columns))
		require.NoError(t, err, table)
	}
	numberOn(t, conn)
}

// numberOn lets every identity go on after the highest number that was loaded.
func numberOn(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	_, err := conn.Exec(ctx, `DO $$
		DECLARE c record;
		BEGIN
			FOR c IN SELECT attrelid::regclass::text AS t, attname::text AS n FROM pg_attribute
				WHERE attidentity <> '' AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'interlock'::regnamespace) LOOP
				EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, %L), coalesce(max(%I), 0) + 1, false) FROM %s', c.t, c.n, c.n, c.t);
			END LOOP;
		END $$`)
	require.NoError(t, err)
}

func zip(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	require.NoError(t, err)
	_, err = w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, os.WriteFile(to, packed.Bytes(), 0o600))
}

func unzip(t *testing.T, from, to string) {
	t.Helper()
	packed, err := os.Open(from)
	require.NoError(t, err)
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	require.NoError(t, err)
	content, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, content, 0o600))
}
