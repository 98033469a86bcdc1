// Package notify tells services outside of events: a webhook of ours, Telegram,
// Slack, Discord, e-mail. It decides how an address is read, how a request is
// signed and what of a failure may be shown: never the address, which is made
// of secrets. It tries once, within a bound, and refuses to know rules,
// retries and databases.
package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"interlock/internal/outbox"
	"interlock/internal/secret"
)

// within bounds one try, so that a service that hangs holds up its own rule
// only, and that not for long.
const within = 10 * time.Second

// Sender sends. Its zero value is not usable; New makes one.
type Sender struct {
	client *http.Client
	now    func() time.Time
}

// New makes a sender. Nothing is sent yet.
func New() *Sender {
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is that one
	transport.MaxResponseHeaderBytes = 64 << 10
	return &Sender{
		client: &http.Client{Transport: transport, Timeout: within, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // what was signed for one place is not for another
		}},
		now: time.Now,
	}
}

// Send tells d's service of its event, once. An error says why it may not have
// been taken, without any part of the address.
func (s *Sender) Send(ctx context.Context, d outbox.Delivery) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	address, err := parse(d.Address.Reveal())
	if err != nil {
		return err
	}
	send, known := services[address.Scheme]
	if !known {
		return errors.New("the address is of no known service")
	}
	return hush(send.send(ctx, s, address, d), d.Target)
}

// service is a way to tell somebody.
type service struct {
	name string
	form string // of its addresses, for people
	send func(context.Context, *Sender, *url.URL, outbox.Delivery) error
	// check says what is wrong with an address.
	check func(*url.URL) error
	// shown is what people may see of an address.
	shown func(*url.URL) string
}

// Read reads an address that somebody gave: which service it is of, and what
// of it people may see.
func Read(text string) (name, shown string, err error) {
	address, err := parse(text)
	if err != nil {
		return "", "", err
	}
	s, known := services[address.Scheme]
	if !known {
		return "", "", errors.New("the address must begin with https://, telegram://, slack://, discord:// or smtp://")
	}
	if err := s.check(address); err != nil {
		return "", "", fmt.Errorf("write the address as %s: %w", s.form, hush(err, outbox.Target{Address: secret.Text(text)}))
	}
	return s.name, s.shown(address), nil
}

// Webhook is the name of the service that signs.
const Webhook = "webhook"

func parse(text string) (*url.URL, error) {
	address, err := url.Parse(text)
	if err != nil || address.Scheme == "" || address.Host == "" {
		return nil, errors.New("the address is not a URL") // the parser's error repeats it
	}
	return address, nil
}

func refused(response *http.Response) error {
	if response.StatusCode >= 200 && response.StatusCode < 300 {
		return nil
	}
	return fmt.Errorf("it answered %d", response.StatusCode)
}
