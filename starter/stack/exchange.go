package stack

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"interlock/internal/devstack"
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
	if err := s.keepExchangePort(); err != nil {
		return err
	}
	keys, err := s.secrets.writeKeys()
	if err != nil {
		return err
	}
	base := "http://" + loopback(s.secrets.ExchangePort)
	s.info.URLs[Exchange], s.info.URLs[Admin] = base+"/v2", base+"/admin"
	return s.start(ctx, devstack.Child{
		Name: "exchange", Path: s.opts.Self,
		Args: append([]string{"exchange", "--port", strconv.Itoa(s.secrets.ExchangePort), "--keys", keys, "--admin",
			// Its own stack may use it as fast as it can: no weight runs out.
			"--weight-per-minute", "10000000",
			"--seed", strconv.FormatUint(s.secrets.Seed, 10),
			"--state-file", filepath.Join(s.opts.Dir, "exchange.state")}, s.opts.ExchangeArgs...),
		Env:   s.inherited(),
		Ready: func(ctx context.Context) error { return answers(ctx, base+"/v2/time") },
	})
}

func (s *Stack) keepExchangePort() error {
	wish := s.opts.ExchangePort
	if kept := s.secrets.ExchangePort; kept != 0 && (wish == Usual || wish == 0) {
		wish = kept
	}
	port, err := pick(wish, usualExchangePort)
	if err != nil {
		return err
	}
	if !free(port) {
		return &devstack.PortTakenError{Port: port, For: "the paper exchange, whose account belongs to it"}
	}
	s.secrets.ExchangePort = port
	return s.secrets.save()
}

// start starts a child with a metrics page of its own.
func (s *Stack) start(ctx context.Context, c devstack.Child) error {
	port, err := devstack.FreePort()
	if err != nil {
		return err
	}
	c.Env = append(c.Env, "INTERLOCK_METRICS_ADDR="+loopback(port))
	c.Backoff = time.Second
	if err := s.children.Start(ctx, c); err != nil {
		return err
	}
	pid, err := s.children.Pid(c.Name)
	s.info.URLs[Metrics+c.Name], s.info.URLs[PID+c.Name] = "http://"+loopback(port)+"/metrics", strconv.Itoa(pid)
	return err
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
