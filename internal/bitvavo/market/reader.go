// Package market reads prices, rules, candles and balances through the
// exchange's official Go client. It owns everything that keeps that client
// harmless: its panics, its missing timeouts, its process-wide variables and
// its habit of printing. It refuses to place, change or cancel anything, and
// lets no request but a GET out.
package market

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

// DefaultTimeout bounds one call, waiting for the client included.
const DefaultTimeout = 10 * time.Second

// Config says where to read and, for Balance only, with which read-only key.
// It prints without key and secret.
type Config struct {
	URL     string        // base URL with its /v2
	Key     string        `json:"-"` // read-only; may be empty
	Secret  string        `json:"-"`
	Timeout time.Duration // zero: DefaultTimeout
}

// Format keeps key and secret out of every fmt verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// String names the venue, never the key.
func (c Config) String() string { return fmt.Sprintf("market(%s)", c.URL) }

// LogValue keeps key and secret out of structured logs.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Reader reads one exchange. It is safe for concurrent use; calls of all
// readers of a process take turns. It prints without key and secret.
type Reader struct {
	base    *url.URL
	keys    *keys // a pointer, so that printing a copy of Reader shows an address
	timeout time.Duration
	http    *http.Client
}

type keys struct{ key, secret string }

// New returns a reader. It asks the exchange nothing; the error names every
// field that cannot be used.
func New(cfg Config) (*Reader, error) {
	base, err := parseBase(cfg.URL)
	if err := errors.Join(err, checkConfig(cfg), openDoor()); err != nil {
		return nil, err
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	return &Reader{
		base:    base,
		keys:    &keys{key: cfg.Key, secret: cfg.Secret},
		timeout: cfg.Timeout,
		http:    httpClient(),
	}, nil
}

// Format keeps key and secret out of every fmt verb.
func (r *Reader) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// String names the venue, never the key.
func (r *Reader) String() string { return fmt.Sprintf("market(%s)", r.base) }

// GoString is String.
func (r *Reader) GoString() string { return r.String() }

// LogValue keeps key and secret out of structured logs.
func (r *Reader) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Close gives up idle connections. Calls in flight are not disturbed.
func (r *Reader) Close() { r.http.CloseIdleConnections() }

func parseBase(text string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimSuffix(text, "/"))
	switch {
	case err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, errors.New("URL: not a base URL; write it like \"https://api.bitvavo.com/v2\"")
	case base.Scheme != "https" && base.Scheme != "http":
		return nil, fmt.Errorf("URL: scheme %q is neither https nor http", base.Scheme)
	case !strings.HasSuffix(base.Path, apiRoot):
		return nil, errors.New("URL: must end in /v2, the version the official client signs for")
	}
	return base, nil
}

func checkConfig(cfg Config) error {
	switch {
	case (cfg.Key == "") != (cfg.Secret == ""):
		return errors.New("Key: give key and secret, or neither")
	case cfg.Timeout < 0:
		return fmt.Errorf("Timeout: %s must not be negative", cfg.Timeout)
	}
	return nil
}

// httpClient is what really talks to the exchange, for the official client
// too. It follows no redirect: the key's header would go along.
func httpClient() *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			IdleConnTimeout:        30 * time.Second,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}
