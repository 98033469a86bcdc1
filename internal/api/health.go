package api

import (
	"context"
	"net/http"
	"time"
)

const (
	livePath  = "/healthz"
	readyPath = "/readyz"
)

type healthOutput struct {
	Body struct {
		Status string `json:"status" example:"ready"`
	}
}

// live says that the process answers; it asks nobody else, so that a database
// that is down restarts nothing.
func (s *server) live(context.Context, *struct{}) (*healthOutput, error) {
	out := &healthOutput{}
	out.Body.Status = "live"
	return out, nil
}

// ready says that a request could succeed now.
func (s *server) ready(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	temporal := make(chan error, 1)
	go func() { temporal <- s.Temporal.Ping(ctx) }()
	database := s.Store.Ping(ctx)
	down := problem(http.StatusServiceUnavailable, DatabaseUnavailable, "not ready")
	if err := <-temporal; err != nil {
		down.Code = WorkflowsUnavailable
		down.Errors = append(down.Errors, Detail{Location: "temporal", Message: "does not answer"})
	}
	if database != nil {
		down.Code = DatabaseUnavailable
		down.Errors = append(down.Errors, Detail{Location: "database", Message: "does not answer"})
	}
	if len(down.Errors) > 0 {
		down.summarise()
		down.Message = "not ready: " + down.Message
		return nil, down
	}
	out := &healthOutput{}
	out.Body.Status = "ready"
	return out, nil
}
