package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/nodetest"
	"interlock/internal/postgres"
	"interlock/internal/waittest"
)

const typescript = "../examples/typescript"

func tsc(t *testing.T, project string, args ...string) {
	t.Helper()
	nodetest.Run(t, nodetest.Command(t, project, append([]string{"node_modules/typescript/bin/tsc"}, args...)...))
}

// TestTypeScriptClientIsMadeFromTheDescriptionInForce needs no stack: package
// api proves that the golden description is the one it serves.
func TestTypeScriptClientIsMadeFromTheDescriptionInForce(t *testing.T) {
	t.Parallel()
	project := nodetest.Project(t, typescript)
	description, err := filepath.Abs("../internal/api/testdata/openapi.json")
	require.NoError(t, err)
	nodetest.Run(t, nodetest.Command(t, project, "node_modules/openapi-typescript/bin/cli.js", description, "--output", "fresh.d.ts"))
	fresh, err := os.ReadFile(filepath.Join(project, "fresh.d.ts"))
	require.NoError(t, err)
	kept, err := os.ReadFile(filepath.Join(typescript, "src", "openapi.d.ts"))
	require.NoError(t, err)
	require.Equal(t, string(fresh), string(kept), "run \"npm run generate\" in examples/typescript, and read the difference")
}

var ending = regexp.MustCompile(`_(blocked|failed|executing|plain|refused|absent|empty|pending|unfilled|ours|checks|recording)$`)

// TestTypeScriptContractIsTheGoldenOne has the compiler read the golden JSON as
// the types of the example: it refuses fields that are unknown or missing.
func TestTypeScriptContractIsTheGoldenOne(t *testing.T) {
	t.Parallel()
	project := nodetest.Project(t, typescript)
	files, err := filepath.Glob("../workflows/testdata/contract/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	source := strings.Builder{}
	source.WriteString("import type * as contract from \"./contract.js\";\n")
	for _, file := range files {
		golden, err := os.ReadFile(file)
		require.NoError(t, err)
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		fmt.Fprintf(&source, "export const %s: contract.%s = %s;\n", name, camel(ending.ReplaceAllString(name, "")), golden)
	}
	write(t, filepath.Join(project, "src"), "golden.ts", source.String())
	tsc(t, project, "--noEmit")

	write(t, filepath.Join(project, "src"), "golden.ts", source.String()+
		`export const more: contract.CancelRequest = { actor: "a", reason: "b", other: 1 };`+"\n")
	out, err := nodetest.Command(t, project, "node_modules/typescript/bin/tsc", "--noEmit").CombinedOutput()
	require.Error(t, err, "a field that the types lack must be noticed")
	require.Contains(t, string(out), "'other' does not exist")
}

func camel(name string) string {
	words := strings.Split(name, "_")
	for i, w := range words {
		words[i] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

func TestTypeScriptFrontendsDriveProposalsToOneOrderEach(t *testing.T) {
	t.Parallel()
	f := newFrontend(t)
	f.slowOrders(2000)
	told := f.follows()

	f.says("temporal-demo.js", "t", `
		watched t-1 PENDING
		watched t-1 EXECUTING
		watched t-1 EXECUTED 0\.\d+ for 24\.\d+
		executed t-1 EXECUTED claimed
		asked again t-1 EXECUTED claimed
		another request t-1 EXECUTED
		executed t-2 PENDING blocked by COOLDOWN_BLOCKED
		override t-2 kept
		executed t-2 EXECUTED claimed
		watched t-3 EXECUTING
		watched t-3 EXECUTED 0\.\d+ for 24\.\d+
		too late t-4 PENDING blocked by REQUEST_TOO_LATE COOLDOWN_BLOCKED
		without reason t-4 refused: OVERRIDE_REASON_REQUIRED .*
		watched t-4 CANCELLED
		executed t-none refused: NOT_FOUND .*
		stored t-1 refused: PROPOSAL_CONFLICT .*
		listed t EXECUTED [123]`) // Temporal's search is a moment late
	require.Len(t, ledgerOf(t, f.stack, "ETH-EUR"), 3)

	var executes atomic.Int32
	f.api = f.losesFirstExecute(&executes)
	f.says("http-demo.js", "h", `
		stored h-1 PENDING
		watched h-1 PENDING
		watched h-1 EXECUTING
		watched h-1 EXECUTED 0\.\d+ for 24\.\d+
		executed h-1 (EXECUTING|EXECUTED 0\.\d+ for 24\.\d+)
		executed h-1 refused: 409 PROPOSAL_CLOSED
		executed h-2 refused: 400 COOLDOWN_BLOCKED
		override h-2 kept
		executed h-2 EXECUTED 0\.\d+ for 24\.\d+
		executed h-3 refused: 400 OVERRIDE_REASON_REQUIRED
		watched h-3 CANCELLED
		executed h-3 refused: 410 PROPOSAL_CANCELLED
		executed h-none refused: 404 NOT_FOUND
		stored h-1 refused: 409 PROPOSAL_CONFLICT
		listed h EXECUTED 2`)
	require.Len(t, ledgerOf(t, f.stack, "BTC-EUR"), 2)
	require.EqualValues(t, 7, executes.Load(), "a lost answer is looked up, not asked for again")
	require.Len(t, ledger(t, f.stack), 5)
	require.Contains(t, f.must("audit", "verify"), "sound")
	told.all()
}

// follower is the program that prints what happens, on a line that breaks three
// times, each time after an event.
type follower struct {
	*frontend

	cmd         *exec.Cmd
	words       said // on standard error
	lines       chan string
	connections atomic.Int32
}

func (f *frontend) follows() *follower {
	f.t.Helper()
	w := &follower{frontend: f, cmd: f.command("dist/events-demo.js", "0"), lines: make(chan string, 1000)}
	w.cmd.Env = append(w.cmd.Env, "INTERLOCK_URL="+f.behind(func(r *http.Response) error {
		if w.connections.Add(1) <= 3 {
			r.Body = &breaking{r.Body}
		}
		return nil
	}))
	w.cmd.Stderr = &w.words
	out, err := w.cmd.StdoutPipe()
	require.NoError(f.t, err)
	require.NoError(f.t, w.cmd.Start())
	go func() {
		defer close(w.lines)
		for text := bufio.NewScanner(out); text.Scan(); {
			w.lines <- text.Text()
		}
	}()
	return w
}

// breaking is a body that breaks once it has brought an event.
type breaking struct{ io.ReadCloser }

func (b *breaking) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if bytes.Contains(p[:n], []byte("data: ")) {
		return n, errors.New("the line breaks")
	}
	return n, err
}

// all expects every event of the user, each once and in their order, and ends
// the program.
func (w *follower) all() {
	w.t.Helper()
	store, err := postgres.Open(w.t.Context(), w.urls()["owner"])
	require.NoError(w.t, err)
	defer store.Close()
	events, err := store.Events(w.t.Context(), "paper", "demo", 0, 1000)
	require.NoError(w.t, err)
	require.Greater(w.t, len(events), 5)
	for i, e := range events {
		select {
		case line, goesOn := <-w.lines:
			require.True(w.t, goesOn, "the follower ended before event %d; it said: %s", e.ID, &w.words)
			require.Equal(w.t, fmt.Sprintf("%d %s %s", e.ID, e.Kind, e.Text()), line)
		case <-time.After(timeout):
			w.t.Fatalf("event %d was not told in time after the one before, %d of %d were; the follower said: %s", e.ID, i, len(events), &w.words)
		}
	}
	require.Greater(w.t, w.connections.Load(), int32(3), "the line broke")
	require.NoError(w.t, w.cmd.Process.Signal(syscall.SIGINT))
	more, open := <-w.lines
	require.False(w.t, open, "nothing twice: %s", more)
	require.NoError(w.t, w.cmd.Wait(), "Ctrl-C ends it")
}

// probe asks through a worker that is frozen, and says each time it asks.
const probe = `
	import { Client, Connection } from "@temporalio/client";
	import { loadClientConnectConfig } from "@temporalio/envconfig";
	import pg from "pg";
	import { Proposals } from "./dist/temporal.js";
	const { connectionOptions, namespace } = loadClientConnectConfig();
	const temporal = new Client({ connection: await Connection.connect(connectionOptions), namespace });
	const bounded = temporal.withDeadline.bind(temporal);
	temporal.withDeadline = (...how) => { console.log("asked"); return bounded(...how); };
	const database = new pg.Pool({ connectionString: process.env.DATABASE_URL });
	const proposals = new Proposals(temporal, database, "paper", "demo", 1500);
	await proposals.store({ id: "lost", market: "SOL-EUR", side: "buy", amountQuote: "25", confidence: "0.9" });
	const { status, claimed } = await proposals.execute("lost");
	console.log("answered", status, claimed);
	await Promise.all([database.end(), temporal.connection.close()]);`

func TestTypeScriptFrontendAsksAgainUnderTheSameIDAndPlacesOneOrder(t *testing.T) {
	t.Parallel()
	f := newFrontend(t)
	write(t, f.project, "probe.mjs", probe)
	pid, err := strconv.Atoi(f.urls()["pid-worker-proposals"])
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))

	cmd, words := f.command("probe.mjs"), &said{}
	cmd.Stdout, cmd.Stderr = words, words
	require.NoError(t, cmd.Start())
	waittest.Until(t, "the fourth question", func() error {
		return waittest.Is(strings.Count(words.String(), "asked\n") == 4, "it said: %s", words)
	})
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	require.NoError(t, cmd.Wait(), words)
	lines := strings.Split(strings.TrimSpace(words.String()), "\n")
	require.Greater(t, len(lines), 4, words)
	require.Equal(t, []string{"asked", "asked", "asked", "asked"}, lines[:4], "to start it, and three times for one verdict")
	require.Equal(t, "answered EXECUTED true", lines[len(lines)-1])
	require.Len(t, ledger(t, f.stack), 1)
	require.Contains(t, f.must("status", "lost"), "EXECUTED filled")
}

func TestTypeScriptFrontendsLoginMayStoreAndReadProposalsOnly(t *testing.T) {
	t.Parallel()
	f := newFrontend(t)
	conn, err := pgx.Connect(t.Context(), f.database)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	for _, sql := range []string{
		`INSERT INTO interlock.trade_proposals (id, user_id, account_id, market, side, amount, status) VALUES ('x', 'demo', 'paper', 'BTC-EUR', 'buy', 1, 'EXECUTED')`,
		`UPDATE interlock.trade_proposals SET status = 'CANCELLED'`, `DELETE FROM interlock.trade_proposals`,
		`SELECT * FROM interlock.trading_policies`, `SELECT * FROM interlock.api_tokens`, `SELECT * FROM interlock.trade_executions`,
		`INSERT INTO interlock.trade_history (user_id, asset, side, executed_at) VALUES ('demo', 'BTC', 'buy', now())`,
		`SELECT interlock.raise_halt('paper', 'me', 'so')`, `SELECT interlock.lock_for_proposal('x')`,
	} {
		_, err := conn.Exec(t.Context(), sql)
		require.ErrorContains(t, err, "permission denied", sql)
	}
}

// frontend is the example's programs against a stack.
type frontend struct {
	*stack

	project  string
	database string // as the frontend may use it
	api      string
}

func newFrontend(t *testing.T) *frontend {
	t.Helper()
	project := nodetest.Project(t, typescript)
	tsc(t, project)
	s := up(t, stateDir(t))
	return &frontend{s, project, frontendLogin(t, s), s.urls()["api"]}
}

func (f *frontend) command(args ...string) *exec.Cmd {
	cmd := nodetest.Command(f.t, f.project, args...)
	urls := f.urls()
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"DATABASE_URL=" + f.database, "INTERLOCK_USER=demo",
		"TEMPORAL_ADDRESS=" + urls["temporal"], "TEMPORAL_NAMESPACE=" + urls["namespace"],
		"INTERLOCK_URL=" + f.api, "INTERLOCK_TOKEN=" + urls["token"],
	}
	return cmd
}

// says runs a program and finds each line in what it printed.
func (f *frontend) says(program, name, lines string) {
	f.t.Helper()
	out := nodetest.Run(f.t, f.command("dist/"+program, name))
	printed := strings.Join(strings.Fields(strings.ReplaceAll(out, "\n", " ; ")), " ")
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		require.Regexp(f.t, `(^|; )`+strings.TrimSpace(line)+`( ;|$)`, printed, out)
	}
}

// slowOrders lets a watcher see what is under way.
func (f *frontend) slowOrders(ms int) {
	f.t.Helper()
	body, err := json.Marshal(map[string]any{"kind": "delay", "method": "POST", "path": "/order", "afterMs": ms, "count": 100})
	require.NoError(f.t, err)
	reply, err := http.Post(f.urls()["exchange-admin"]+"/faults", "application/json", bytes.NewReader(body))
	require.NoError(f.t, err)
	defer reply.Body.Close()
	said, err := io.ReadAll(reply.Body)
	require.NoError(f.t, err)
	require.Less(f.t, reply.StatusCode, 300, string(said))
}

// losesFirstExecute is the API behind a line that breaks after the API has
// answered its first execute.
func (f *frontend) losesFirstExecute(executes *atomic.Int32) string {
	return f.behind(func(r *http.Response) error {
		if r.Request.URL.Path == "/api/trading/execute" && executes.Add(1) == 1 {
			return errors.New("the line breaks")
		}
		return nil
	})
}

// behind is the API behind a line that does something to its answers.
func (f *frontend) behind(change func(*http.Response) error) string {
	f.t.Helper()
	target, err := url.Parse(f.urls()["api"])
	require.NoError(f.t, err)
	line := httputil.NewSingleHostReverseProxy(target)
	line.ModifyResponse, line.ErrorLog = change, log.New(io.Discard, "", 0)
	line.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	server := httptest.NewServer(line)
	f.t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	return server.URL
}

// frontendLogin makes the login that the example's README describes.
func frontendLogin(t *testing.T, s *stack) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(typescript, "frontend.sql"))
	require.NoError(t, err)
	sql := strings.NewReplacer(`:"login"`, `"frontend"`, `:'password'`, `'secret'`).Replace(string(text))
	conn, err := pgx.Connect(t.Context(), s.urls()["owner"])
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
	address, err := postgres.LoginURL(s.urls()["owner"], "frontend", "secret")
	require.NoError(t, err)
	return address
}
