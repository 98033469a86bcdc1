package main

import (
	"context"

	"go.temporal.io/sdk/worker"

	"interlock/activities/scans"
	"interlock/internal/analyst"
	"interlock/internal/bitvavo/market"
	"interlock/internal/config"
	"interlock/internal/prompt"
	"interlock/internal/scan"
	"interlock/internal/schedules"
	"interlock/internal/trade"
	"interlock/workflows"
)

// prepareScans hosts the steps of scans, a bounded number of them at once.
func (p *process) prepareScans(reader *market.Reader) {
	model := analyst.New(analyst.Config{BaseURL: p.cfg.Model.BaseURL, Key: p.cfg.Model.Key.Reveal()})
	p.closers = append(p.closers, model.Close)
	w := worker.New(p.temporal, workflows.ScansQueueOf(p.cfg.Account), worker.Options{
		WorkerStopTimeout: drainWithin, DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: p.cfg.ScansAtOnce,
	})
	registerScans(w, &scans.Activities{
		Exchange: sight{reader}, Records: p.store, Books: p.store, Model: model, Counter: p.metrics.Metrics(),
	})
	p.workers = append(p.workers, w)
}

func registerScans(w worker.Registry, steps *scans.Activities) { w.RegisterActivity(steps) }

// keepJobs makes Temporal's schedules what the rows of scan jobs say.
func (p *process) keepJobs(ctx context.Context) {
	if !p.hosts(config.Scans) {
		return
	}
	keeper := schedules.Keeper{Temporal: p.temporal, Jobs: p.store, Account: p.cfg.Account, Dropped: func(code scan.Code, times int64) {
		p.metrics.Metrics().Scan(string(code), times)
	}}
	drifts, err := keeper.Keep(ctx)
	for _, d := range drifts {
		p.log.Warn("scan schedule differed from its row", "job", d.JobID, "what", d.What)
	}
	if err != nil && ctx.Err() == nil {
		p.log.Warn("scan schedules", "error", err)
	}
}

// sight shows the market's reader in the terms of the activities.
type sight struct{ *market.Reader }

// Book reads the best levels of a market's order book.
func (s sight) Book(ctx context.Context, m trade.Market, levels int) (scans.Book, error) {
	d, err := s.Reader.Book(ctx, m, levels)
	return scans.Book{Bid: d.Bid, Ask: d.Ask, BidDepth: d.BidQuote, AskDepth: d.AskQuote}, err
}

// Series reads a market's last candles of one length.
func (s sight) Series(ctx context.Context, m trade.Market, interval string, candles int) (prompt.Series, error) {
	rows, err := s.Candles(ctx, m, interval, candles)
	series := prompt.Series{Interval: interval, Candles: make([]prompt.Candle, len(rows))}
	for i, c := range rows {
		series.Candles[i] = prompt.Candle(c)
	}
	return series, err
}

// Holdings lists the account's balances.
func (s sight) Holdings(ctx context.Context) ([]trade.Holding, error) {
	balances, err := s.Balance(ctx)
	holdings := make([]trade.Holding, len(balances))
	for i, b := range balances {
		holdings[i] = trade.Holding(b)
	}
	return holdings, err
}
