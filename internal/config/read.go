package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"interlock/internal/rate"
	"interlock/internal/secret"
)

// reader collects problems while it reads, so that a person mends all of them
// in one go.
type reader struct {
	getenv   func(string) string
	problems []error
}

func newReader(getenv func(string) string) *reader { return &reader{getenv: getenv} }

func (r *reader) get(name string) string { return r.getenv(name) }

func (r *reader) problem(name, what string) {
	r.problems = append(r.problems, fmt.Errorf("%s: %s", name, overlong.ReplaceAllString(strings.Map(printable, what), "$1…")))
}

// overlong is a value that no line needs whole.
var overlong = regexp.MustCompile(`(\S{80})\S+`)

func printable(c rune) rune {
	if unicode.IsPrint(c) {
		return c
	}
	return unicode.ReplacementChar
}

func (r *reader) err() error { return errors.Join(r.problems...) }

// accountText is what the accounts table accepts, and what a queue name can
// carry.
var accountText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$`)

func (r *reader) account() string {
	account := r.get("INTERLOCK_ACCOUNT")
	if account == "" {
		return DefaultAccount
	}
	if !accountText.MatchString(account) {
		r.problem("INTERLOCK_ACCOUNT", fmt.Sprintf("%q is not an account's name; 1 to 100 letters, digits, dots, colons, dashes or underscores", account))
	}
	return account
}

// databaseURL never shows its value: it holds a password.
func (r *reader) databaseURL(required bool) secret.Text {
	secret := r.secret("DATABASE_URL")
	text := secret.Reveal()
	if text == "" {
		if required && r.unset("DATABASE_URL") {
			r.problem("DATABASE_URL", "is missing; write it like postgres://user:password@host:5432/database")
		}
		return ""
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		r.problem("DATABASE_URL", "is not a PostgreSQL URL; write it like postgres://user:password@host:5432/database")
	}
	return secret
}

func (r *reader) temporal() client.Options {
	options, err := envconfig.LoadClientOptions(envconfig.LoadClientOptionsRequest{EnvLookup: environment{r.getenv}})
	if err != nil {
		r.problem("TEMPORAL_*", fmt.Sprintf("%v; the variables are those of the Temporal SDK's environment configuration", err))
		return options
	}
	if options.HostPort == "" {
		options.HostPort = client.DefaultHostPort
	}
	if options.Namespace == "" {
		options.Namespace = client.DefaultNamespace
	}
	return options
}

// environment shows getenv to envconfig, which lists variables only to find
// names it cannot know; their values still come from getenv.
type environment struct{ getenv func(string) string }

func (e environment) LookupEnv(name string) (string, bool) {
	value := e.getenv(name)
	return value, value != ""
}

func (e environment) Environ() []string {
	var set []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if value := e.getenv(name); value != "" {
			set = append(set, name+"="+value)
		}
	}
	return set
}

func (r *reader) operatorID() int64 {
	text := r.get("BITVAVO_OPERATOR_ID")
	id, err := strconv.ParseInt(text, 10, 64)
	switch {
	case text == "":
		r.problem("BITVAVO_OPERATOR_ID", "is missing; the exchange refuses orders without it, write a whole number from 1")
	case err != nil || id < 1:
		r.problem("BITVAVO_OPERATOR_ID", fmt.Sprintf("%q is not usable; write a whole number from 1 to %d", text, math.MaxInt64))
	}
	return id
}

func (r *reader) tradeRPS() float64 {
	text := r.get("BITVAVO_TRADE_RPS")
	if text == "" {
		return DefaultTradeRPS
	}
	rps, err := strconv.ParseFloat(text, 64)
	if err != nil || !(rps >= MinTradeRPS && rps <= 1000) {
		r.problem("BITVAVO_TRADE_RPS", fmt.Sprintf("%q is not usable; write requests per second, %d to 1000: one order takes about %d", text, MinTradeRPS, rate.PlacementRequests))
	}
	return rps
}

// metricsAddr is empty for no metrics; a bare port means this machine only.
func (r *reader) metricsAddr() string { return r.addr("INTERLOCK_METRICS_ADDR", "") }

func (r *reader) addr(name, otherwise string) string {
	text := r.get(name)
	if text == "" {
		return otherwise
	}
	host, port, err := net.SplitHostPort(text)
	number, notANumber := strconv.ParseUint(port, 10, 16)
	if err != nil || notANumber != nil {
		r.problem(name, fmt.Sprintf("%q is not an address; write it like 127.0.0.1:9464, or :0 for any free port of this machine", text))
		return ""
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.FormatUint(number, 10))
}

func (r *reader) httpURL(name string) string {
	text := strings.TrimSuffix(r.get(name), "/")
	u, err := url.Parse(text)
	if text != "" && (err != nil || u.Host == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https")) {
		r.problem(name, "is not an HTTP URL; write it like http://"+DefaultAPIAddr)
	}
	return text
}
