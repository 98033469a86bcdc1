package main

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"interlock/internal/badinput"
	"interlock/internal/trade"
	"interlock/internal/waittest"
	"interlock/workflows"
)

// sent is what a client sends under the name of a signal or an update.
type sent struct {
	name string
	args []any
}

func payload(encoding, data string) converter.RawValue {
	p := &common.Payload{Data: []byte(data)}
	if encoding != "" {
		p.Metadata = map[string][]byte{converter.MetadataEncoding: []byte(encoding)}
	}
	return converter.NewRawValue(p)
}

// unreadable is everything that no client of ours would send.
func unreadable() []sent {
	const valid = `{"actor":"anna","reason":"news"}`
	list := []sent{
		{"no argument", nil}, {"two arguments", []any{payload(converter.MetadataEncodingJSON, valid+"x"), payload(converter.MetadataEncodingJSON, valid)}},
		{"null", []any{payload(converter.MetadataEncodingNil, "")}}, {"bytes", []any{payload(converter.MetadataEncodingBinary, valid)}},
		{"protobuf", []any{payload(converter.MetadataEncodingProto, "\x0a\x01a")}}, {"protobuf in JSON", []any{payload(converter.MetadataEncodingProtoJSON, `{"actor":7}`)}},
		{"another encoding", []any{payload("binary/encrypted", "\x00\x01")}}, {"no encoding", []any{payload("", valid)}},
		{"an actor of NUL", []any{payload(converter.MetadataEncodingJSON, `{"actor":"\u0000","reason":"r\u0000","cooldown":true}`)}},
		{"a reason without end", []any{payload(converter.MetadataEncodingJSON, `{"actor":"anna","cooldown":true,"reason":"`+strings.Repeat("x", 1<<20)+`"}`)}},
	}
	for _, v := range append(badinput.Documents(valid), badinput.NotTexts()...) {
		list = append(list, sent{v.Name, []any{payload(converter.MetadataEncodingJSON, v.Text)}})
	}
	for _, field := range []string{"actor", "reason", "orderId", "cooldown", "absent", "execute", "notAfter", "expiresAt", "checks", "id"} {
		list = append(list, sent{field, []any{payload(converter.MetadataEncodingJSON, `{"`+field+`":`+badinput.Deep(3)+`}`)}})
	}
	return list
}

// TestUnreadableRequestsNeitherStopNorMoveAProposal: whatever any Temporal
// client sends, an update is refused with a line, a signal changes nothing, no
// workflow task fails, and the proposal can be executed afterwards.
func TestUnreadableRequestsNeitherStopNorMoveAProposal(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	s.propose("p")
	require.NoError(t, s.start1("p", workflows.ProposalInput{}))
	for _, r := range unreadable() {
		for _, name := range []string{workflows.OverrideName, workflows.CancelSignal, workflows.ResolveName, workflows.RefreshSignal, "execute", "unheard-of", ""} {
			if name == workflows.CancelSignal && r.name == "a reason without end" {
				continue // it is kept, shortened
			}
			s.signalAny("p", name, r.args)
		}
		for _, name := range []string{workflows.ExecuteUpdate, workflows.OverrideName, workflows.ResolveName, "unheard-of"} {
			s.refusesUpdate("p", name, r)
		}
	}
	_, err := s.temporal.QueryWorkflow(ctx, "p", "", "unheard-of")
	require.Error(t, err)
	_, err = s.temporal.QueryWorkflow(ctx, "p", "", workflows.StateQuery, payload("binary/encrypted", "\x00"), 7)
	require.NoError(t, err)
	require.Equal(t, trade.Pending, s.state("p").Status)
	require.Zero(t, s.count(`SELECT count(*) FROM interlock.overrides`))
	require.Zero(t, s.count(`SELECT count(*) FROM interlock.verdicts`))
	require.Zero(t, s.failedTasks("p"))
	s.executes("p")
}

func (s *stack) start1(id string, args ...any) error {
	_, err := s.temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: id, TaskQueue: workflows.ProposalsQueue}, workflows.ProposalType, args...)
	return err
}

func (s *stack) signalAny(id, name string, args []any) {
	s.t.Helper()
	var arg any
	if len(args) > 0 {
		arg = args[0]
	}
	if err := s.temporal.SignalWorkflow(ctx, id, "", name, arg); err != nil {
		require.Empty(s.t, name, "%v", err) // Temporal itself takes none without a name
	}
}

func (s *stack) refusesUpdate(id, name string, r sent) {
	s.t.Helper()
	bound, cancel := context.WithTimeout(ctx, waittest.Timeout)
	defer cancel()
	handle, err := s.temporal.UpdateWorkflow(bound, client.UpdateWorkflowOptions{
		WorkflowID: id, UpdateName: name, Args: r.args, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	var result struct {
		Accepted bool
		Problem  string
	}
	if err == nil {
		err = handle.Get(bound, &result)
	}
	require.NoError(s.t, bound.Err(), "%s was not answered: %s", name, r.name)
	if err == nil {
		require.False(s.t, result.Accepted, "%s %s", name, r.name)
		require.NotEmpty(s.t, result.Problem, "%s %s", name, r.name)
		return
	}
	require.Less(s.t, len(err.Error()), 1000, name)
}

// failedTasks counts the workflow tasks that failed or had to be tried again.
func (s *stack) failedTasks(id string) (failed int) {
	s.t.Helper()
	events := s.temporal.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(s.t, err)
		if a := e.GetWorkflowTaskFailedEventAttributes(); a != nil && a.GetCause() != enums.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND {
			s.t.Log(a)
			failed++
		}
	}
	return failed
}

// TestProposalStartedByHandIsOneThatExists: the workflow of a proposal that
// does not exist, or with an input that cannot be read, ends with a line.
func TestProposalStartedByHandIsOneThatExists(t *testing.T) {
	t.Parallel()
	s := newStack(t, 1)
	for _, c := range []struct {
		id   string
		args []any
		says string
	}{
		{"nobody", []any{workflows.ProposalInput{}}, "not found"},
		{"a b/c", nil, "not found"},
		{"nobody-2", []any{payload(converter.MetadataEncodingJSON, `{"looks":"many"}`)}, "unable to decode"},
		{"nobody-3", []any{payload("binary/encrypted", "x")}, "unable to decode"},
		{"nobody-4", []any{payload(converter.MetadataEncodingJSON, `{"looks":-9223372036854775808}`)}, "not found"},
	} {
		require.NoError(t, s.start1(c.id, c.args...), c.id)
		bound, cancel := context.WithTimeout(ctx, waittest.Timeout)
		err := s.temporal.GetWorkflow(bound, c.id, "").Get(bound, nil)
		cancel()
		require.ErrorContains(t, err, c.says, c.id)
		require.Zero(t, s.failedTasks(c.id), c.id)
	}
	s.propose("p")
	require.NoError(t, s.start1("p", payload(converter.MetadataEncodingJSON, `{"looks":9223372036854775807,"more":1}`)))
	s.executes("p") // looks that nobody counted
}
