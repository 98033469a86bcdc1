package orders

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DefaultRequestTimeout bounds one request, its reply's last byte included.
const DefaultRequestTimeout = 10 * time.Second

// Config says which exchange account a Client acts for. It prints without its
// key and secret.
type Config struct {
	URL            string            // base URL with its /v2
	Key            string            `json:"-"`
	Secret         string            `json:"-"`
	OperatorID     int64             // names the trader to the exchange; above zero
	Transport      http.RoundTripper `json:"-"` // nil: the package's own, which never reuses a connection to place
	RequestTimeout time.Duration     // zero: DefaultRequestTimeout
	Turns          Turns             `json:"-"` // every request waits for its turn there; nil: none does
}

// Format keeps key and secret out of every fmt verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// String names the venue and the operator, never the key.
func (c Config) String() string { return fmt.Sprintf("orders(%s, operator %d)", c.URL, c.OperatorID) }

// LogValue keeps key and secret out of structured logs.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// New returns a client for one account. It asks the exchange nothing; the
// error names every field that cannot be used.
func New(cfg Config) (*Client, error) {
	base, err := parseBase(cfg.URL)
	if err := errors.Join(err, checkKeys(cfg), checkNumbers(cfg)); err != nil {
		return nil, err
	}
	if cfg.RequestTimeout == 0 {
		cfg.RequestTimeout = DefaultRequestTimeout
	}
	c := &Client{
		base:     base,
		keys:     &keys{key: cfg.Key, secret: []byte(cfg.Secret)},
		operator: cfg.OperatorID,
		timeout:  cfg.RequestTimeout,
		reads:    httpClient(cfg.Transport, true),
		places:   httpClient(cfg.Transport, false),
		clock:    &clock{},
		turns:    cfg.Turns,
	}
	start := time.Now()
	c.clock.elapsed = func() time.Duration { return time.Since(start) }
	return c, nil
}

func parseBase(text string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimSuffix(text, "/"))
	switch {
	case err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("URL: not a base URL; write it like \"https://api.bitvavo.com/v2\"")
	case base.Scheme != "https" && base.Scheme != "http":
		return nil, fmt.Errorf("URL: scheme %q is neither https nor http", base.Scheme)
	case !strings.HasSuffix(base.Path, apiRoot):
		return nil, errors.New("URL: must end in /v2, the version this client signs for")
	case base.Scheme == "http" && (base.Hostname() == liveDomain || strings.HasSuffix(base.Hostname(), "."+liveDomain)):
		return nil, errors.New("URL: the live exchange must be reached over https")
	}
	return base, nil
}

func checkKeys(cfg Config) error {
	switch {
	case cfg.Key == "" || strings.TrimSpace(cfg.Key) != cfg.Key:
		return errors.New("Key: missing, or has spaces around it")
	case cfg.Secret == "" || strings.TrimSpace(cfg.Secret) != cfg.Secret:
		return errors.New("Secret: missing, or has spaces around it")
	}
	return nil
}

func checkNumbers(cfg Config) error {
	switch {
	case cfg.OperatorID <= 0:
		return fmt.Errorf("OperatorID: %d must be above zero", cfg.OperatorID)
	case cfg.RequestTimeout < 0:
		return fmt.Errorf("RequestTimeout: %s must not be negative", cfg.RequestTimeout)
	}
	return nil
}

// httpClient follows no redirect: a 307 would send an order, and the key, a
// second time and to somebody else.
func httpClient(transport http.RoundTripper, reuse bool) *http.Client {
	if transport == nil {
		transport = ownTransport(reuse)
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// ownTransport speaks HTTP/1.1 only, because HTTP/2 re-sends requests on its
// own when a connection goes away. Without reuse every request has a fresh
// connection: net/http never retries on one, and a kept-alive connection that
// the server has given up cannot swallow an order.
func ownTransport(reuse bool) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		IdleConnTimeout:        30 * time.Second,
		MaxIdleConnsPerHost:    4,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      !reuse,
		Protocols:              protocols,
	}
}
