package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"interlock/internal/notify"
	"interlock/internal/outbox"
	"interlock/internal/postgres"
	"interlock/internal/secret"
	"interlock/starter/chaos/verify"
)

// service is told everything that happens, and now and then fails before or
// after it has heard.
type service struct {
	server *http.Server
	url    string
	key    secret.Text

	mu     sync.Mutex
	moods  *rand.Rand
	heard  []verify.Heard
	forged int
}

func newService(moods *rand.Rand) (*service, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &service{url: "http://" + listener.Addr().String() + "/told", key: notify.NewSigningKey(), moods: moods}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

func (s *service) close() { _ = s.server.Close() }

// ServeHTTP hears an event. One in ten is refused unheard, one in ten although
// it was heard.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var told outbox.Event
	if err == nil {
		err = json.Unmarshal(body, &told)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mood := s.moods.IntN(10)
	switch {
	case err != nil || r.Header.Get(notify.SignatureHeader) != notify.Sign(s.key, r.Header.Get(notify.TimestampHeader), body):
		s.forged++
		w.WriteHeader(http.StatusForbidden)
		return
	case mood == 0:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case mood == 1:
		w.WriteHeader(http.StatusInternalServerError)
	}
	s.heard = append(s.heard, verify.Heard{ID: told.ID, Kind: string(told.Kind), ProposalID: told.ProposalID})
}

// all is what was heard so far, in the order in which it came.
func (s *service) all() []verify.Heard {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]verify.Heard{}, s.heard...)
}

// counts says how many events were heard, how many of them again, and how many
// requests were not ours.
func (s *service) counts() (events, again, forged int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := map[int64]bool{}
	for _, h := range s.heard {
		ids[h.ID] = true
	}
	return len(ids), len(s.heard) - len(ids), s.forged
}

const ruleName = "chaos"

// listen lets the service be told of everything from now on.
func (c *campaign) listen(ctx context.Context) error {
	rule := outbox.Rule{ID: ruleName, AccountID: postgres.AllAccounts, Service: notify.Webhook, Shown: "starter chaos"}
	return c.store.AddRule(ctx, rule, outbox.Target{Service: notify.Webhook, Address: secret.Text(c.service.url), SigningKey: c.service.key}, actor)
}

// told reports whether nothing waits to be told any more.
func (c *campaign) told(ctx context.Context) error {
	rules, err := c.store.Rules(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(rules, func(r postgres.RuleState) bool { return r.ID == ruleName })
	if i < 0 {
		return errors.New("the rule is gone")
	}
	if r := rules[i]; r.Open+r.GivenUp > 0 {
		return fmt.Errorf("%d events wait and %d were given up; %s", r.Open, r.GivenUp, r.LastError)
	}
	return nil
}
