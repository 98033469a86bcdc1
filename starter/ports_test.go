package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startsVariable asks for more starts beside a greedier program. It takes ports
// from everybody on the machine: give it a network of its own (unshare -n).
const startsVariable = "INTERLOCK_TEST_STARTS"

// TestUpComesUpWhileAnotherProgramGrabsPorts starts stacks, each second one on
// the folder of the one before, while ports are taken and given back at random.
func TestUpComesUpWhileAnotherProgramGrabsPorts(t *testing.T) {
	t.Parallel()
	starts, hold, perSecond := 1, 200, 200 // other tests run beside this one
	if text := os.Getenv(startsVariable); text != "" {
		var err error
		starts, err = strconv.Atoi(text)
		require.NoError(t, err, startsVariable)
		hold, perSecond = 8000, 20_000
	}
	g := grab(t, hold, perSecond)
	lost := 0
	var dir string
	for i := range starts {
		if i%2 == 0 {
			dir = stateDir(t)
		}
		began := time.Now()
		s := up(t, dir)
		took := time.Since(began)
		require.NoError(t, s.stop(syscall.SIGINT))
		taken := strings.Count(s.logs.String(), "taken")
		lost += taken
		t.Logf("start %d took %s and found a port taken %d times", i+1, took.Round(time.Millisecond), taken)
	}
	t.Logf("%d starts beside %d ports grabbed, at most %d at once: ports were found taken %d times", starts, g.grabbed.Load(), g.hold, lost)
	require.Positive(t, g.grabbed.Load())
}

// grabber is a program that takes free ports at random.
type grabber struct {
	low, high int
	hold      int // at once
	held      []net.Listener
	grabbed   atomic.Int64
}

// grab takes ports until the test ends. It holds no more than half of those
// that the system gives out.
func grab(t *testing.T, hold, perSecond int) *grabber {
	t.Helper()
	g := &grabber{low: 10_000, high: 60_999} // ours are below those that the system assigns, Temporal's inner ones among them
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, err = fmt.Sscan(string(text), new(int), &g.high)
		require.NoError(t, err)
	}
	g.hold = min(hold, (g.high-g.low)/2)
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() { g.run(perSecond, stop) })
	t.Cleanup(func() { close(stop); running.Wait() })
	return g
}

func (g *grabber) run(perSecond int, stop <-chan struct{}) {
	defer func() {
		for _, l := range g.held {
			l.Close()
		}
	}()
	const ticks = 200 // a second
	tick := time.NewTicker(time.Second / ticks)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-stop:
			return
		}
		for range perSecond / ticks {
			g.grabOne()
		}
	}
}

func (g *grabber) grabOne() {
	port := g.low + rand.IntN(g.high-g.low+1)
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return // somebody's
	}
	g.grabbed.Add(1)
	if g.held = append(g.held, l); len(g.held) <= g.hold {
		return
	}
	i, last := rand.IntN(len(g.held)), len(g.held)-1
	g.held[i].Close()
	g.held[i], g.held = g.held[last], g.held[:last]
}
