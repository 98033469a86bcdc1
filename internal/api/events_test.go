package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"interlock/internal/api"
	"interlock/internal/devstack/devtest"
	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/internal/waittest"
)

const eventsPath = "/api/trading/events"

// stream is an open stream; its lines come as they are sent.
type stream struct {
	t     *testing.T
	lines chan string
	close context.CancelFunc
}

// listen opens a stream as anna unless a header says otherwise.
func (d *door) listen(header ...string) *stream {
	d.t.Helper()
	bound, cancel := context.WithCancel(ctx)
	r, err := http.NewRequestWithContext(bound, "GET", d.server.URL+eventsPath, nil)
	require.NoError(d.t, err)
	r.Header.Set("Authorization", "Bearer "+d.token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := d.server.Client().Do(r)
	require.NoError(d.t, err)
	require.Equal(d.t, 200, answer.StatusCode)
	require.Equal(d.t, "text/event-stream", answer.Header.Get("Content-Type"))
	s := &stream{t: d.t, lines: make(chan string, 1000), close: cancel}
	go func() {
		defer close(s.lines)
		defer answer.Body.Close()
		for text := bufio.NewScanner(answer.Body); text.Scan(); {
			s.lines <- text.Text()
		}
	}()
	d.t.Cleanup(cancel)
	require.Equal(d.t, "retry: 2000", s.next())
	require.Equal(d.t, "id: "+answer.Header.Get("Last-Event-ID"), s.next(), "who is cut off before anything happened goes on from here")
	return s
}

// next is the next line that is not empty.
func (s *stream) next() string {
	s.t.Helper()
	for {
		select {
		case line, open := <-s.lines:
			if !open {
				return "over"
			}
			if line != "" {
				return line
			}
		case <-time.After(timeout):
			s.t.Fatal("the stream says nothing")
		}
	}
}

// event is the next event, held to its form.
func (s *stream) event() (id string, told api.EventView) {
	s.t.Helper()
	id, isID := strings.CutPrefix(s.next(), "id: ")
	require.True(s.t, isID)
	kind, isKind := strings.CutPrefix(s.next(), "event: ")
	require.True(s.t, isKind)
	data, isData := strings.CutPrefix(s.next(), "data: ")
	require.True(s.t, isData)
	require.NoError(s.t, json.Unmarshal([]byte(data), &told))
	require.Equal(s.t, fmt.Sprint(told.ID), id)
	require.Equal(s.t, string(told.Kind), kind)
	require.NotEmpty(s.t, told.Text)
	return id, told
}

// blocks lets a proposal of a user be blocked.
func (d *door) blocks(id, user string) {
	d.t.Helper()
	amount := decimal.RequireFromString("0.001")
	_, _, err := d.owner.InsertProposal(ctx, trade.Proposal{
		ID: id, UserID: user, AccountID: account, Market: "BTC-EUR", Side: trade.Buy, OrderType: trade.MarketOrder,
		Amount: &amount, ExpiresAt: time.Now().Add(time.Hour),
	}, user)
	require.NoError(d.t, err)
	_, err = d.owner.Preflight(ctx, trade.Request{ID: uuid.NewString(), ProposalID: id, Actor: user, Via: "update"})
	require.NoError(d.t, err)
}

func TestAStreamTellsOnesOwnEventsAndAnOperatorsAll(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.blocks("before", "anna")
	annas, operators := d.listen(), d.listen(d.in(view.Operator, "olga", account)...)
	d.blocks("berts", "bert")
	d.blocks("annas", "anna")
	require.NoError(t, d.owner.SetTradingState(ctx, account, trade.Halted, "olga", "odd"))
	_, told := annas.event()
	require.Equal(t, "annas", told.ProposalID, "neither what was before, nor another's")
	require.Contains(t, told.Text, "POLICY_MISSING")
	require.NotEmpty(t, told.Body["blocks"])
	_, told = annas.event()
	require.EqualValues(t, "halted", told.Kind)
	for _, want := range []string{"berts", "annas", ""} {
		_, told := operators.event()
		require.Equal(t, want, told.ProposalID)
	}
}

func TestAStreamGoesOnAfterTheLastEventSeen(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	first := d.listen("Last-Event-ID", "0")
	for i := range 3 {
		d.blocks(fmt.Sprintf("p%d", i), "anna")
	}
	id, told := first.event()
	require.Equal(t, "p0", told.ProposalID)
	first.close()
	d.blocks("p3", "anna")
	second := d.listen("Last-Event-ID", id)
	for _, want := range []string{"p1", "p2", "p3"} {
		_, told := second.event()
		require.Equal(t, want, told.ProposalID)
	}
	r := d.send("GET", eventsPath, nil, "Last-Event-ID", "yesterday")
	require.Equal(t, 400, r.status)
	require.Contains(t, r.text, "Last-Event-ID")
}

func TestMoreThanAPageIsToldAtOnce(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	const many = 230
	execute(t, d.url, `INSERT INTO interlock.outbox (account_id, user_id, kind, body, fact)
		SELECT 'paper', 'anna', 'blocked', '{}', 'fact ' || n FROM generate_series(1, 230) n`)
	s, last := d.listen("Last-Event-ID", "0"), int64(0)
	for range many {
		_, told := s.event()
		require.Greater(t, told.ID, last)
		last = told.ID
	}
}

func TestNobodyHoldsMoreThanFiveStreamsAndAClosedOneIsFree(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	open := make([]*stream, 5)
	for i := range open {
		open[i] = d.listen(d.as("anna", account)...)
	}
	r := d.send("GET", eventsPath, nil)
	require.Equal(t, 429, r.status)
	require.Equal(t, api.TooManyStreams, r.code())
	d.listen(d.as("bert", account)...)
	open[0].close()
	waittest.Until(t, "the place of the stream that ended", func() error {
		bound, cancel := context.WithCancel(ctx)
		defer cancel()
		request, err := http.NewRequestWithContext(bound, "GET", d.server.URL+eventsPath, nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+d.token)
		answer, err := d.server.Client().Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		return waittest.Is(answer.StatusCode == 200, "the answer is %s", answer.Status)
	})
}

// The server's own timeouts are far shorter than a stream, and a shutdown waits
// for every request.
func TestAStreamOutlivesTheServersTimeoutsAndEndsWithIt(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	server := api.NewServer(api.New(api.Config{Store: d.store, Temporal: d.temporal}))
	server.ReadTimeout, server.WriteTimeout = 10*time.Second, 10*time.Second
	d.serve(server)
	s := d.listen()
	require.Equal(t, ": alive", s.next(), "15 s without an event")
	require.True(t, strings.HasPrefix(s.next(), "id: "))
	d.blocks("p", "anna")
	_, told := s.event()
	require.Equal(t, "p", told.ProposalID)

	stopping, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	require.NoError(t, server.Shutdown(stopping))
	require.Equal(t, "over", s.next())
}

// serve lets the door speak to a server of the test's own.
func (d *door) serve(server *http.Server) {
	d.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(d.t, err)
	go func() { _ = server.Serve(listener) }()
	d.t.Cleanup(func() { _ = server.Close() })
	d.server.URL = "http://" + listener.Addr().String()
}

func TestAStreamWorksThroughAPooler(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	pooled := open(t, devtest.Pooled(t, apiLogin(t, d.url)))
	d.serve(api.NewServer(api.New(api.Config{Store: pooled, Temporal: d.temporal})))
	s := d.listen()
	d.blocks("p", "anna")
	_, told := s.event()
	require.Equal(t, "p", told.ProposalID)
}
