package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"interlock/internal/api"
	"interlock/workflows"
)

// askPatience bounds one request; the API and the workflow answer within it or
// not at all.
const askPatience = 20 * time.Second

var web = &http.Client{Timeout: askPatience}

// call asks the API as a person and returns the status, and the code that a
// refusal names.
func (c *campaign) call(ctx context.Context, who person, path string, body any) (status int, code string, err error) {
	content, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.API+path, bytes.NewReader(content))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Authorization", "Bearer "+who.token)
	request.Header.Set("Content-Type", "application/json")
	reply, err := web.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	var refusal struct{ Code string }
	_ = json.Unmarshal(text, &refusal) // what is no JSON has only its status
	return reply.StatusCode, refusal.Code, err
}

// ask asks once, through one door, for p to be executed. What came of it the
// records say; the answer is counted, and remembered when it is a lasting no.
func (c *campaign) ask(ctx context.Context, p Proposal, through Door) {
	bound, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	var answer, code string
	switch through {
	case ByHTTP:
		answer, code = c.askHTTP(bound, p)
	case ByUpdate:
		answer = c.askUpdate(bound, p)
		code = answer
	case BySignal:
		answer = c.askSignal(bound, p)
	}
	if ctx.Err() == nil {
		c.tally.answered(string(through) + ": " + answer)
		c.board.note(p.ID, code)
	}
}

const lost = "no answer"

func (c *campaign) askHTTP(ctx context.Context, p Proposal) (answer, code string) {
	status, code, err := c.call(ctx, c.people[p.User], "/api/trading/execute", map[string]any{"proposalId": p.ID})
	switch {
	case err != nil:
		return lost, ""
	case code != "":
		return fmt.Sprintf("%d %s", status, code), code
	}
	return fmt.Sprint(status), ""
}

// notAfter keeps a request that got stuck from trading when nobody expects it.
const notAfter = 30 * time.Second

func (c *campaign) askUpdate(ctx context.Context, p Proposal) string {
	result, err := api.NewExecutor(c.temporal).Execute(ctx, p.ID, uuid.NewString(), workflows.ExecuteRequest{
		Actor: c.people[p.User].name, NotAfter: time.Now().Add(notAfter).UTC(),
	})
	switch {
	case err != nil:
		return lost
	case len(result.Blocks) > 0:
		return string(result.Blocks[0].Code)
	}
	return string(result.Status)
}

// askSignal is a person at the Temporal Web UI: an override that executes.
func (c *campaign) askSignal(ctx context.Context, p Proposal) string {
	_, err := c.temporal.SignalWithStartWorkflow(ctx, p.ID, workflows.OverrideName, workflows.OverrideRequest{
		ID: uuid.NewString(), Cooldown: true, AntiFlip: true, Actor: c.people[p.User].name, Reason: actor, Execute: true,
	}, startOptions(p.ID), workflows.ProposalType, workflows.ProposalInput{})
	if err != nil {
		return lost
	}
	return "sent"
}

func startOptions(id string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID: id, TaskQueue: workflows.ProposalsQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}
}
