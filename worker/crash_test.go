package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
	"interlock/internal/trade"
	"interlock/migrations"
	"interlock/workflows"
)

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
	"ReadOrder: commit the reading": {"orders", "ReadOrder/commit", 1, resolvedTwice},
	"Preflight: commit the claim":   {"proposals", "Preflight/commit", 1, alive},
	"Preflight at the start: claim": {"proposals", "Preflight/commit", 1, plain},
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
	proven := map[string]bool{}
	for name := range arrows {
		proven[name+", before"], proven[name+", after"] = true, true
	}
	byRole := map[string][]trial{}
	for i, row := range rows {
		name := row["step"] + ", killed " + row["killed"]
		require.True(t, proven[row["step"]+", "+row["killed"]], "docs/failures.md has a row twice, or one that nothing proves: %s", name)
		delete(proven, row["step"]+", "+row["killed"])
		a := arrows[row["step"]]
		byRole[a.role] = append(byRole[a.role], trial{name: name, arrow: a, row: row, id: fmt.Sprintf("p%d", i)})
	}
	require.Empty(t, proven, "docs/failures.md lacks rows")
	abreast(t, lanes, byRole, func(t *testing.T, role string, trials []trial) { newLane(t, role).run(trials) })
}

// lanes is how many stacks try the rows of one role, each its share one after
// another: a row waits rather than works.
const lanes = 4

// abreast deals rows out to lanes that run together, whatever -parallel says.
func abreast[T any](t *testing.T, lanes int, kinds map[string][]T, run func(*testing.T, string, []T)) {
	t.Helper()
	var all sync.WaitGroup
	for kind, rows := range kinds {
		for i := range lanes {
			var share []T
			for at := i; at < len(rows); at += lanes {
				share = append(share, rows[at])
			}
			all.Go(func() {
				t.Run(fmt.Sprintf("%s-%d", kind, i), func(t *testing.T) { run(t, kind, share) })
			})
		}
	}
	all.Wait()
}

// trial is one row of the table: proposal id, a worker killed at its step.
type trial struct {
	*lane
	name  string
	arrow arrow
	row   map[string]string
	id    string
	dir   string
}

// lane is a stack without role scans on which one role's workers are killed
// again and again.
type lane struct {
	*stack
	role string
}

// building keeps stacks from being made all at once on a small machine.
var building sync.Mutex

func newLane(t *testing.T, role string) *lane {
	l := &lane{stack: newGround(t, devtest.Database(t, migrations.Up), devtest.Namespace(t, workflows.SearchAttributes())), role: role}
	l.keepMarket()
	return l
}

// run tries each row. The worker that replaces a killed one is the one that
// the next row kills.
func (l *lane) run(trials []trial) {
	l.t.Helper()
	for i := range trials {
		trials[i].lane, trials[i].dir = l, l.t.TempDir()
	}
	l.openWith(trials[0].strike())
	for i, tr := range trials {
		tr.play()
		tr.awaitStruck(tr.id, tr.dir, tr.arrow.at)
		l.reap(l.role)
		restarted := time.Now()
		if i+1 < len(trials) {
			l.startStruck(l.role, trials[i+1].strike())
		} else {
			l.start(l.role, l.role)
		}
		tr.prove(restarted)
	}
}

// openWith starts the workers, one of which is struck.
func (l *lane) openWith(first strike) {
	l.t.Helper()
	building.Lock()
	defer building.Unlock()
	for _, role := range []string{"proposals", "orders"} {
		if role == l.role {
			l.startStruck(role, first)
		} else {
			l.start(role, role)
		}
	}
	l.awaitReady()
}

// reap waits for the end of a worker that was killed.
func (s *stack) reap(name string) {
	s.t.Helper()
	state := s.endOf(name)
	require.Equal(s.t, syscall.SIGKILL, state.Sys().(syscall.WaitStatus).Signal(), "%s ended (%s)", name, state)
}

func (tr trial) strike() strike {
	return strike{
		Role: tr.arrow.role, Proposal: tr.id, At: tr.arrow.at, After: tr.row["killed"] == "after", Nth: tr.arrow.nth, Dir: tr.dir,
	}
}

// prove compares the end with the row, and the exchange's list with our records.
func (tr trial) prove(restarted time.Time) {
	tr.t.Helper()
	if tr.arrow.scene.again != nil {
		tr.arrow.scene.again(tr)
	}
	tr.ends(tr.name, tr.id)
	for tr.row["end"] != tr.end(tr.id) && tr.tooLate(tr.id) {
		tr.again(tr.id)
		tr.ends(tr.name, tr.id)
	}
	tr.t.Logf("%s: %s %s after the new worker was started", tr.name, tr.end(tr.id), time.Since(restarted).Round(100*time.Millisecond))
	require.Equal(tr.t, tr.row["end"], tr.end(tr.id), tr.name)
	require.Equal(tr.t, tr.row["orders"], strconv.Itoa(tr.ordersOf(tr.id)), tr.name)
	tr.calm()
}

func (s *stack) ends(name, id string) {
	s.t.Helper()
	s.eventually("an end of "+name, func() bool { return s.over(id) })
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
	if life.Proposal.Status != trade.Failed {
		return string(life.Proposal.Status)
	}
	return string(life.Proposal.Status) + " " + life.Proposal.FailureCode
}

// ordersOf counts the orders that the exchange itself lists under a proposal's
// client order ID, and checks that every order it lists belongs to a proposal.
func (s *stack) ordersOf(id string) int {
	s.t.Helper()
	n := 0
	for _, o := range s.ordered() {
		var owner string
		require.NoError(s.t, s.query(`SELECT proposal_id FROM interlock.trade_executions WHERE client_order_id::text = $1 LIMIT 1`,
			&owner, o["clientOrderId"]), "an order of nobody: %v", o)
		if owner == id {
			n++
		}
	}
	return n
}

// awaitStruck waits for the fall of a worker at a step in the life of a
// proposal, which may have to be asked for again to get there.
func (s *stack) awaitStruck(id, dir, at string) {
	s.t.Helper()
	s.eventually(id+" is struck at "+at, func() bool {
		s.again(id)
		return traced(dir, struckFile, at) != ""
	})
}

// awaitTrace waits for a line that begins so in a file of a struck worker.
func (s *stack) awaitTrace(dir, file, begins string) string {
	s.t.Helper()
	var found string
	s.eventually(fmt.Sprintf("%q in %s", begins, file), func() bool {
		found = traced(dir, file, begins)
		return found != ""
	})
	return found
}

// traced is the first line that begins so, or empty.
func traced(dir, file, begins string) string {
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, begins) {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
