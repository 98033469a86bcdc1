// Package telemetry lets a process be watched: one structured logger, and one
// /metrics page with the Temporal SDK's metrics and our own counts. It owns
// the metrics' names, and refuses to know what is done about them. Nothing in
// it can stop a trade: a metric that cannot be recorded is lost.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/attribute"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
)

// Telemetry is what one process measures. Shutdown ends it.
type Telemetry struct {
	metrics  *Metrics
	handler  client.MetricsHandler
	provider *metric.MeterProvider
	page     http.Handler
	server   *http.Server
	addr     string
}

// Start measures a process called service and serves /metrics on listener,
// which it closes; nil serves nothing.
func Start(ctx context.Context, listener net.Listener, service string) (*Telemetry, error) {
	t, err := measure(ctx, service)
	if err != nil {
		if listener != nil {
			listener.Close()
		}
		return nil, err
	}
	t.serve(listener)
	return t, nil
}

func measure(ctx context.Context, service string) (*Telemetry, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(),
		exporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes))
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	provider := metric.NewMeterProvider(metric.WithReader(reader),
		metric.WithResource(resource.NewSchemaless(attribute.String("service.name", service))))
	t := &Telemetry{
		provider: provider,
		page:     promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}),
		handler: opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
			Meter: provider.Meter("temporal"), UseMonotonicCounters: true, OnError: func(error) {},
		}),
	}
	if t.metrics, err = newMetrics(provider.Meter("interlock")); err != nil {
		return nil, errors.Join(fmt.Errorf("metrics: %w", err), provider.Shutdown(ctx))
	}
	return t, nil
}

func (t *Telemetry) serve(listener net.Listener) {
	if listener == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", t.page)
	t.addr = listener.Addr().String()
	t.server = &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() { _ = t.server.Serve(listener) }() // it ends with Shutdown
}

// Addr is where /metrics is served; empty when it is not.
func (t *Telemetry) Addr() string { return t.addr }

// Page is the /metrics page, for a process that serves it itself.
func (t *Telemetry) Page() http.Handler { return t.page }

// Handler takes the metrics of a Temporal client and its workers.
func (t *Telemetry) Handler() client.MetricsHandler { return t.handler }

// Metrics takes our own counts.
func (t *Telemetry) Metrics() *Metrics { return t.metrics }

// Shutdown stops serving and measuring.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	var stopped error
	if t.server != nil {
		stopped = t.server.Shutdown(ctx)
	}
	if err := errors.Join(stopped, t.provider.Shutdown(ctx)); err != nil {
		return fmt.Errorf("stop metrics: %w", err)
	}
	return nil
}
