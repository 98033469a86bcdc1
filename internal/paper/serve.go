package paper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Serve serves on l, and keeps prices moving, until ctx ends; then it lets
// running requests finish for a moment and closes the exchange. An error means
// that it could not serve or that the state file did not close.
func (e *Exchange) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: e.Handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second}
	running, stop := context.WithCancel(ctx)
	defer stop()
	stopped := make(chan struct{})
	go func() { defer close(stopped); e.Run(running) }()
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		err = e.shutDown(server)
	}
	stop()
	<-stopped
	if err := errors.Join(err, e.Close()); err != nil {
		return fmt.Errorf("serve paper exchange: %w", err)
	}
	return nil
}

// grace is how long running requests may take to finish.
const grace = 3 * time.Second

func (e *Exchange) shutDown(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		e.close() // requests that wait for a delay give up
		return server.Close()
	}
	return err
}
