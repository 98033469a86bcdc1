package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"

	"interlock/internal/listen"
	"interlock/internal/telemetry"
)

// open binds port of this machine and the metrics page of a process called
// service, and tells where they are.
func (a *app) open(ctx context.Context, port int, service string) (net.Listener, *telemetry.Telemetry, error) {
	book, err := listen.In(a.getenv(listen.Variable))
	if err != nil {
		return nil, nil, err
	}
	door, err := book.Listen(ctx, listen.HTTP, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, nil, unavailable(fmt.Errorf("--port: %w", err))
	}
	measured, err := a.measure(ctx, book, a.getenv("INTERLOCK_METRICS_ADDR"), service)
	if err == nil {
		err = book.Tell()
	}
	if err != nil {
		return nil, nil, errors.Join(err, door.Close())
	}
	return door, measured, nil
}

func (*app) measure(ctx context.Context, book *listen.Book, addr, service string) (*telemetry.Telemetry, error) {
	page, err := book.Listen(ctx, listen.Metrics, addr)
	if err != nil {
		return nil, unavailable(fmt.Errorf("INTERLOCK_METRICS_ADDR: %w", err))
	}
	return telemetry.Start(ctx, page, service)
}
