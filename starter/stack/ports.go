package stack

import (
	"errors"
	"net"
	"strconv"

	"interlock/internal/devstack"
)

// pick turns a wish for a port into one: 0 and a taken usual one become any
// free port, any other is taken as it is.
func pick(wish, usual int) (int, error) {
	switch {
	case wish == Usual && free(usual):
		return usual, nil
	case wish == Usual || wish == 0:
		return devstack.FreePort()
	}
	return wish, nil
}

// checkPorts finds a port that was asked for and is taken before anything
// starts.
func (s *Stack) checkPorts() error {
	var errs []error
	for _, p := range []struct {
		wish int
		what string
	}{
		{s.opts.APIPort, "the HTTP API (--api-port)"}, {s.opts.TemporalPort, "Temporal (--temporal-port)"},
		{s.opts.UIPort, "the Temporal Web UI (--ui-port)"}, {s.opts.ExchangePort, "the paper exchange (--exchange-port)"},
	} {
		if p.wish > 0 && !free(p.wish) {
			errs = append(errs, &devstack.PortTakenError{Port: p.wish, For: p.what})
		}
	}
	return errors.Join(errs...)
}

func free(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
