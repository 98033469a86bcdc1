package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"interlock/internal/waittest"
)

// eventually waits for a condition; it is how every test here waits.
func (s *stack) eventually(what string, met func() bool) {
	s.t.Helper()
	waittest.Until(s.t, what, s.whether(met))
}

// promptly is eventually for what must be caught in the act.
func (s *stack) promptly(what string, met func() bool) {
	s.t.Helper()
	waittest.Closely(s.t, what, s.whether(met))
}

func (s *stack) whether(met func() bool) func() error {
	return func() error {
		if met() {
			return nil
		}
		return unmet{s}
	}
}

// endTimeout is longer than a worker takes to drain.
const endTimeout = 2 * time.Minute

// endOf waits for the end of a process.
func (s *stack) endOf(name string) *os.ProcessState {
	s.t.Helper()
	type end struct {
		state *os.ProcessState
		err   error
	}
	ended := make(chan end, 1)
	go func() {
		state, err := s.processes[name].Process.Wait()
		ended <- end{state, err}
	}()
	select {
	case e := <-ended:
		require.NoError(s.t, e.err)
		return e.state
	case <-time.After(endTimeout):
		s.t.Fatalf("%s has not ended after %s: %v", name, endTimeout, unmet{s})
		return nil
	}
}

// unmet is what is so instead, looked up when somebody wants to read it. The
// logs of the processes follow when the test has failed.
type unmet struct{ *stack }

func (u unmet) Error() string {
	return fmt.Sprintf("proposals: %s; orders at the exchange: %s; processes: %s", u.proposals(), u.orders(), u.fates())
}

const shownSQL = `
	SELECT p.id || ' ' || p.status || coalesce(', its last execution ' || (
		SELECT e.status FROM interlock.trade_executions e WHERE e.proposal_id = p.id ORDER BY e.claimed_at DESC LIMIT 1), '')
	FROM interlock.trade_proposals p ORDER BY p.created_at DESC LIMIT 20`

func (u unmet) proposals() string {
	rows, err := u.pool.Query(ctx, shownSQL)
	if err != nil {
		return err.Error()
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err.Error()
	}
	return listed(list)
}

func (u unmet) orders() string {
	reply, err := http.Get(u.exchange.URL + "/admin/orders")
	if err != nil {
		return err.Error()
	}
	defer reply.Body.Close()
	var list any
	if err := json.NewDecoder(reply.Body).Decode(&list); err != nil {
		return err.Error()
	}
	var shown []string
	for _, o := range orderList(list) {
		shown = append(shown, fmt.Sprintf("%v %v %v", o["market"], o["side"], o["status"]))
	}
	return listed(shown)
}

// fates says of each process whether it runs.
func (u unmet) fates() string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(u.processes)) {
		list = append(list, name+" "+fate(u.processes[name].Process.Pid))
	}
	return listed(list)
}

// fate takes the end of a process away from whoever waits for it: it is for a
// test that has failed.
func fate(pid int) string {
	var status syscall.WaitStatus
	switch ended, err := syscall.Wait4(pid, &status, syscall.WNOHANG|syscall.WUNTRACED, nil); {
	case errors.Is(err, syscall.ECHILD):
		return "was ended by the test"
	case err != nil:
		return err.Error()
	case ended == 0:
		return "runs"
	case status.Stopped():
		return "is frozen"
	case status.Signaled():
		return "ended (" + status.Signal().String() + ")"
	}
	return fmt.Sprintf("ended (exit status %d)", status.ExitStatus())
}

func listed(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
