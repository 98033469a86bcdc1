package listen

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"syscall"
)

const (
	lowestFree = 10_000 // below are the ports of well-known services
	highest    = 65_535

	// fewest ports are worth trying; with fewer the system picks.
	fewest = 1000
)

// Free binds a free port of host: if it can, one that the system gives to
// nobody of its own accord. Whoever is away from such a port for a moment, as
// in a restart, does not lose it to the next connection of any program.
func Free(ctx context.Context, host string) (net.Listener, error) {
	low, high := unassigned()
	for tries := 100; tries > 0 && high-low >= fewest; tries-- {
		l, err := bind(ctx, host, low+rand.IntN(high-low))
		if err == nil || !errors.Is(err, syscall.EADDRINUSE) {
			return l, err
		}
	}
	return bind(ctx, host, 0)
}

func bind(ctx context.Context, host string, port int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}

// unassigned is the larger span of ports, from low to below high, beside those
// that the system assigns.
func unassigned() (low, high int) {
	first, last := 32_768, highest // of Linux; others assign from 49152 on
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(text), &first, &last) // a kernel's own format
	}
	if first-lowestFree >= highest-last {
		return lowestFree, first
	}
	return last + 1, highest + 1
}
