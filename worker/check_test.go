package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	bitvavo "interlock/internal/bitvavo/orders"
	"interlock/internal/config"
	"interlock/internal/demoanalyst"
	"interlock/internal/devstack/devtest"
	"interlock/internal/doctor"
	"interlock/internal/listen/listentest"
	"interlock/internal/paper"
	"interlock/internal/postgres"
	"interlock/internal/schedules"
	"interlock/internal/waittest"
	"interlock/migrations"
	"interlock/workflows"
)

// bareGround is a stack without workers, which nobody disturbs.
func bareGround(t *testing.T) *stack {
	t.Helper()
	return newGround(t, devtest.Database(t, migrations.Up), devtest.Namespace(t, workflows.SearchAttributes()))
}

// check looks at a role until nothing is left open or failed because this
// machine was too slow for the time that a look has.
func (s *stack) check(role string, change ...string) (list findings) {
	s.t.Helper()
	s.eventually("a look at "+role+" that is over in time", func() bool {
		list = s.look(role, change...)
		return !list.late(s.t)
	})
	return list
}

// look runs the worker's look at a role as a person would, in the role's
// environment with some variables changed.
func (s *stack) look(role string, change ...string) findings {
	s.t.Helper()
	path, err := binary()
	require.NoError(s.t, err)
	bound, cancel := context.WithTimeout(ctx, waittest.Timeout)
	defer cancel()
	cmd := exec.CommandContext(bound, path, "--role", role, "--check", "--json")
	cmd.Env = append(s.environment(role), change...)
	began := time.Now()
	out, err := cmd.Output()
	s.t.Logf("the look at %s took %s", role, time.Since(began).Round(time.Millisecond))
	var list findings
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		require.NoError(s.t, json.Unmarshal(out, &list), "%s%s", out, ended.Stderr)
	}
	require.NoError(s.t, json.Unmarshal(out, &list), string(out))
	require.Equal(s.t, doctor.Failed(list), err != nil, "exit code 1 says that something failed")
	for _, secret := range []string{s.trade.Key, s.trade.Secret, s.read.Key, s.read.Secret, ":secret@", "hunter2"} {
		require.NotContains(s.t, string(out), secret)
	}
	for _, f := range list {
		require.NotContains(s.t, f.Found+f.Fix, "\n", f)
		require.NotEmpty(s.t, f.Found, f)
		require.Equal(s.t, f.Result == doctor.OK, f.Fix == "", "all but what is in order says what to do: %v", f)
	}
	return list
}

type findings []doctor.Finding

// late reports whether a finding is about the time that a look has, and logs it.
func (list findings) late(t *testing.T) bool {
	t.Helper()
	for _, f := range list {
		for _, reason := range []string{"deadline exceeded", "i/o timeout", "too long to tell"} {
			if f.Result != doctor.OK && strings.Contains(strings.ToLower(f.Found), reason) {
				t.Log(f.Check, f.Result, f.Found)
				return true
			}
		}
	}
	return false
}

// of returns what a check came to, joined when it was made of several things.
func (list findings) of(check string) (result doctor.Result, found string) {
	for _, f := range list {
		if f.Check == check && (result == "" || result == doctor.OK || f.Result == doctor.Fail) {
			result = f.Result
		}
		if f.Check == check {
			found += f.Found + "\n"
		}
	}
	return result, found
}

func (list findings) require(t *testing.T, check string, want doctor.Result, says string) {
	t.Helper()
	result, found := list.of(check)
	require.Equal(t, want, result, "%s: %s", check, found)
	require.Contains(t, found, says, check)
}

// failed names the checks that failed.
func (list findings) failed() []string {
	var names []string
	for _, f := range list {
		if f.Result == doctor.Fail {
			names = append(names, f.Check)
		}
	}
	return names
}

func TestASoundStackHasNothingToMendButItsFastDatabase(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	s.eventually("the schedules exist, and every role polls", func() bool {
		return len(s.check("orders").failed()) == 1 && len(s.check("proposals").failed()) == 1 && len(s.check("scans").failed()) == 1
	})
	for _, role := range []string{"proposals", "orders", "scans"} {
		list := s.check(role)
		require.Equal(t, []string{"durability"}, list.failed(), role)
		list.require(t, "durability", doctor.Fail, "fsync is off, full_page_writes is off:") // tests do without
		list.require(t, "grants", doctor.OK, "exactly those of interlock_"+role)
	}
	s.check("orders").require(t, "trade permission", doctor.OK, "the trade key may trade")
	s.check("scans").require(t, "trade permission", doctor.OK, "the read-only key may not trade")
	require.Empty(t, s.ordered(), "looking places nothing")
}

func TestEveryFaultOfTheDatabaseIsFound(t *testing.T) {
	t.Parallel()
	s := bareGround(t)
	login := pgx.Identifier{s.login("orders")}.Sanitize()
	exec := func(statement string) {
		t.Helper()
		_, err := s.pool.Exec(ctx, statement)
		require.NoError(t, err, statement)
	}
	for _, c := range []struct{ check, breaks, mends, says string }{
		{"schema version", `UPDATE interlock.schema_version SET version = version - 1`, `UPDATE interlock.schema_version SET version = version + 1`, "and this program needs"},
		{"schema version", `UPDATE interlock.schema_version SET version = version + 1`, `UPDATE interlock.schema_version SET version = version - 1`, "and this program knows"},
		{"grants", `REVOKE INSERT (deadline) ON interlock.order_attempts FROM interlock_orders`, `GRANT INSERT (deadline) ON interlock.order_attempts TO interlock_orders`, "lacks INSERT order_attempts.deadline"},
		{"grants", `GRANT INSERT ON interlock.trade_executions TO interlock_orders`, `REVOKE INSERT ON interlock.trade_executions FROM interlock_orders`, "may INSERT trade_executions, which role orders must not"},
		{"grants", `GRANT UPDATE (state) ON interlock.trading_controls TO ` + login, `REVOKE UPDATE (state) ON interlock.trading_controls FROM ` + login, "may UPDATE trading_controls.state"},
		{"grants", `GRANT EXECUTE ON FUNCTION interlock.lock_for_proposal TO PUBLIC`, `REVOKE EXECUTE ON FUNCTION interlock.lock_for_proposal FROM PUBLIC`, "may EXECUTE lock_for_proposal"},
		{"grants", `GRANT interlock_operator TO ` + login, `REVOKE interlock_operator FROM ` + login, "is a member of interlock_operator, interlock_orders"},
		{"grants", `REVOKE interlock_orders FROM ` + login, `GRANT interlock_orders TO ` + login, "is a member of none of our roles"},
		{"grants", `ALTER ROLE ` + login + ` SUPERUSER`, `ALTER ROLE ` + login + ` NOSUPERUSER`, "is a superuser"},
		{"durability", `ALTER ROLE ` + login + ` SET synchronous_commit = off`, `ALTER ROLE ` + login + ` RESET ALL`, "synchronous_commit is off"},
	} {
		exec(c.breaks)
		s.check("orders").require(t, c.check, doctor.Fail, c.says)
		exec(c.mends)
		_, found := s.check("orders").of(c.check)
		require.NotContains(t, found, c.says, "it was mended")
	}
	own, err := postgres.LoginURL(s.ownerURL, s.login("proposals"), "secret")
	require.NoError(t, err)
	s.check("orders", "DATABASE_URL="+own).require(t, "grants", doctor.Fail, "is a member of interlock_proposals")
	s.check("orders", "DATABASE_URL="+s.ownerURL).require(t, "grants", doctor.Fail, "is a superuser, an owner")
	wrong, err := postgres.LoginURL(s.ownerURL, s.login("orders"), "hunter2")
	require.NoError(t, err)
	s.check("orders", "DATABASE_URL="+wrong).require(t, "database", doctor.Fail, "password authentication failed")
}

func TestEveryFaultOfTemporalIsFound(t *testing.T) {
	t.Parallel()
	url, server := devtest.Database(t, migrations.Up), devtest.Namespace(t, map[string]string{"Market": "Keyword", "Side": "Text"})
	s := newGround(t, url, server)
	list := s.check("proposals")
	list.require(t, "attributes", doctor.Fail, "ProposalStatus is not registered")
	list.require(t, "attributes", doctor.Fail, "BlockedBy is not registered")
	list.require(t, "attributes", doctor.Fail, "Side is a Text and must be a Keyword")
	_, found := list.of("attributes")
	require.NotContains(t, found, "Market is")
	list.require(t, "workers", doctor.Fail, "nobody polls proposals (workflows)")
	list.require(t, "workers", doctor.Fail, "nobody polls upkeep")
	list.require(t, "schedule", doctor.Fail, "sweep is missing")
	s.check("orders").require(t, "workers", doctor.Fail, "nobody polls orders-paper")
	s.check("orders").require(t, "schedule", doctor.Fail, "reconcile-paper is missing")
	s.check("scans").require(t, "workers", doctor.Fail, "nobody polls scans-paper")

	list = s.check("proposals", "TEMPORAL_NAMESPACE=nowhere")
	list.require(t, "namespace", doctor.Fail, "nowhere does not exist")
	list.require(t, "schedule", doctor.Unknown, "not checked")
}

func TestAPausedScheduleIsFound(t *testing.T) {
	t.Parallel()
	s := bareGround(t)
	id := workflows.ReconcileID(account)
	_, err := makeSchedule(ctx, s.temporal, id, reconcileEvery, workflows.ReconcileType, account)
	require.NoError(t, err)
	s.check("orders").require(t, "schedule", doctor.OK, id+" is due")
	require.NoError(t, s.temporal.ScheduleClient().GetHandle(ctx, id).Pause(ctx, client.SchedulePauseOptions{Note: "looking into it"}))
	s.check("orders").require(t, "schedule", doctor.Fail, id+" is paused: looking into it")
}

func TestAScanJobWithoutItsScheduleOrItsModelIsFound(t *testing.T) {
	t.Parallel()
	s := bareGround(t)
	s.check("scans").require(t, "schedule", doctor.OK, "there are no scan jobs")
	s.check("scans").require(t, "model", doctor.Warn, "no model server is named, and no job asks one")
	job := scanStack{stack: s}.job("watch", time.Hour)
	s.check("scans").require(t, "schedule", doctor.OK, "scan-"+job.ID+" is due")
	require.NoError(t, schedules.Delete(ctx, s.temporal, job.ID))
	s.check("scans").require(t, "schedule", doctor.Fail, "scan-"+job.ID+" is missing")
	s.check("scans").require(t, "model", doctor.Fail, "no model server is named, and 1 jobs would ask one")

	analyst := httptest.NewServer(demoanalyst.New().Handler())
	t.Cleanup(analyst.Close)
	s.check("scans", "OPENAI_BASE_URL="+analyst.URL+"/v1").require(t, "model", doctor.OK, "lists 1 models")
	s.check("scans", "OPENAI_BASE_URL="+analyst.URL+"/elsewhere").require(t, "model", doctor.Unknown, "lists no models")
	locked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(locked.Close)
	s.check("scans", "OPENAI_BASE_URL="+locked.URL, "OPENAI_API_KEY=hunter2").require(t, "model", doctor.Fail, "does not take the key")
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":[{"id":"other"}]}`)
	}))
	t.Cleanup(other.Close)
	s.check("scans", "OPENAI_BASE_URL="+other.URL).require(t, "model", doctor.Warn, "which the server does not list")
}

func TestEveryFaultOfTheExchangeIsFound(t *testing.T) {
	t.Parallel()
	s := bareGround(t)
	sound := s.exchange.URL + "/v2"
	keys := func(prefix string, k paper.Key) []string {
		return []string{prefix + "_KEY=" + k.Key, prefix + "_SECRET=" + k.Secret}
	}
	s.check("orders", keys("BITVAVO_TRADE", s.read)...).require(t, "trade permission", doctor.Fail, "the trade key may not trade")
	s.check("scans", keys("BITVAVO_READONLY", s.trade)...).require(t, "trade permission", doctor.Fail, "the read-only key may trade")
	blind := paper.NewKey("b", paper.Trade)
	other, err := paper.New(paper.Config{Keys: []paper.Key{blind}})
	require.NoError(t, err)
	elsewhere := httptest.NewServer(other.Handler())
	t.Cleanup(func() { elsewhere.Close(); require.NoError(t, other.Close()) })
	list := s.check("orders", append(keys("BITVAVO_TRADE", blind), "BITVAVO_REST_URL="+elsewhere.URL+"/v2")...)
	list.require(t, "view permission", doctor.Fail, "may not view the account")
	list.require(t, "account", doctor.Fail, "is not the exchange of account paper")
	s.check("orders", keys("BITVAVO_TRADE", paper.NewKey("x", paper.Trade))...).require(t, "trade permission", doctor.Fail, "does not take this key")
	s.check("orders", "BITVAVO_TRADE_SECRET=hunter2").require(t, "view permission", doctor.Fail, "errorCode 309")
	s.check("orders", "INTERLOCK_ACCOUNT=nobody").require(t, "account", doctor.Fail, "there is no account nobody")
	s.check("scans", "BITVAVO_READONLY_KEY=", "BITVAVO_READONLY_SECRET=").require(t, "view permission", doctor.Warn, "there is no read-only key")

	s.check("orders").require(t, "clock", doctor.OK, "the database")
	s.admin(http.MethodPost, "/admin/clock", map[string]any{"offsetMs": -60_000}, nil)
	s.check("orders").require(t, "clock", doctor.Fail, "behind the database: every execute is blocked by CLOCK_SKEW")
	s.admin(http.MethodPost, "/admin/clock", map[string]any{"offsetMs": 0}, nil)

	s.exchange.CloseClientConnections()
	s.exchange.Close()
	list = s.look("orders")
	list.require(t, "exchange", doctor.Fail, sound+" does not answer")
	list.require(t, "trade permission", doctor.Unknown, "not checked")
}

func TestAnEnvironmentThatCannotBeUsedIsSaidInFull(t *testing.T) {
	t.Parallel()
	s := bareGround(t)
	list := s.check("orders", "BITVAVO_READONLY_KEY=hunter2", "BITVAVO_OPERATOR_ID=none", "BITVAVO_TRADE_RPS=-1")
	list.require(t, "configuration", doctor.Fail, "BITVAVO_READONLY_KEY: is set, and role orders must not hold a key of role scans")
	list.require(t, "configuration", doctor.Fail, `BITVAVO_OPERATOR_ID: "none" is not usable`)
	list.require(t, "configuration", doctor.Fail, `BITVAVO_TRADE_RPS: "-1" is not usable`)
	s.check("orders", "BITVAVO_REST_URL=https://api.bitvavo.com/v2").require(t, "configuration", doctor.Fail, "INTERLOCK_LIVE is not 1")
}

// TestNothingThatIsDownOrFrozenIsWaitedFor: each part is said to be down,
// whether it refuses connections or takes them and says nothing.
func TestNothingThatIsDownOrFrozenIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := bareGround(t)
	var held sync.WaitGroup
	frozen, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	held.Go(func() {
		var open []net.Conn
		for conn, err := frozen.Accept(); err == nil; conn, err = frozen.Accept() {
			open = append(open, conn)
		}
		for _, conn := range open {
			conn.Close()
		}
	})
	t.Cleanup(func() { frozen.Close(); held.Wait() })
	for _, address := range []string{listentest.Refusing(t), frozen.Addr().String()} {
		list := s.look("scans", "DATABASE_URL=postgres://u:hunter2@"+address+"/x", "TEMPORAL_ADDRESS="+address,
			"BITVAVO_REST_URL=http://"+address+"/v2", "OPENAI_BASE_URL=http://"+address+"/v1")
		require.Equal(t, []string{"database", "Temporal", "exchange", "model"}, list.failed())
		// It has answered, and the frozen one is still frozen.
	}
}

// stranger is a live host that this machine stands in for: the requests that
// would have gone there are noted.
type stranger struct {
	to *url.URL

	mu   sync.Mutex
	sent []string
}

func (s *stranger) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.sent = append(s.sent, req.Method+" "+req.URL.Path)
	s.mu.Unlock()
	turned := req.Clone(req.Context())
	turned.URL.Scheme, turned.URL.Host, turned.Host = s.to.Scheme, s.to.Host, ""
	return http.DefaultTransport.RoundTrip(turned)
}

func TestALiveHostIsAskedNothingThatCouldMoveMoney(t *testing.T) {
	t.Parallel()
	s := bareGround(t)
	to, err := url.Parse(s.exchange.URL)
	require.NoError(t, err)
	host := &stranger{to: to}
	prober, err := bitvavo.NewProber(bitvavo.Config{URL: "https://api.bitvavo.com/v2", Key: s.trade.Key, Secret: s.trade.Secret, Transport: host})
	require.NoError(t, err)
	t.Cleanup(prober.Close)
	list := findings(doctor.Examine(t.Context(), doctor.Subject{
		Role: config.Orders, Account: account, Database: s.ownerURL, Temporal: client.Options{HostPort: s.server.Address, Namespace: s.server.Namespace},
		Exchange: &doctor.Exchange{
			Exchange: config.Exchange{URL: "https://api.bitvavo.com/v2", Live: true}, Clock: prober.Time,
			Keys: []doctor.Key{{Name: "trade key", Trade: true, Probe: probe{prober}}},
		},
	}))
	list.require(t, "trade permission", doctor.OK, "may trade")
	list.require(t, "withdrawal", doctor.Unknown, "is never asked")
	list.require(t, "account", doctor.Fail, "is not the exchange of account paper")
	for _, request := range host.sent {
		require.Contains(t, []string{"GET /v2/time", "GET /v2/balance", "DELETE /v2/order"}, request)
	}
	require.Contains(t, host.sent, "DELETE /v2/order")
	require.LessOrEqual(t, len(host.sent), 5)
}

// TestTheWholeCheckSendsNothingThatCouldMoveMoney watches the process itself,
// of every role, from the exchange's side.
func TestTheWholeCheckSendsNothingThatCouldMoveMoney(t *testing.T) {
	t.Parallel()
	s := bareGround(t)
	var mu sync.Mutex
	var seen []string
	behind := s.exchange.Config.Handler
	watched := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.Method+" "+r.URL.Path)
		mu.Unlock()
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(watched.Close)
	for _, role := range []string{"orders", "scans"} {
		s.check(role, "BITVAVO_REST_URL="+watched.URL+"/v2").require(t, "view permission", doctor.OK, "may view")
	}
	mu.Lock()
	defer mu.Unlock()
	count := map[string]int{}
	for _, request := range seen {
		count[request]++
	}
	require.Equal(t, 2, count["DELETE /v2/order"], "once per key")
	require.Equal(t, 2, count["GET /v2/balance"])
	require.Len(t, seen, count["DELETE /v2/order"]+count["GET /v2/balance"]+count["GET /v2/time"], strings.Join(seen, "\n"))
	require.Empty(t, s.ordered())
}
