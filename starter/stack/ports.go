package stack

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"

	"interlock/internal/devstack"
)

// What ports are for, as errors say it.
const (
	forAPI      = "the HTTP API (--api-port)"
	forTemporal = "Temporal (--temporal-port)"
	forUI       = "the Temporal Web UI (--ui-port)"
	forExchange = "the paper exchange (--exchange-port)"
)

// wished are the ports to try for a wish, one after the other: one that was
// asked for and no other, or the usual one and then any that is free, which is
// 0.
func wished(wish, usual int) []int {
	if wish == Usual {
		return []int{usual, 0}
	}
	return []int{wish}
}

// startOn starts what child makes of a port that is wished for, and returns
// where it listens. The child itself binds the port and tells it: nobody can
// take it in between.
func (s *Stack) startOn(ctx context.Context, wish, usual int, purpose string, child func(port int) devstack.Child) (at string, err error) {
	ports := wished(wish, usual)
	for i, port := range ports {
		at, err = s.start(ctx, child(port))
		if port == 0 || !errors.Is(err, syscall.EADDRINUSE) {
			return at, err
		}
		err = &devstack.PortTakenError{Port: port, For: purpose}
		if i+1 < len(ports) {
			s.sayGivesWay(port, purpose)
		}
	}
	return "", err
}

func (s *Stack) sayGivesWay(port int, purpose string) {
	s.sayf("port %d for %s is taken by another program; a free one is used", port, purpose)
}

// checkPorts finds a port that was asked for and is taken before anything
// starts.
func (s *Stack) checkPorts() error {
	var errs []error
	for _, p := range []struct {
		wish int
		what string
	}{
		{s.opts.APIPort, forAPI}, {s.opts.TemporalPort, forTemporal}, {s.opts.UIPort, forUI}, {s.opts.ExchangePort, forExchange},
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
