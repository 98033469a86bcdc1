package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
	"interlock/internal/trade"
	"interlock/migrations"
)

// onTrial is how many rows of a table run at once: each waits rather than works.
const onTrial = 10

// arrow is one step of the protocol at which a worker can die.
type arrow struct {
	role  string
	at    string // activity and step, as the striker names them
	nth   int    // which passing
	scene scene
}

// arrows holds every step that docs/failures.md has to explain, under the name
// it has there.
var arrows = map[string]arrow{
	"PlaceOrder: read the clock":    {"orders", "PlaceOrder/clock", 1, plain},
	"PlaceOrder: commit the row":    {"orders", "PlaceOrder/row", 1, plain},
	"PlaceOrder: look":              {"orders", "PlaceOrder/look", 1, plain},
	"PlaceOrder: sign and place":    {"orders", "PlaceOrder/place", 1, plain},
	"PlaceOrder: send":              {"orders", "PlaceOrder/send", 1, plain},
	"PlaceOrder: commit the reply":  {"orders", "PlaceOrder/reply", 1, plain},
	"FindOrder: look":               {"orders", "FindOrder/look", 1, doubtful},
	"FindOrder: commit the look":    {"orders", "FindOrder/commit", 1, doubtful},
	"FollowOrder: read the order":   {"orders", "FollowOrder/order", 1, unsettled},
	"FollowOrder: commit the visit": {"orders", "FollowOrder/commit", 1, unsettled},
	"CancelOrder: cancel":           {"orders", "CancelOrder/cancel", 1, openThenCancelled},
	"CancelOrder: send":             {"orders", "CancelOrder/send", 1, openThenCancelled},
	"ReadOrder: read the clock":     {"orders", "ReadOrder/clock", 1, resolvedTwice},
	"Preflight: commit the claim":   {"proposals", "Preflight/commit", 1, plain},
	"Conclude: commit the void":     {"proposals", "Conclude/commit", 1, rowless},
	"Conclude: commit the doubt":    {"proposals", "Conclude/commit", 1, doubtful},
	"Conclude: commit the verdict":  {"proposals", "Conclude/commit", 2, doubtful},
	"RecordOrder: commit the end":   {"proposals", "RecordOrder/commit", 1, plain},
	"FailExecution: commit the end": {"proposals", "FailExecution/commit", 1, refused},
	"Expire: commit":                {"proposals", "Expire/commit", 1, overdue},
	"Cancel: commit":                {"proposals", "Cancel/commit", 1, cancelled},
	"StoreOverride: commit":         {"proposals", "StoreOverride/commit", 1, overridden},
	"Resolve: commit":               {"proposals", "Resolve/commit", 1, resolved},
}

// A worker process is killed before and after every step there is. The table
// in docs/failures.md says what becomes of the proposal; this is its proof.
func TestEveryCrashEndsAsDocumented(t *testing.T) {
	t.Parallel()
	rows := tableOf(t, "step")
	listed := map[string]bool{}
	for _, row := range rows {
		listed[row["step"]+", "+row["killed"]] = true
	}
	for name := range arrows {
		require.True(t, listed[name+", before"], "docs/failures.md lacks: %s, before", name)
		require.True(t, listed[name+", after"], "docs/failures.md lacks: %s, after", name)
	}
	require.Len(t, listed, 2*len(arrows), "docs/failures.md has rows that nothing proves")
	require.Len(t, rows, len(listed), "docs/failures.md has a row twice")
	together(t, rows, func(row map[string]string) string { return row["step"] + ", " + row["killed"] }, crash)
}

// together runs a subtest per row, several at a time whatever -parallel says.
func together(t *testing.T, rows []map[string]string, name func(map[string]string) string, prove func(*testing.T, map[string]string)) {
	t.Helper()
	var all sync.WaitGroup
	places := make(chan struct{}, onTrial)
	for _, row := range rows {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			t.Run(name(row), func(t *testing.T) { prove(t, row) })
		})
	}
	all.Wait()
}

// crash kills a worker at a row's step, starts another, and compares the end.
func crash(t *testing.T, row map[string]string) {
	a := arrows[row["step"]]
	s := newGround(t, devtest.Database(t, migrations.Up))
	dir := t.TempDir()
	s.startWith(a.scene, strike{Role: a.role, At: a.at, After: row["killed"] == "after", Nth: a.nth, Dir: dir})
	a.scene.play(s)
	s.awaitTrace(dir, struckFile, a.at)
	restarted := time.Now()
	s.replace(a.role)
	if a.scene.again != nil {
		a.scene.again(s)
	}
	s.eventually(90*time.Second, "an end", func() bool { return s.over("p") })
	t.Logf("%s %s after the new worker was started", s.end("p"), time.Since(restarted).Round(100*time.Millisecond))
	require.Equal(t, row["end"], s.end("p"))
	require.Equal(t, row["orders"], strconv.Itoa(len(s.ordered())))
	require.Empty(t, s.unknownOrders())
}

// startWith starts a worker of each role, one of which will be struck.
func (s *stack) startWith(sc scene, order strike) {
	s.t.Helper()
	if sc.ready != nil {
		sc.ready(s)
	}
	s.watchMarket()
	for _, role := range []string{"proposals", "orders"} {
		switch {
		case role == order.Role:
			s.startStruck(role, order)
		case role == "orders" && sc.orders != nil:
			s.startStruck(role, strike{Role: role, At: sc.orders.At, Nth: 1, Dir: s.t.TempDir()})
		default:
			s.start(role, role)
		}
	}
	s.awaitReady()
}

// replace waits for the end of a killed worker and starts another.
func (s *stack) replace(role string) {
	s.t.Helper()
	state, err := s.processes[role].Process.Wait()
	require.NoError(s.t, err)
	require.Equal(s.t, syscall.SIGKILL, state.Sys().(syscall.WaitStatus).Signal())
	s.start(role+"-again", role)
}

// awaitTrace waits for a line that begins so in a file of a struck worker.
func (s *stack) awaitTrace(dir, file, begins string) string {
	s.t.Helper()
	var found string
	s.eventually(time.Minute, fmt.Sprintf("%q in %s", begins, file), func() bool {
		found = traced(dir, file, begins)
		return found != ""
	})
	return found
}

// over reports whether nothing more happens to a proposal by itself.
func (s *stack) over(id string) bool {
	switch s.status(id) {
	case trade.Executed, trade.Failed, trade.Expired, trade.Cancelled:
		return true
	}
	return false
}

// end is a proposal's status, and why when it failed.
func (s *stack) end(id string) string {
	s.t.Helper()
	life, err := s.owner.ReadState(ctx, id)
	require.NoError(s.t, err)
	if life.Proposal.FailureCode == "" || life.Proposal.Status != trade.Failed {
		return string(life.Proposal.Status)
	}
	return string(life.Proposal.Status) + " " + life.Proposal.FailureCode
}

// unknownOrders lists the exchange's orders that no execution of ours owns.
func (s *stack) unknownOrders() []string {
	s.t.Helper()
	var unknown []string
	for _, o := range s.ordered() {
		id := o["orderId"].(string)
		if s.count(`SELECT count(*) FROM interlock.trade_executions WHERE status = 'EXECUTED' AND order_id = $1`, id) != 1 {
			unknown = append(unknown, id)
		}
	}
	return unknown
}

func traced(dir, file, begins string) string {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return ""
	}
	return lineWith(string(text), begins)
}
