package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"interlock/internal/api"
	"interlock/starter/stack"
)

// Paths of the HTTP API.
const (
	executePath   = "/api/trading/execute"
	proposalsPath = "/api/trading/proposals"
	policyPath    = "/api/trading/policy"
)

// maxReply bounds what is read of an answer.
const maxReply = 4 << 20

// remote speaks to the HTTP API as one user.
type remote struct {
	base, token string
	client      *http.Client
}

// remote finds the API and the token that this command speaks with.
func (a *app) remote() (*remote, error) {
	p, err := a.locate()
	if err != nil {
		return nil, err
	}
	base, err := p.find(p.APIURL, stack.API, "INTERLOCK_API_URL")
	if err != nil {
		return nil, err
	}
	token, err := p.find(p.Token.Reveal(), stack.Token, "INTERLOCK_TOKEN")
	if err != nil {
		return nil, err
	}
	return &remote{base: base, token: token, client: &http.Client{Timeout: 45 * time.Second}}, nil
}

// answer is a reply of the API.
type answer struct {
	http int // status
	body []byte
}

// do asks once. An error means that there is no answer; a refusal is one.
func (r *remote) do(ctx context.Context, method, path string, body any) (answer, error) {
	request, err := r.request(ctx, method, path, body)
	if err != nil {
		return answer{}, err
	}
	reply, err := r.client.Do(request)
	if err != nil {
		var transport *url.Error
		if errors.As(err, &transport) {
			err = transport.Err // without the URL, which says nothing new
		}
		return answer{}, unavailable(fmt.Errorf("the API at %s does not answer: %w", r.base, err))
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxReply))
	if err != nil {
		return answer{}, unavailable(fmt.Errorf("the API's answer broke off: %w", err))
	}
	return answer{reply.StatusCode, text}, nil
}

func (r *remote) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, content)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// into decodes a success; anything else is an error with its exit code.
func (a answer) into(value any) error {
	if a.http >= 300 {
		return a.refusal()
	}
	if err := json.Unmarshal(a.body, value); err != nil {
		return fmt.Errorf("the API's answer cannot be read: %w", err)
	}
	return nil
}

// exitOf maps the API's statuses to exit codes.
func exitOf(status int) int {
	switch status {
	case http.StatusOK, http.StatusCreated, http.StatusAccepted:
		return 0
	case http.StatusBadRequest:
		return exitBlocked
	case http.StatusNotFound:
		return exitUnknown
	case http.StatusConflict, http.StatusGone:
		return exitClosed
	case http.StatusUnprocessableEntity:
		return exitRefused
	case http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		return exitUnavailable
	}
	return exitFailed
}

// refusal says why there is no success, in one line.
func (a answer) refusal() error {
	var p api.Problem
	if json.Unmarshal(a.body, &p) != nil || p.Message == "" { // what is no JSON is told by its status
		return ends(exitOf(a.http), fmt.Errorf("%d: %s", a.http, http.StatusText(a.http)))
	}
	code := exitOf(a.http)
	if p.Code == api.InvalidRequest {
		code = exitUsage
	}
	return ends(code, fmt.Errorf("%s: %s", p.Code, p.Message))
}
