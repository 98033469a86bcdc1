package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
)

func started(t *testing.T) *Telemetry {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	m, err := Start(t.Context(), listener, "worker-orders")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Shutdown(context.Background())) })
	return m
}

func page(t *testing.T, m *Telemetry) string {
	t.Helper()
	reply, err := http.Get("http://" + m.Addr() + "/metrics")
	require.NoError(t, err)
	defer reply.Body.Close()
	require.Equal(t, http.StatusOK, reply.StatusCode)
	body, err := io.ReadAll(reply.Body)
	require.NoError(t, err)
	return string(body)
}

func TestCountsAreServedUnderTheirPromisedNames(t *testing.T) {
	m := started(t)
	m.Metrics().Blocked(trade.CooldownBlocked)
	m.Metrics().Blocked(trade.CooldownBlocked)
	m.Metrics().Placed(trade.Accepted)
	m.Metrics().Unresolved("prop-1")
	m.Metrics().Requested(http.StatusConflict)
	m.Metrics().Contradicted(2)
	require.NoError(t, m.Metrics().WatchUnresolved(func(context.Context) (int64, error) { return 3, nil }))

	text := page(t, m)
	for _, line := range []string{
		`interlock_blocks_total{code="COOLDOWN_BLOCKED"} 2`,
		`interlock_orders_total{reply="accepted"} 1`,
		`interlock_unresolved_looks_total 1`,
		`interlock_http_requests_total{status="409"} 1`,
		`interlock_contradictions_total 2`,
		"interlock_unresolved 3",
		`service_name="worker-orders"`,
		"go_goroutines",
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, "prop-1")
}

func TestTemporalMetricsAreServedToo(t *testing.T) {
	m := started(t)
	m.Handler().WithTags(map[string]string{"task_queue": "proposals"}).Counter("temporal_request").Inc(2)
	require.Contains(t, page(t, m), `temporal_request_total{task_queue="proposals"} 2`)
}

func TestUnknownNumberOfUnresolvedIsNotZero(t *testing.T) {
	m := started(t)
	require.NoError(t, m.Metrics().WatchUnresolved(func(context.Context) (int64, error) { return 0, errors.New("no database") }))
	require.NotContains(t, page(t, m), "interlock_unresolved ")
}

func TestNilMetricsCountNothing(t *testing.T) {
	var m *Metrics
	m.Blocked(trade.PriceStale)
	m.Placed(trade.Unknown)
	m.Unresolved("x")
	m.Requested(200)
	require.NoError(t, m.WatchUnresolved(nil))
}

func TestNothingIsServedWithoutAnAddress(t *testing.T) {
	m, err := Start(t.Context(), nil, "api")
	require.NoError(t, err)
	require.Empty(t, m.Addr())
	require.NotNil(t, m.Page())
	require.NoError(t, m.Shutdown(t.Context()))
}

func TestLogIsJSONUnlessATerminalReadsIt(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "log")
	require.NoError(t, err)
	defer file.Close()
	Logger(file, "api").Info("ready", "port", 1)
	text, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	var line struct{ Msg, Service string }
	require.NoError(t, json.Unmarshal(text, &line))
	require.Equal(t, "ready", line.Msg)
	require.Equal(t, "api", line.Service)

	var terminal strings.Builder
	logger(&terminal, true, "api").Info("ready", "port", 1)
	logger(&terminal, true, "api").Warn("slow")
	require.Regexp(t, `^time=\d\d:\d\d:\d\d\.\d{3} msg=ready port=1\ntime=\S+ level=WARN msg=slow\n$`, terminal.String())
}
