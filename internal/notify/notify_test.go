package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"

	"interlock/internal/listen/listentest"
	"interlock/internal/outbox"
	"interlock/internal/secret"
)

// outside stands for every host on the internet that is spoken to over TLS: the
// services' addresses are fixed, so what is turned is the dialling.
var outside = struct {
	sync.Mutex
	answers map[string]http.HandlerFunc // by path
}{answers: map[string]http.HandlerFunc{}}

func TestMain(m *testing.M) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outside.Lock()
		answer := outside.answers[r.URL.Path]
		outside.Unlock()
		if answer == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		answer(w, r)
	}))
	trusted := x509.NewCertPool()
	trusted.AddCert(server.Certificate())
	transport := http.DefaultTransport.(*http.Transport) //nolint:forcetypeassert // it is that one
	transport.Proxy = nil
	transport.DialTLSContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: trusted, ServerName: "example.com", MinVersion: tls.VersionTLS12}}
		return dialer.DialContext(ctx, network, server.Listener.Addr().String())
	}
	code := m.Run()
	server.CloseClientConnections()
	server.Close()
	os.Exit(code)
}

// request is what came to a service.
type request struct {
	host, path string
	header     http.Header
	body       []byte
}

// answering lets paths be answered in some way, and notes what came.
func answering(t *testing.T, how http.HandlerFunc, paths ...string) chan request {
	t.Helper()
	came := make(chan request, 10)
	outside.Lock()
	defer outside.Unlock()
	for _, path := range paths {
		outside.answers[path] = func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			came <- request{r.Host, r.URL.Path, r.Header, body}
			how(w, r)
		}
	}
	return came
}

const (
	telegramToken = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"
	slackToken    = "T00000000-B00000000-XXXXXXXXXXXXXXXXXXXXXXXX"
	discordToken  = "very-secret-discord-token"
)

// chats are the services whose addresses are not ours, with where a message to
// each must go.
func chats(unique string) map[string]struct{ address, host, path string } {
	return map[string]struct{ address, host, path string }{
		"telegram": {"telegram://" + telegramToken + unique + "@telegram?chats=@ops", "api.telegram.org", "/bot" + telegramToken + unique + "/sendMessage"},
		"slack": {"slack://hook:" + slackToken + unique + "@webhook", "hooks.slack.com",
			"/services/" + strings.ReplaceAll(slackToken, "-", "/") + unique},
		"discord": {"discord://" + discordToken + unique + "@1234567890", "discord.com", "/api/webhooks/1234567890/" + discordToken + unique},
	}
}

func halted(address, key string) outbox.Delivery {
	return outbox.Delivery{
		Event: outbox.Event{
			ID: 42, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Kind: outbox.Halted, AccountID: "main",
			Body: json.RawMessage(`{"state":"HALTED","actor":"olga","reason":"odd"}`),
		},
		Target: outbox.Target{Service: Webhook, Address: secret.Text(address), SigningKey: secret.Text(key)},
	}
}

const sentence = `Interlock, account main: trading is halted. olga did it, because "odd". (event 42)`

func TestEachServiceIsToldInItsOwnWay(t *testing.T) {
	t.Parallel()
	for name, chat := range chats("told") {
		came := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			if name == "discord" {
				w.WriteHeader(http.StatusNoContent)
			} else {
				_, _ = io.WriteString(w, "ok")
			}
		}, chat.path)
		service, shown, err := Read(chat.address)
		require.NoError(t, err)
		require.Equal(t, name, service)
		require.Equal(t, name+"://…", shown)
		require.NoError(t, New().Send(t.Context(), halted(chat.address, "")), name)
		r := <-came
		require.Equal(t, chat.host, r.host)
		require.True(t, json.Valid(r.body))
		require.Contains(t, string(r.body), `olga did it, because \"odd\". (event 42)`, name)
	}
}

func TestEveryChatOfATelegramRuleIsTold(t *testing.T) {
	t.Parallel()
	chat := chats("many")["telegram"]
	came := answering(t, func(http.ResponseWriter, *http.Request) {}, chat.path)
	require.NoError(t, New().Send(t.Context(), halted(chat.address+",-1001234,", "")))
	for _, want := range []string{"@ops", "-1001234"} {
		var body struct {
			ChatID string `json:"chat_id"`
		}
		require.NoError(t, json.Unmarshal((<-came).body, &body))
		require.Equal(t, want, body.ChatID)
	}
	require.Empty(t, came)
}

func TestWhatIsNoSuccessIsAnErrorWithoutTheAddress(t *testing.T) {
	t.Parallel()
	for how, answer := range map[string]http.HandlerFunc{
		"refuses": func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "no: "+r.URL.String(), http.StatusForbidden)
		},
		"limits": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) },
		"fails": func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.URL.Path, http.StatusInternalServerError)
		},
		"sends on": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://elsewhere.test"+r.URL.Path, http.StatusTemporaryRedirect)
		},
		"cuts off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		for name, chat := range chats(strings.ReplaceAll(how, " ", "")) {
			answering(t, answer, chat.path)
			err := New().Send(t.Context(), halted(chat.address, ""))
			require.Error(t, err, "%s %s", name, how)
			for _, secret := range []string{telegramToken, "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "T00000000", "XXXXXXXXXXXX", "discord-token", "ops"} {
				require.NotContains(t, err.Error(), secret, "%s %s", name, how)
			}
		}
	}
}

func TestAServiceThatHangsIsWaitedForNoLongerThanTheTry(t *testing.T) {
	t.Parallel()
	released := make(chan struct{})
	t.Cleanup(func() { close(released) })
	for name, chat := range chats("hangs") {
		came := answering(t, func(http.ResponseWriter, *http.Request) { <-released }, chat.path)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- New().Send(ctx, halted(chat.address, "")) }()
		<-came
		cancel()
		select {
		case err := <-done:
			require.Error(t, err, name)
		case <-time.After(5 * time.Minute):
			t.Fatalf("%s is still waited for", name)
		}
	}
}

func TestAWebhookCanCheckWhoSentItWhenAndWhat(t *testing.T) {
	t.Parallel()
	came := answering(t, func(http.ResponseWriter, *http.Request) {}, "/hook/signed")
	key := NewSigningKey()
	sender := New()
	sender.now = func() time.Time { return time.Unix(1_767_323_045, 999) }
	require.NoError(t, sender.Send(t.Context(), halted("https://me:pass@example.test/hook/signed?a=b", key.Reveal())))
	r := <-came
	require.Equal(t, "example.test", r.host)
	require.Equal(t, "application/json", r.header.Get("Content-Type"))
	require.Equal(t, "42", r.header.Get(EventHeader))
	require.Equal(t, "1767323045", r.header.Get(TimestampHeader))
	// As docs/notifications.md tells a receiver to.
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	fmt.Fprintf(mac, "%s.%s", r.header.Get(TimestampHeader), r.body)
	require.Equal(t, "sha256="+hex.EncodeToString(mac.Sum(nil)), r.header.Get(SignatureHeader))
	var told outbox.Event
	require.NoError(t, json.Unmarshal(r.body, &told))
	require.EqualValues(t, 42, told.ID)
	require.Contains(t, string(r.body), `"text":"Interlock, account main: trading is halted.`)
}

func TestTheSignatureDependsOnKeyTimeAndBody(t *testing.T) {
	seen := map[string]bool{}
	for _, key := range []secret.Text{"whk_a", "whk_b"} {
		for _, at := range []string{"1", "2"} {
			for _, body := range []string{"{}", "{ }"} {
				seen[Sign(key, at, []byte(body))] = true
			}
		}
	}
	require.Len(t, seen, 8)
	require.NotEqual(t, NewSigningKey(), NewSigningKey())
}

func TestAWebhooksFailureTellsNothingOfItsAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"http://anna:hush-password@" + listentest.Refusing(t) + "/hush-path?key=hush%2Fquery",
		"https://example.test/hush-path?key=hush%2Fquery",
	} {
		err := New().Send(t.Context(), halted(address, "whk_hush"))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hush")
	}
}

func TestALongTextIsCutToWhatServicesTakeAndKeepsItsNumber(t *testing.T) {
	d := halted("", "")
	d.Body = json.RawMessage(`{"state":"HALTED","actor":"olga","reason":"` + strings.Repeat("é", 5000) + `"}`)
	require.LessOrEqual(t, len([]rune(text(d))), 2000)
	require.True(t, strings.HasSuffix(text(d), "… (event 42)"))
}

func TestAnAddressThatCannotWorkIsRefusedWithoutRepeatingIt(t *testing.T) {
	for address, want := range map[string]string{
		"":                           "the address is not a URL",
		"hush-hush":                  "the address is not a URL",
		"https://":                   "the address is not a URL",
		"http://[hush":               "the address is not a URL",
		"ftp://hush@example.test/":   "the address must begin with https://",
		"https://example.test/#hush": "fragment",
		"telegram://hush@telegram":   "telegram://TOKEN@telegram?chats=CHAT",
		"telegram://a:hush@telegram": "telegram://TOKEN@telegram?chats=CHAT",
		"slack://hush@webhook":       "write the address as slack://hook:A-B-C@webhook: ",
		"slack://xoxb:1234567890-1234567890-hushhushhushhushhushhush@C001": "give a Slack webhook",
		"discord://@hush": "discord",
		"smtp://u:hush@example.test/?from=a@b.test":                               "write the address as smtp://USER:PASSWORD@HOST:587/?from=A&to=B: ",
		"smtp://u:hush@example.test/?from=a@b.test&to=c@d.test&skiptlsverify=yes": "leave out skiptlsverify",
	} {
		_, _, err := Read(address)
		require.ErrorContains(t, err, want, address)
		require.NotContains(t, err.Error(), "hush", address)
	}
}

func FuzzRead(f *testing.F) {
	for _, chat := range chats("") {
		f.Add(chat.address)
	}
	f.Add("smtp://anna:password@example.test:587/?from=a@b.test&to=c@d.test")
	f.Add("https://anna:password@example.test/path?query=1")
	f.Fuzz(func(t *testing.T, text string) {
		_, shown, err := Read(text)
		address, parsed := url.Parse(text)
		if err != nil || parsed != nil {
			return
		}
		if password, given := address.User.Password(); given && len(password) > 5 && !strings.Contains(address.Host, password) {
			require.NotContains(t, shown, password)
		}
	})
}

// mailbox is a mail server that keeps what it is given.
type mailbox struct {
	smtp.Session

	got    chan string
	refuse bool
}

func (m *mailbox) NewSession(*smtp.Conn) (smtp.Session, error) { return m, nil }
func (m *mailbox) Mail(string, *smtp.MailOptions) error        { return nil }
func (m *mailbox) Reset()                                      {}
func (m *mailbox) Logout() error                               { return nil }

func (m *mailbox) Rcpt(string, *smtp.RcptOptions) error {
	if m.refuse {
		return errors.New("no such person")
	}
	return nil
}

func (m *mailbox) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	m.got <- string(text)
	return err
}

// mails starts a mail server and returns an address for it.
func (m *mailbox) mails(t *testing.T) string {
	t.Helper()
	m.got = make(chan string, 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := smtp.NewServer(m)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return "smtp://" + listener.Addr().String() + "/?from=interlock@example.test&to=anna@example.test&auth=None&usestarttls=no"
}

func TestAMailSaysInItsSubjectWhatHappened(t *testing.T) {
	t.Parallel()
	box := &mailbox{}
	address := box.mails(t)
	service, shown, err := Read(address)
	require.NoError(t, err)
	require.Equal(t, "email", service)
	require.NotContains(t, shown, "anna")
	require.NoError(t, New().Send(t.Context(), halted(address, "")))
	mail := <-box.got
	require.Contains(t, mail, "Subject: Interlock: halted (event 42)")
	require.Contains(t, mail, sentence)

	refusing := &mailbox{refuse: true}
	err = New().Send(t.Context(), halted(refusing.mails(t), ""))
	require.Error(t, err)
	require.NotContains(t, err.Error(), "anna")
	require.Empty(t, refusing.got)
}
