// Package api is the HTTP door for programs and people who own a token. It
// decides which answer a request gets, and owns that contract: paths, bodies,
// statuses and codes. It refuses to know how a proposal is judged or carried
// out: it reads records, asks the proposal's workflow, and says what came back.
// It holds no key, and its database role can neither claim nor place nor record.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"interlock/internal/audit"
	"interlock/internal/scan"
	"interlock/internal/trade"
	"interlock/internal/view"
	"interlock/workflows"
)

// Tokens knows who a token speaks for; trade.ErrNotFound when nobody.
type Tokens interface {
	Identify(ctx context.Context, token string) (view.Identity, error)
}

// Proposals keeps proposals.
type Proposals interface {
	InsertProposal(ctx context.Context, p trade.Proposal, actor string) (stored trade.Proposal, created bool, err error)
	Proposal(ctx context.Context, id string) (view.Proposal, error)
	Proposals(ctx context.Context, f view.Filter) ([]view.Proposal, error)
}

// Policies keeps policies.
type Policies interface {
	PutPolicy(ctx context.Context, user, account string, p trade.Policy, actor string) (version int, err error)
	Policy(ctx context.Context, user, account string) (p trade.Policy, version int, err error)
}

// Overrides keeps permissions, and whom of those behind them this door has
// verified. A refusal is the problem, not an error.
type Overrides interface {
	StoreOverride(ctx context.Context, o trade.Override, via string) (problem string, err error)
	ConfirmOverride(ctx context.Context, proposalID, overrideID, identity, reason string) (problem string, err error)
	Overrides(ctx context.Context, proposalID string) ([]view.Override, error)
}

// ScanJobs keeps scan jobs. AddScanJob fails with trade.ErrConflict when the ID
// is or was another job's.
type ScanJobs interface {
	AddScanJob(ctx context.Context, j scan.Job, actor string) error
	ScanJob(ctx context.Context, id string) (scan.Job, error)
	ScanJobsOf(ctx context.Context, user, account string) ([]scan.Job, error)
	ScanRuns(ctx context.Context, jobID string, most int) ([]view.ScanRun, error)
	PauseScanJob(ctx context.Context, j scan.Job, paused bool, note, actor string) error
	DeleteScanJob(ctx context.Context, j scan.Job, actor string) error
}

// Controls keeps what operators set. SetTradingState fails with trade.ErrConflict
// while trading may not go on, Reduce when that would let a scope trade more.
type Controls interface {
	TradingStates(ctx context.Context) ([]view.Control, error)
	SetTradingState(ctx context.Context, scope string, state trade.TradingState, actor, reason string) error
	Reduce(ctx context.Context, scope, actor, reason string) error
	HaltAndCancel(ctx context.Context, scope, actor, reason string) error
	CancelOpens(ctx context.Context, scope string) ([]view.CancelOpen, error)
	ClearBudget(ctx context.Context, user, actor, reason string) error
}

// Audit keeps who asked for what, and tells it.
type Audit interface {
	NoteAct(ctx context.Context, p trade.Proposal, a view.Act) error
	AuditOf(ctx context.Context, proposalID string) ([]audit.Event, error)
}

// Store is the records. SeenWorkflow notes that a proposal's workflow runs.
type Store interface {
	Tokens
	Proposals
	Policies
	Overrides
	ScanJobs
	Events
	Controls
	Audit
	SeenWorkflow(ctx context.Context, proposalID string) error
	Ping(ctx context.Context) error
}

// Schedules lets scan jobs come due. Without it the workers do, from the
// records, a little later.
type Schedules interface {
	PutSchedule(ctx context.Context, j scan.Job) error
	PauseSchedule(ctx context.Context, j scan.Job) error // or lets it go on, as j says
	TriggerSchedule(ctx context.Context, jobID string) error
	DeleteSchedule(ctx context.Context, jobID string) error
}

// Temporal is what the API asks of workflows.
type Temporal interface {
	Executor
	Schedules
	Cancel(ctx context.Context, proposalID string, req workflows.CancelRequest) error
	Resolve(ctx context.Context, proposalID, updateID string, req workflows.ResolveRequest) (workflows.ResolveResult, error)
	Start(ctx context.Context, proposalID string) error
	Ping(ctx context.Context) error
}

// Metrics counts answers.
type Metrics interface {
	Requested(status int)
	Blocked(code trade.Code)
}

// Config is what the API is made of. Store and Temporal are required.
type Config struct {
	Store    Store
	Temporal Temporal
	Metrics  Metrics          // nil counts nothing
	Log      *slog.Logger     // nil is silence
	Now      func() time.Time // nil is the system's clock
	Patience time.Duration    // for an answer to execute; 15 s when zero

	JWTs              Tokens   // nil: only the store's own tokens prove anything
	RPS               float64  // requests per second of one user; DefaultRPS when zero
	FailuresPerMinute int      // of one address that proves nobody; DefaultFailures when zero
	Origins           []string // pages of these may use it from a browser; none when empty
}

// How often one may ask unless configured otherwise.
const (
	DefaultRPS      = 100
	DefaultFailures = 20
)

const (
	// requestLife is how long an execute request may be claimed after it came.
	requestLife = 30 * time.Second

	// usualPatience lets the workflow's own ten seconds pass first.
	usualPatience = trade.ExecuteAnswer + 5*time.Second

	// recordsPatience bounds one question to the database.
	recordsPatience = 5 * time.Second

	// viaAPI is how records name this door.
	viaAPI = "api"

	// startPatience bounds the wish to start a workflow: the sweep starts it
	// otherwise.
	startPatience = time.Second
)

type server struct {
	Config

	mux     *http.ServeMux
	turns   turns
	access  access
	streams *streams
}

// root is the whole API, with what ends its streams: a server that shuts down
// waits for every request, and streams have no end of their own.
type root struct {
	http.Handler

	endStreams func()
}

// New makes the handler of the whole API. It does not fail: what is down
// answers 503 until it is up.
func New(cfg Config) http.Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Patience == 0 {
		cfg.Patience = usualPatience
	}
	if cfg.Metrics == nil {
		cfg.Metrics = uncounted{}
	}
	if cfg.RPS == 0 {
		cfg.RPS = DefaultRPS
	}
	if cfg.FailuresPerMinute == 0 {
		cfg.FailuresPerMinute = DefaultFailures
	}
	s := &server{Config: cfg, mux: http.NewServeMux(), access: newAccess(cfg), streams: newStreams()}
	s.register()
	return root{crossOrigin(s, cfg.Origins), s.streams.end}
}

// NewServer serves handler, bounded against clients that are slow or send
// without end.
func NewServer(handler http.Handler) *http.Server {
	server := &http.Server{
		Handler: handler, MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 45 * time.Second, IdleTimeout: time.Minute,
	}
	if r, is := handler.(root); is {
		server.RegisterOnShutdown(r.endStreams)
	}
	return server
}

type uncounted struct{}

func (uncounted) Requested(int)      {}
func (uncounted) Blocked(trade.Code) {}
