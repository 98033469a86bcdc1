// Package config turns a process's environment into typed values, and refuses
// what must not run: a key that belongs to another role, a live exchange that
// nobody asked for, a number out of bounds. It reports every problem at once
// and never prints a secret. It owns the names and defaults of environment
// variables, and refuses to know what anybody does with the values.
package config

import (
	"fmt"

	"go.temporal.io/sdk/client"

	"interlock/internal/listen"
	"interlock/internal/secret"
)

// Role is what a process is for, and with that, which keys it may hold.
type Role string

// The roles of workers, and the two processes that hold no exchange key.
const (
	Proposals Role = "proposals"
	Orders    Role = "orders"
	Scans     Role = "scans"
	All       Role = "all" // paper only
	APIRole   Role = "api"
	Operator  Role = "starter"
)

// DefaultAccount is the account that an embedded stack trades.
const DefaultAccount = "paper"

// DefaultTradeRPS is how many requests per second all workers of one account
// may send together; with fewer than MinTradeRPS no order would be ready in
// time.
const (
	DefaultTradeRPS = 5
	MinTradeRPS     = 4
)

// WorkerConfig is what one worker process runs with. Fields that its role
// does not use are zero.
type WorkerConfig struct {
	Role        Role
	Account     string
	DatabaseURL secret.Text
	Temporal    client.Options
	Exchange    Exchange
	Readonly    Key // role scans; may be empty, prices are public
	Trade       Key // role orders
	OperatorID  int64
	TradeRPS    float64
	Model       Model // role scans
	ScansAtOnce int   // role scans; of one worker
	MetricsAddr string
	AddressFile string // where the process tells at which addresses it listens; may be empty
	Notice      string // what the operator should be told at start; often empty
}

// Exchange is where a worker trades or reads.
type Exchange struct {
	URL  string // base URL with its /v2
	Live bool   // real money
}

// Key is an API key with its secret. It prints as nothing.
type Key struct {
	Key    secret.Text
	Secret secret.Text
}

// Worker reads the environment of a worker. The error lists every problem,
// each with variable, value and fix; a key of another role is one of them.
func Worker(role string, getenv func(string) string) (WorkerConfig, error) {
	r := newReader(getenv)
	cfg := WorkerConfig{Role: Role(role)}
	switch cfg.Role {
	case Proposals, Orders, Scans, All:
	default:
		r.problem("--role", fmt.Sprintf("%q is not a role; write proposals, orders, scans or all", role))
		cfg.Role = All // so that all else that is wrong is found too
	}
	r.refuseForeignKeys(cfg.Role)
	cfg.Account = r.account()
	cfg.DatabaseURL = r.databaseURL(true)
	cfg.Temporal = r.temporal()
	cfg.MetricsAddr, cfg.AddressFile = r.metricsAddr(), r.get(listen.Variable)
	if cfg.Role != Proposals {
		cfg.Exchange = r.exchange()
	}
	cfg.readKeys(r)
	return cfg, r.err()
}

func (c *WorkerConfig) readKeys(r *reader) {
	if c.Role == Orders || c.Role == All {
		c.Trade = r.key("BITVAVO_TRADE", true)
		c.OperatorID = r.operatorID()
		c.TradeRPS = r.tradeRPS()
	}
	if c.Role == Scans || c.Role == All {
		c.Readonly = r.key("BITVAVO_READONLY", false)
		c.Model = r.model()
		c.ScansAtOnce = r.count("INTERLOCK_SCANS_AT_ONCE", DefaultScansAtOnce, 100)
	}
	if c.Role == All {
		c.Notice = "role all is for paper only: this process holds the trade key and everything else"
		if c.Exchange.Live {
			r.problem("--role", "all is for paper only, and BITVAVO_REST_URL is live; run one process per role")
		}
	}
}

// APIConfig is what the HTTP API runs with.
type APIConfig struct {
	Addr        string
	DatabaseURL secret.Text
	Temporal    client.Options
	MetricsAddr string
	AddressFile string // where the process tells at which addresses it listens; may be empty
	JWT         JWT
	RPS         int      // requests per second of one user; 0 is the API's own default
	Failures    int      // per minute of one address that proves nobody; 0 is the API's own default
	Origins     []string // pages of these may use it from a browser
}

// DefaultAPIAddr is where the HTTP API listens unless told otherwise.
const DefaultAPIAddr = "127.0.0.1:8085"

// API reads the environment of the HTTP API, which may hold no key of an
// exchange or a model.
func API(getenv func(string) string) (APIConfig, error) {
	r := newReader(getenv)
	r.refuseForeignKeys(APIRole)
	cfg := APIConfig{
		Addr: r.addr("INTERLOCK_API_ADDR", DefaultAPIAddr), DatabaseURL: r.databaseURL(true),
		Temporal: r.temporal(), MetricsAddr: r.metricsAddr(), AddressFile: r.get(listen.Variable), JWT: r.jwt(), Origins: r.origins(),
		RPS: r.count("INTERLOCK_API_RPS", 0, 10_000), Failures: r.count("INTERLOCK_API_FAILURES", 0, 10_000),
	}
	return cfg, r.err()
}

// StarterConfig is what the command line finds in its environment. Everything
// may be empty: the state folder then says where the stack is.
type StarterConfig struct {
	Account         string
	DatabaseURL     secret.Text
	TemporalAddress string // empty unless TEMPORAL_ADDRESS is set
	Temporal        client.Options
	APIURL          string
	Token           secret.Text
	RESTURL         string // of an exchange that replaces the embedded one
	Live            bool
}

// Starter reads the environment of the command line, which may hold no key at
// all; workers find theirs in the files that *_FILE variables name.
func Starter(getenv func(string) string) (StarterConfig, error) {
	r := newReader(getenv)
	r.refuseForeignKeys(Operator)
	cfg := StarterConfig{
		Account: r.account(), DatabaseURL: r.databaseURL(false), Temporal: r.temporal(),
		TemporalAddress: r.get("TEMPORAL_ADDRESS"), APIURL: r.httpURL("INTERLOCK_API_URL"),
		Token: r.secret("INTERLOCK_TOKEN"),
	}
	if r.get("BITVAVO_REST_URL") != "" {
		exchange := r.exchange()
		cfg.RESTURL, cfg.Live = exchange.URL, exchange.Live
	}
	return cfg, r.err()
}
