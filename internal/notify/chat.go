package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/discord"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/slack"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/email/smtp"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"interlock/internal/outbox"
)

// services by the scheme of their address. The addresses are shoutrrr's.
var services = map[string]service{
	"https":    {Webhook, "https://HOST/PATH", sendWebhook, checkWebhook, showHost},
	"http":     {Webhook, "http://HOST/PATH", sendWebhook, checkWebhook, showHost},
	"telegram": {"telegram", "telegram://TOKEN@telegram?chats=CHAT", sendTelegram, checkTelegram, showScheme},
	"slack":    {"slack", "slack://hook:A-B-C@webhook", sendSlack, checkSlack, showScheme},
	"discord":  {"discord", "discord://TOKEN@WEBHOOK-ID", sendDiscord, checkDiscord, showScheme},
	"smtp":     {"email", "smtp://USER:PASSWORD@HOST:587/?from=A&to=B", sendMail, checkMail, func(a *url.URL) string { return "smtp://…@" + a.Host + "/…" }},
}

func showScheme(address *url.URL) string { return address.Scheme + "://…" }

func checkTelegram(address *url.URL) error {
	if token, chats := telegram(address); token == ":" || token == "" || len(chats) == 0 {
		return advice("it has no token, or no chat")
	}
	return nil
}

func telegram(address *url.URL) (token string, chats []string) {
	password, _ := address.User.Password()
	for chat := range strings.SplitSeq(address.Query().Get("chats"), ",") {
		if chat = strings.TrimSpace(chat); chat != "" {
			chats = append(chats, chat)
		}
	}
	return address.User.Username() + ":" + password, chats
}

// mostText is what Telegram and Discord take of a message.
const mostText = 1900

func text(d outbox.Delivery) string {
	runes := []rune(d.Text())
	if len(runes) > mostText {
		return fmt.Sprintf("%s… (event %d)", string(runes[:mostText]), d.ID)
	}
	return string(runes)
}

const telegramAPI = "https://api.telegram.org"

// sendTelegram is our own: the library takes an answer that it cannot read,
// and a connection that fails, for a success.
func sendTelegram(ctx context.Context, s *Sender, address *url.URL, d outbox.Delivery) error {
	token, chats := telegram(address)
	for _, chat := range chats {
		body, err := json.Marshal(map[string]string{"chat_id": chat, "text": text(d)})
		if err != nil {
			return err
		}
		if err := s.post(ctx, telegramAPI+"/bot"+token+"/sendMessage", body, nil); err != nil {
			return err
		}
	}
	return nil
}

func checkSlack(address *url.URL) error {
	var service slack.Service
	if err := service.Initialize(address, nil); err != nil {
		return err
	}
	if service.Config.Token.IsAPIToken() {
		return advice("give a Slack webhook, not an API token")
	}
	return nil
}

func sendSlack(ctx context.Context, _ *Sender, address *url.URL, d outbox.Delivery) error {
	var service slack.Service
	if err := service.Initialize(address, nil); err != nil {
		return err
	}
	return bounded(ctx, func() error { return service.Send(text(d), &types.Params{}) })
}

func checkDiscord(address *url.URL) error { return new(discord.Service).Initialize(address, nil) }

func sendDiscord(ctx context.Context, s *Sender, address *url.URL, d outbox.Delivery) error {
	var service discord.Service
	if err := service.Initialize(address, nil); err != nil {
		return err
	}
	service.HTTPClient, service.Sleeper = once{ctx, s.client}, awake{}
	return bounded(ctx, func() error { return service.Send(text(d), &types.Params{}) })
}

// once lets the library ask once: when to try again is not its to decide, and
// it would do so for minutes.
type once struct {
	ctx    context.Context
	client *http.Client
}

// Do sends request within the bound of the try. An answer that is no success
// is an error.
func (o once) Do(request *http.Request) (*http.Response, error) {
	response, err := o.client.Do(request.WithContext(o.ctx))
	if err != nil {
		return nil, final{err.Error()}
	}
	if err := refused(response); err != nil {
		_ = response.Body.Close()
		return nil, final{err.Error()}
	}
	return response, nil
}

// final is an error in which the library finds no reason to try again.
type final struct{ text string }

func (f final) Error() string {
	return strings.NewReplacer("connection refused", "it refuses connections", "connection reset", "it cut the connection").Replace(f.text)
}

// awake never sleeps between tries that are not made.
type awake struct{}

// Sleep returns at once.
func (awake) Sleep(time.Duration) {}

func checkMail(address *url.URL) error {
	var service smtp.Service
	if err := service.Initialize(address, nil); err != nil {
		return err
	}
	if service.Config.SkipTLSVerify {
		return advice("leave out skiptlsverify: a password would go to whoever answers")
	}
	return nil
}

func sendMail(ctx context.Context, _ *Sender, address *url.URL, d outbox.Delivery) error {
	var service smtp.Service
	if err := service.Initialize(address, nil); err != nil {
		return err
	}
	service.Config.Timeout = within
	service.Config.Subject = fmt.Sprintf("Interlock: %s (event %d)", d.Kind, d.ID)
	return bounded(ctx, func() error { return service.Send(text(d), &types.Params{}) })
}

// bounded waits for a library that knows no context. What it started may end
// later, and then counts for nothing.
func bounded(ctx context.Context, send func() error) error {
	done := make(chan error, 1)
	go func() { done <- send() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
