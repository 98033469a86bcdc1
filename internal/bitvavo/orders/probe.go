package orders

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"interlock/internal/trade"
)

// ErrKey says that the exchange does not take the key as it is: unknown,
// inactive, badly signed, or from an address that is not allowed.
var ErrKey = errors.New("the exchange does not take this key")

// Codes that say what a key may, or why nobody can use it.
const (
	codeNoTrade = 310
	codeNoView  = 311
)

var keyRefused = []int{300, 301, 305, 306, 307, 308, 309, 313, 317, 318, 319, 320}

// probeMarket is a market that every exchange we know of has.
const probeMarket = trade.Market("BTC-EUR")

// Prober finds out what a key may, and cannot move money: its transport lets
// nothing out but a read of the clock, a read of the balances, and the end of
// one order that nobody has.
type Prober struct {
	client *Client
	order  string // the random order ID whose end is asked for
}

// NewProber returns a prober for any key, also a read-only one. It asks the
// exchange nothing; the error names every field that cannot be used.
func NewProber(cfg Config) (*Prober, error) {
	p := &Prober{order: uuid.NewString()}
	if cfg.OperatorID == 0 {
		cfg.OperatorID = 1 // a cancel must name one, and this one ends nothing
	}
	if cfg.Transport == nil {
		cfg.Transport = ownTransport(true)
	}
	cfg.Transport = &gate{through: cfg.Transport, order: p.order}
	client, err := New(cfg)
	p.client = client
	return p, err
}

// Close gives up idle connections.
func (p *Prober) Close() { p.client.Close() }

// Time asks the exchange for its clock. No key is used.
func (p *Prober) Time(ctx context.Context) (time.Time, error) { return p.client.Time(ctx) }

// MayView reports whether the key may read the account. ErrKey when the key
// itself is refused; any other error leaves it open.
func (p *Prober) MayView(ctx context.Context) (bool, error) {
	_, err := p.client.Balances(ctx)
	switch {
	case err == nil:
		return true, nil
	case hasCode(err, codeNoView):
		return false, nil
	}
	return false, keyProblem(err)
}

// MayTrade reports whether the key may place and cancel orders, by asking for
// the end of an order with a random ID: who may trade hears that there is none.
// ErrKey when the key itself is refused; any other error leaves it open.
func (p *Prober) MayTrade(ctx context.Context) (bool, error) {
	err := p.client.Cancel(ctx, probeMarket, p.order)
	switch {
	case err == nil:
		return false, fmt.Errorf("%w: it says that it ended an order which nobody has", ErrUnavailable)
	case hasCode(err, codeNoTrade):
		return false, nil
	case hasCode(err, codeNotFound), hasCode(err, codeNotActive):
		return true, nil
	}
	return false, keyProblem(err)
}

// keyProblem tells a refused key from an exchange that does not answer.
func keyProblem(err error) error {
	for _, code := range keyRefused {
		if hasCode(err, code) {
			return fmt.Errorf("%w: %w", ErrKey, err)
		}
	}
	return err
}

// gate is why a prober cannot move money, whatever is written above it: it
// knows each request by its whole text, and refuses every other.
type gate struct {
	through http.RoundTripper
	order   string
}

// RoundTrip sends the few requests that a prober has, and no other.
func (g *gate) RoundTrip(req *http.Request) (*http.Response, error) {
	if !g.harmless(req) {
		return nil, fmt.Errorf("%s %s: a probe does not send this", req.Method, req.URL.Path)
	}
	return g.through.RoundTrip(req)
}

func (g *gate) harmless(req *http.Request) bool {
	_, path, _ := strings.Cut(req.URL.Path, apiRoot+"/")
	query := req.URL.Query()
	switch req.Method + " /" + path {
	case "GET /time", "GET /balance":
		return len(query) == 0
	case "DELETE /order":
		return query.Get("orderId") == g.order && onlyOnce(query, "market", "operatorId", "orderId")
	}
	return false
}

// onlyOnce reports whether query has exactly these names, each with one value.
func onlyOnce(query url.Values, names ...string) bool {
	for name, values := range query {
		if !slices.Contains(names, name) || len(values) != 1 {
			return false
		}
	}
	return len(query) == len(names)
}
