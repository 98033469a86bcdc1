package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"interlock/internal/listen"
)

// PortTakenError says that another program listens on a port we were told to
// use.
type PortTakenError struct {
	Port int
	For  string
}

func (e *PortTakenError) Error() string {
	return fmt.Sprintf("port %d for %s is taken by another program: stop it, or choose another port (0 picks a free one)", e.Port, e.For)
}

// freePort is a port of 127.0.0.1 that nobody listens on right now, for a
// server that cannot pick one itself. It is not reserved: see onFreePorts.
func freePort() (int, error) {
	l, err := listen.Free(context.Background(), "127.0.0.1")
	if err != nil {
		return 0, fmt.Errorf("free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// ports is how one server gets its ports. The zero value takes those that
// freePort finds.
type ports struct{ free func() (int, error) }

// choose returns port if nobody listens there, or a free one for 0.
func (p ports) choose(port int, purpose string) (int, error) {
	switch {
	case port == 0 && p.free != nil:
		return p.free()
	case port == 0:
		return freePort()
	}
	l, err := net.Listen("tcp", hostPort(port))
	if err != nil {
		return 0, &PortTakenError{Port: port, For: purpose}
	}
	return port, l.Close()
}

// freePortsWithin is how long a server is started again and again that finds
// ports taken. It gives up where there are none.
const freePortsWithin = time.Minute

// onFreePorts starts a server again as long as what it ended of is a port that
// was taken between the choice of it and its use.
func onFreePorts(ctx context.Context, name string, progress io.Writer, start func() error) error {
	for began := time.Now(); ; {
		err := start()
		if !errors.Is(err, syscall.EADDRINUSE) || time.Since(began) > freePortsWithin || ctx.Err() != nil {
			return err
		}
		fmt.Fprintf(progress, "%s: a port that was free was taken meanwhile, trying others\n", name)
	}
}

const (
	minTakenPause = 100 * time.Millisecond
	maxTakenPause = 10 * time.Second
)

// onSamePorts starts a server again whose address others know: while another
// program has it, that is said and the start repeated until ctx ends.
func onSamePorts(ctx context.Context, name string, progress io.Writer, start func() error) error {
	for pause := minTakenPause; ; pause = min(2*pause, maxTakenPause) {
		err := start()
		var taken *PortTakenError
		if !errors.As(err, &taken) {
			return err
		}
		fmt.Fprintf(progress, "%s: port %d, where others know it, is taken by another program; trying again in %s\n", name, taken.Port, pause)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return withLast(ctx.Err(), err)
		}
	}
}

func hostPort(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
