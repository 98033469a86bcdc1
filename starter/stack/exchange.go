package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"interlock/internal/devstack"
	"interlock/internal/listen"
)

const usualExchangePort = 8090

// startExchange starts the paper exchange as a process of its own, unless
// BITVAVO_REST_URL names another. Its port is kept: the account's row names it.
func (s *Stack) startExchange(ctx context.Context) error {
	s.stops = append(s.stops, s.children.Stop) // after which database and Temporal may go
	if s.opts.Config.RESTURL != "" {
		s.info.URLs[Exchange] = s.opts.Config.RESTURL
		return nil
	}
	keys, err := s.secrets.writeKeys()
	if err != nil {
		return err
	}
	at, err := s.startExchangeAt(ctx, func(port int) devstack.Child {
		return devstack.Child{
			Name: "exchange", Path: s.opts.Self,
			Args: append([]string{"exchange", "--port", strconv.Itoa(port), "--keys", keys, "--admin",
				// Its own stack may use it as fast as it can: no weight runs out.
				"--weight-per-minute", "10000000",
				"--seed", strconv.FormatUint(s.secrets.Seed, 10),
				"--state-file", filepath.Join(s.opts.Dir, "exchange.state")}, s.opts.ExchangeArgs...),
			Env:   s.inherited(),
			Ready: answersAt("/v2/time"),
		}
	})
	if err != nil {
		return err
	}
	base := "http://" + at
	s.info.URLs[Exchange], s.info.URLs[Admin] = base+"/v2", base+"/admin"
	return s.keepExchangePort(at)
}

// keptPortWait is how long the exchange's kept port may be in another's way: it
// is longer than the minute for which the kernel keeps the port of a connection
// that is over.
const keptPortWait = 90 * time.Second

// startExchangeAt starts the exchange at the port that it had, which may be
// somebody's for a moment, or at one that is then kept.
func (s *Stack) startExchangeAt(ctx context.Context, child func(port int) devstack.Child) (string, error) {
	kept := s.secrets.ExchangePort
	if wish := s.opts.ExchangePort; kept == 0 || wish > 0 {
		return s.startOn(ctx, wish, usualExchangePort, forExchange, child)
	}
	bound, cancel := context.WithTimeout(ctx, keptPortWait)
	defer cancel()
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		at, err := s.startOn(ctx, kept, kept, "the paper exchange, whose account names it,", child)
		var taken *devstack.PortTakenError
		if !errors.As(err, &taken) {
			return at, err
		}
		s.sayf("%v; trying again in %s", err, pause)
		select {
		case <-time.After(pause):
		case <-bound.Done():
			return "", err
		}
	}
}

func (s *Stack) keepExchangePort(at string) error {
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		return err
	}
	if s.secrets.ExchangePort, err = strconv.Atoi(port); err != nil {
		return err
	}
	return s.secrets.save()
}

// start starts a child that tells its addresses, with a metrics page of its
// own, and returns where it serves otherwise.
func (s *Stack) start(ctx context.Context, c devstack.Child) (string, error) {
	c.Env = append(c.Env, "INTERLOCK_METRICS_ADDR="+loopback(0))
	c.Tells, c.Backoff = true, time.Second
	if err := s.children.Start(ctx, c); err != nil {
		return "", err
	}
	pid, pidErr := s.children.Pid(c.Name)
	at, err := s.children.Addresses(c.Name)
	s.info.URLs[Metrics+c.Name], s.info.URLs[PID+c.Name] = "http://"+at[listen.Metrics]+"/metrics", strconv.Itoa(pid)
	return at[listen.HTTP], errors.Join(pidErr, err)
}

// answersAt is whether a child answers a GET of path where it listens.
func answersAt(path string) func(context.Context, listen.Addresses) error {
	return func(ctx context.Context, at listen.Addresses) error {
		return answers(ctx, "http://"+at[listen.HTTP]+path)
	}
}

// answers reports whether a GET of url succeeds.
func answers(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, reply.Status)
	}
	return nil
}
