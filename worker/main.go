// Command worker hosts one role of Interlock: the workflows and records
// (proposals), the trade key (orders), or the market (scans). It wires adapters
// to activities and runs until it is told to stop; then it drains what runs,
// within a bound.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	notifying "interlock/activities/notify"
	"interlock/activities/orders"
	"interlock/activities/scans"
	"interlock/internal/bitvavo/market"
	bitvavo "interlock/internal/bitvavo/orders"
	"interlock/internal/config"
	"interlock/internal/listen"
	"interlock/internal/notify"
	"interlock/internal/postgres"
	"interlock/internal/rate"
	"interlock/internal/telemetry"
	"interlock/migrations"
	"interlock/workflows"
)

func main() {
	role := flag.String("role", "", "what this process hosts: proposals, orders, scans, or all (paper only)")
	look := flag.Bool("check", false, "look at what the role needs, print what is found, and end; nothing is traded")
	asJSON := flag.Bool("json", false, "with --check: print JSON instead of a table")
	flag.Parse()
	if *look {
		os.Exit(check(*role, *asJSON, os.Stdout))
	}
	if err := run(*role); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
}

func run(role string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	cfg, err := config.Worker(role, os.Getenv)
	if err != nil {
		return err
	}
	p, err := newProcess(ctx, cfg)
	if err != nil {
		return err
	}
	defer p.close()
	return p.serve(ctx)
}

// process is a worker process with its connections.
type process struct {
	cfg        config.WorkerConfig
	log        *slog.Logger
	metrics    *telemetry.Telemetry
	store      *postgres.Store
	attempts   attempts             // the store, in the terms of role orders
	exchange   venue                // role orders only
	deliveries notifying.Deliveries // the store, in the terms of the notifier
	sender     notifying.Sender
	temporal   client.Client
	workers    []worker.Worker
	identity   string
	closers    []func()
}

func newProcess(ctx context.Context, cfg config.WorkerConfig) (*process, error) {
	host, _ := os.Hostname()
	p := &process{
		cfg: cfg, identity: fmt.Sprintf("%s/%s/%d", cfg.Role, host, os.Getpid()),
		log: telemetry.Logger(os.Stderr, "interlock-worker-"+string(cfg.Role)),
	}
	if err := p.connect(ctx); err != nil {
		p.close()
		return nil, err
	}
	if cfg.Notice != "" {
		p.log.Warn(cfg.Notice)
	}
	return p, nil
}

// connect opens the database, checks schema and venue, and dials Temporal, in
// this order: a worker of another schema or account must not even poll.
func (p *process) connect(ctx context.Context) (err error) {
	if err := p.measure(ctx); err != nil {
		return err
	}
	if p.store, err = postgres.Open(ctx, p.cfg.DatabaseURL.Reveal()); err != nil {
		return err
	}
	p.closers = append(p.closers, p.store.Close)
	if err := p.checkSchema(ctx); err != nil {
		return err
	}
	p.attempts, p.deliveries, p.sender = p.store, p.store, notify.New()
	if err := p.checkVenue(ctx); err != nil {
		return err
	}
	if err := p.connectExchange(ctx); err != nil {
		return err
	}
	p.watchHalts(ctx)
	return p.dialTemporal(ctx)
}

// measure serves the metrics, and tells where.
func (p *process) measure(ctx context.Context) error {
	book, err := listen.In(p.cfg.AddressFile)
	if err != nil {
		return err
	}
	page, err := book.Listen(ctx, listen.Metrics, p.cfg.MetricsAddr)
	if err != nil {
		return fmt.Errorf("INTERLOCK_METRICS_ADDR: %w", err)
	}
	if p.metrics, err = telemetry.Start(ctx, page, "interlock-worker-"+string(p.cfg.Role)); err != nil {
		return err
	}
	p.closers = append(p.closers, func() { _ = p.metrics.Shutdown(context.WithoutCancel(ctx)) })
	return book.Tell()
}

// dialTemporal waits a while for a Temporal that is away: meanwhile this
// process cancels for a halt, which needs no Temporal.
func (p *process) dialTemporal(ctx context.Context) error {
	options := p.cfg.Temporal
	options.MetricsHandler, options.Logger, options.Identity = p.metrics.Handler(), p.log, p.identity
	dial := func(ctx context.Context) (err error) {
		p.temporal, err = client.DialContext(ctx, options)
		return err
	}
	patience := time.Duration(0)
	if p.hosts(config.Orders) {
		patience = scheduleWithin
	}
	if err := insist(ctx, patience, time.Second, dial); err != nil {
		return fmt.Errorf("temporal: %w", err)
	}
	if p.temporal == nil {
		return fmt.Errorf("temporal: %w", ctx.Err())
	}
	p.closers = append(p.closers, p.temporal.Close)
	return nil
}

// watchHalts cancels open orders when a halt asks for it, from before Temporal
// is dialled until the process is closed.
func (p *process) watchHalts(ctx context.Context) {
	if !p.hosts(config.Orders) {
		return
	}
	canceller := &orders.Canceller{
		Book: p.exchange, Wishes: p.attempts, Account: p.cfg.Account, Worker: p.identity, Operator: p.cfg.OperatorID,
		Every: time.Second, Counter: p.metrics.Metrics(), Log: p.log,
	}
	ctx, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { canceller.Run(ctx) })
	p.closers = append(p.closers, func() { stop(); watching.Wait() })
}

func (p *process) hosts(role config.Role) bool {
	return p.cfg.Role == role || p.cfg.Role == config.All
}

// checkSchema refuses a database whose schema does not serve this program: its
// statements would fail there and be tried for ever, or mean something else.
func (p *process) checkSchema(ctx context.Context) error {
	version, oldest, err := p.store.Schema(ctx)
	if err != nil {
		return err
	}
	return migrations.Serves(version, oldest)
}

// checkVenue refuses to serve an account at an exchange that is not its own.
func (p *process) checkVenue(ctx context.Context) error {
	if p.cfg.Role == config.Proposals {
		return nil
	}
	a, err := p.store.Account(ctx, p.cfg.Account)
	if err != nil {
		return fmt.Errorf("INTERLOCK_ACCOUNT: account %s: %w", p.cfg.Account, err)
	}
	return config.CheckVenue(config.Account{ID: a.ID, Venue: a.Venue, RESTURL: a.RESTURL}, p.cfg.Exchange.URL)
}

// connectExchange readies the trade key where it belongs. Nothing is sent.
func (p *process) connectExchange(ctx context.Context) error {
	if !p.hosts(config.Orders) {
		return nil
	}
	ledger, err := postgres.Open(ctx, p.cfg.DatabaseURL.Reveal(), postgres.ForRequests)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, ledger.Close)
	signed, err := bitvavo.New(bitvavo.Config{
		URL: p.cfg.Exchange.URL, Key: p.cfg.Trade.Key.Reveal(), Secret: p.cfg.Trade.Secret.Reveal(), OperatorID: p.cfg.OperatorID,
		Turns: rate.New(rate.Config{Ledger: ledger, Account: p.cfg.Account, RPS: p.cfg.TradeRPS, Counter: p.metrics.Metrics()}),
	})
	if err != nil {
		return err
	}
	p.closers = append(p.closers, signed.Close)
	p.exchange = exchange{signed}
	return nil
}

// serve runs until ctx ends, or the schema no longer serves this program; then
// it drains.
func (p *process) serve(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	refresh, err := p.prepare(ctx)
	if err != nil {
		return err
	}
	defer p.drain()
	for _, w := range p.workers {
		if err := w.Start(); err != nil {
			return fmt.Errorf("start worker: %w", err)
		}
	}
	if err := insist(ctx, scheduleWithin, time.Second, p.schedule); err != nil {
		return err
	}
	p.keepJobs(ctx)
	p.log.Info("serving", "role", p.cfg.Role, "account", p.cfg.Account, "identity", p.identity)
	var background sync.WaitGroup
	background.Go(func() { p.keepScheduled(ctx) })
	background.Go(func() { end(migrations.Watch(ctx, rescheduleEvery, p.store.Schema)) })
	if refresh != nil {
		refresh.Run(ctx)
	}
	<-ctx.Done()
	background.Wait()
	if err := context.Cause(ctx); errors.Is(err, migrations.ErrOtherSchema) {
		return err
	}
	return nil
}

// prepare builds what the role hosts; it starts nothing.
func (p *process) prepare(ctx context.Context) (*scans.Refresher, error) {
	if p.hosts(config.Proposals) {
		if err := p.searchable(ctx); err != nil {
			return nil, err
		}
		if err := p.metrics.Metrics().WatchUnresolved(p.store.CountUnresolved); err != nil {
			return nil, err
		}
		if err := p.metrics.Metrics().WatchUndelivered(p.store.UndeliveredAge); err != nil {
			return nil, err
		}
		p.workers = append(p.workers, hostProposals(p.temporal, p.store, p.metrics.Metrics()), hostUpkeep(p.temporal, p.store), hostNotify(p.temporal, &notifying.Activities{
			Deliveries: p.deliveries, Sender: p.sender, Counter: p.metrics.Metrics(),
		}))
	}
	if p.hosts(config.Orders) {
		p.workers = append(p.workers, hostOrders(p.temporal, ordersHost{
			account: p.cfg.Account, identity: p.identity, rps: p.cfg.TradeRPS,
			exchange: p.exchange, attempts: p.attempts, count: p.metrics.Metrics(), log: p.log,
		})...)
	}
	if !p.hosts(config.Scans) {
		return nil, nil
	}
	reader, err := market.New(market.Config{URL: p.cfg.Exchange.URL, Key: p.cfg.Readonly.Key.Reveal(), Secret: p.cfg.Readonly.Secret.Reveal()})
	if err != nil {
		return nil, err
	}
	p.closers = append(p.closers, reader.Close)
	p.prepareScans(reader)
	return &scans.Refresher{Market: reader, Facts: p.store, Account: p.cfg.Account, Every: time.Second, Log: p.log}, nil
}

// schedule makes the periodic workflows of the role exist, and runs them once.
func (p *process) schedule(ctx context.Context) error {
	return p.eachSchedule(func(id string, every time.Duration, workflow string, args ...any) error {
		return ensureSchedule(ctx, p.temporal, id, every, workflow, args...)
	})
}

// searchable registers what the workflows of the role set.
func (p *process) searchable(ctx context.Context) error {
	if !p.hosts(config.Proposals) {
		return nil
	}
	return ensureSearchAttributes(ctx, p.temporal, p.cfg.Temporal.Namespace)
}

// keepScheduled makes the periodic workflows, and what they need, again should
// Temporal lose them while this worker runs: nobody else would, and without
// them nothing that was lost is found.
func (p *process) keepScheduled(ctx context.Context) {
	ticker := time.NewTicker(rescheduleEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := p.searchable(ctx)
		err = errors.Join(err, p.eachSchedule(func(id string, every time.Duration, workflow string, args ...any) error {
			_, err := makeSchedule(ctx, p.temporal, id, every, workflow, args...)
			return err
		}))
		if err != nil && ctx.Err() == nil {
			p.log.Warn("schedules", "error", err)
		}
		p.keepJobs(ctx)
	}
}

func (p *process) eachSchedule(do func(id string, every time.Duration, workflow string, args ...any) error) error {
	var errs []error
	if p.hosts(config.Proposals) {
		errs = append(errs, do(workflows.SweepID, sweepEvery, workflows.SweepType), do(workflows.NotifyID, notifyEvery, workflows.NotifyType))
	}
	if p.hosts(config.Orders) {
		errs = append(errs, do(workflows.ReconcileID(p.cfg.Account), reconcileEvery, workflows.ReconcileType, p.cfg.Account))
	}
	return errors.Join(errs...)
}

// drain stops polling and waits for what runs, at most drainWithin.
func (p *process) drain() {
	p.log.Info("draining", "within", drainWithin)
	done := make(chan struct{})
	var running sync.WaitGroup
	for _, w := range p.workers {
		running.Go(w.Stop)
	}
	go func() { running.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(drainWithin + 5*time.Second):
		p.log.Warn("stopped before everything was drained")
	}
}

func (p *process) close() {
	for i := len(p.closers) - 1; i >= 0; i-- {
		p.closers[i]()
	}
}
