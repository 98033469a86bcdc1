package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"interlock/internal/trade"
	"interlock/workflows"
)

// frozenAt is where zombies freeze, under the names of docs/failures.md.
var frozenAt = map[string]strike{
	"before its attempt's row":     {At: "PlaceOrder/clock", After: true},
	"inside the row's transaction": {At: "PlaceOrder/row"},
	"between row and signature":    {At: "PlaceOrder/place"},
	"between signature and send":   {At: "PlaceOrder/send"},
}

// A worker freezes in the middle of placing, the proposal goes on without it
// to its end, and then the worker wakes up. With its own clock check on, it
// stops itself; with it off, the exchange's access window does.
func TestZombiesPlaceNoSecondOrder(t *testing.T) {
	t.Parallel()
	rows := tableOf(t, "frozen")
	lacking := map[string]bool{"between row and signature, off": true, "between signature and send, off": true}
	for name := range frozenAt {
		lacking[name+", on"] = true
	}
	for _, row := range rows {
		require.Contains(t, frozenAt, row["frozen"])
		delete(lacking, row["frozen"]+", "+row["its clock check"])
	}
	require.Empty(t, lacking, "docs/failures.md lacks rows")
	abreast(t, lanes, map[string][]map[string]string{"zombies": rows}, func(t *testing.T, _ string, rows []map[string]string) {
		for _, row := range rows {
			newZombie(t, row).wakesUp()
		}
	})
}

// zombie is a row of the table on a stack of its own.
type zombie struct {
	*lane
	row  map[string]string
	name string
	dir  string
}

func newZombie(t *testing.T, row map[string]string) *zombie {
	z := &zombie{lane: newLane(t, "orders"), row: row, dir: t.TempDir()}
	z.name = fmt.Sprintf("frozen %s, clock check %s, until %s", row["frozen"], row["its clock check"], row["until"])
	return z
}

func (z *zombie) wakesUp() {
	z.t.Helper()
	order := frozenAt[z.row["frozen"]]
	order.Role, order.Proposal, order.Nth, order.Dir = "orders", "p", 1, z.dir
	order.Thaws, order.Blind = true, z.row["its clock check"] == "off"
	z.openWith(order)
	z.propose("p")
	z.executing("p")
	z.awaitStruck("p", z.dir, order.At)
	z.start("second", "orders")
	z.goesOn()
	z.thaw()
	z.answers()
	require.Equal(z.t, z.row["until"], z.end("p"), z.name)
	require.Equal(z.t, z.row["orders"], strconv.Itoa(z.ordersOf("p")), z.name)
	z.propose("q")
	z.tryUntil("q", trade.Executed)
	require.Equal(z.t, 1, z.ordersOf("q"), "%s: trading goes on", z.name)
}

// goesOn lives the proposal on to the row's end without the frozen worker. One
// that failed is asked again when the row wants an order.
func (z *zombie) goesOn() {
	z.t.Helper()
	if z.row["until"] == string(trade.Executed) {
		z.tryUntil("p", trade.Executed)
		return
	}
	z.ends(z.name, "p")
}

// tryUntil executes until it is done: a task that the server hands to the
// frozen worker is lost, and what was surely not sent may be asked again.
func (z *zombie) tryUntil(id string, want trade.Status) {
	z.t.Helper()
	z.eventually(fmt.Sprintf("%s: %s becomes %s", z.name, id, want), func() bool {
		switch z.status(id) {
		case want:
			return true
		case trade.Pending, trade.Failed:
			_, _ = z.ask(id, workflows.ExecuteRequest{})
		}
		return false
	})
}

func (z *zombie) thaw() {
	z.t.Helper()
	for _, done := range []string{"row void", "row error", "sent", "answered", "reply"} {
		require.Empty(z.t, traced(z.dir, traceFile, done), "%s: it was not frozen in time", z.name)
	}
	require.NoError(z.t, os.WriteFile(filepath.Join(z.dir, thawedFile), nil, 0o600))
	z.signal("orders", syscall.SIGCONT)
}

// answers compares what the thawed worker did with the row.
func (z *zombie) answers() {
	z.t.Helper()
	want := strings.Split(z.row["its answer"], " or ")
	if outcome, atRow := strings.CutPrefix(want[0], "row "); atRow {
		z.awaitTrace(z.dir, traceFile, "row "+outcome)
		require.Empty(z.t, traced(z.dir, traceFile, "answered"), z.name)
		return
	}
	_, code, _ := strings.Cut(strings.Fields(z.awaitTrace(z.dir, traceFile, "reply "))[1], "/")
	z.t.Logf("%s: its answer was %s", z.name, code)
	require.Contains(z.t, want, code, z.name)
	if code == "304" {
		require.Contains(z.t, traced(z.dir, traceFile, "answered POST"), `"errorCode":304`, "%s: the exchange itself must refuse", z.name)
	} else {
		require.Empty(z.t, traced(z.dir, traceFile, "answered POST"), z.name)
	}
}
