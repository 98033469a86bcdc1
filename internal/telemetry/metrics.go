package telemetry

import (
	"context"
	"errors"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"interlock/internal/trade"
)

// Metrics counts what a process did. A nil one counts nothing, which is what
// tests use.
type Metrics struct {
	meter    metric.Meter
	blocks   metric.Int64Counter
	orders   metric.Int64Counter
	looks    metric.Int64Counter
	requests metric.Int64Counter
	alarms   metric.Int64Counter
	scans    metric.Int64Counter
	told     metric.Int64Counter
	untold   metric.Int64Counter
	turns    metric.Int64Counter
	waits    metric.Float64Counter
	halted   metric.Int64Counter
}

func newMetrics(meter metric.Meter) (*Metrics, error) {
	m := &Metrics{meter: meter}
	counter := func(into *metric.Int64Counter, name, description string) (err error) {
		*into, err = meter.Int64Counter(name, metric.WithDescription(description))
		return err
	}
	var err error
	m.waits, err = meter.Float64Counter("interlock_exchange_wait_seconds", metric.WithDescription("Time that requests with the trade key waited for their turn, by class."))
	return m, errors.Join(err,
		counter(&m.turns, "interlock_exchange_turns", "Requests with the trade key that got their turn, by class."),
		counter(&m.blocks, "interlock_blocks", "Checks that blocked a proposal, by code."),
		counter(&m.orders, "interlock_orders", "Attempts to place an order, by what is known of them."),
		counter(&m.looks, "interlock_unresolved_looks", "Times an order's fate was looked for and stayed unknown."),
		counter(&m.alarms, "interlock_contradictions", "Orders at the exchange that our records had denied; each halted its account."),
		counter(&m.scans, "interlock_scans", "Due times of scans, by how they ended; skipped and missed ones too."),
		counter(&m.told, "interlock_notifications_delivered", "Events that a service took, by service."),
		counter(&m.untold, "interlock_notifications_failed", "Tries that no service took, by service and whether it was the last."),
		counter(&m.halted, "interlock_halt_orders", "Orders that a halt with cancel-open has dealt with, by result; still open ones once per try."),
		counter(&m.requests, "interlock_http_requests", "Answered HTTP requests, by status."),
	)
}

// Blocked counts one block of a preflight.
func (m *Metrics) Blocked(code trade.Code) {
	if m != nil {
		m.blocks.Add(context.Background(), 1, label("code", string(code)))
	}
}

// Placed counts one attempt to place an order.
func (m *Metrics) Placed(reply trade.Reply) {
	if m != nil {
		m.orders.Add(context.Background(), 1, label("reply", string(reply)))
	}
}

// Unresolved counts one time that an order's fate stayed unknown. The proposal
// is no label: every one of them would be a series for ever.
func (m *Metrics) Unresolved(string) {
	if m != nil {
		m.looks.Add(context.Background(), 1)
	}
}

// Scan counts due times that ended with a code.
func (m *Metrics) Scan(code string, times int64) {
	if m != nil {
		m.scans.Add(context.Background(), times, label("code", code))
	}
}

// Delivered counts one event that a service took.
func (m *Metrics) Delivered(service string) {
	if m != nil {
		m.told.Add(context.Background(), 1, label("service", service))
	}
}

// NotDelivered counts one try that came to nothing.
func (m *Metrics) NotDelivered(service string, givenUp bool) {
	if m != nil {
		m.untold.Add(context.Background(), 1, label("service", service), label("given_up", strconv.FormatBool(givenUp)))
	}
}

// Contradicted counts orders that were found to contradict the records.
func (m *Metrics) Contradicted(n int) {
	if m != nil && n > 0 {
		m.alarms.Add(context.Background(), int64(n))
	}
}

// Turn counts one request that may go to the exchange, and its wait.
func (m *Metrics) Turn(class string, waited time.Duration) {
	if m != nil {
		m.turns.Add(context.Background(), 1, label("class", class))
		m.waits.Add(context.Background(), waited.Seconds(), label("class", class))
	}
}

// CancelledByHalt counts one try to end an order under a cancel-open.
func (m *Metrics) CancelledByHalt(result trade.CancelResult) {
	if m != nil {
		m.halted.Add(context.Background(), 1, label("result", string(result)))
	}
}

// Requested counts one answered HTTP request.
func (m *Metrics) Requested(status int) {
	if m != nil {
		m.requests.Add(context.Background(), 1, label("status", strconv.Itoa(status)))
	}
}

// countPatience bounds one question for a gauge, so that a scrape does not
// hang with the database.
const countPatience = 2 * time.Second

// WatchUnresolved shows interlock_unresolved, the orders of unknown fate, as
// count tells it at each scrape. While count fails the gauge is absent: a
// stale zero would be the most dangerous number on the page.
func (m *Metrics) WatchUnresolved(count func(context.Context) (int64, error)) error {
	if m == nil {
		return nil
	}
	_, err := m.meter.Int64ObservableGauge("interlock_unresolved",
		metric.WithDescription("Orders whose fate is unknown."),
		metric.WithInt64Callback(func(ctx context.Context, o metric.Int64Observer) error {
			ctx, cancel := context.WithTimeout(ctx, countPatience)
			defer cancel()
			n, err := count(ctx)
			if err == nil {
				o.Observe(n)
			}
			return err
		}))
	return err
}

// WatchUndelivered shows interlock_notifications_oldest_seconds, how long the
// oldest event has been waiting for a service, as age tells it at each scrape.
// While age fails the gauge is absent.
func (m *Metrics) WatchUndelivered(age func(context.Context) (time.Duration, error)) error {
	if m == nil {
		return nil
	}
	_, err := m.meter.Float64ObservableGauge("interlock_notifications_oldest_seconds",
		metric.WithDescription("How long the oldest event has been waiting for a service to take it."),
		metric.WithFloat64Callback(func(ctx context.Context, o metric.Float64Observer) error {
			ctx, cancel := context.WithTimeout(ctx, countPatience)
			defer cancel()
			oldest, err := age(ctx)
			if err == nil {
				o.Observe(oldest.Seconds())
			}
			return err
		}))
	return err
}

func label(name, value string) metric.AddOption {
	return metric.WithAttributes(attribute.String(name, value))
}
