package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"interlock/internal/analyst"
	"interlock/internal/bitvavo/market"
	bitvavo "interlock/internal/bitvavo/orders"
	"interlock/internal/config"
	"interlock/internal/doctor"
)

// check looks at what a role needs, where its keys are, and returns the exit
// code: 1 when something failed. It hosts nothing and trades nothing.
func check(role string, asJSON bool, out io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	findings := examine(ctx, role)
	show := printFindings
	if asJSON {
		show = encodeFindings
	}
	if err := show(out, findings); err != nil || doctor.Failed(findings) {
		return 1
	}
	return 0
}

func encodeFindings(out io.Writer, findings []doctor.Finding) error {
	return json.NewEncoder(out).Encode(findings)
}

func printFindings(out io.Writer, findings []doctor.Finding) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CHECK\tRESULT\tFOUND")
	for _, f := range findings {
		fmt.Fprintf(t, "%s\t%s\t%s", f.Check, f.Result, f.Found)
		if f.Fix != "" {
			fmt.Fprintf(t, "; to do: %s", f.Fix)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func examine(ctx context.Context, role string) []doctor.Finding {
	cfg, err := config.Worker(role, os.Getenv)
	if err != nil {
		return doctor.Misconfigured(config.Role(role), err)
	}
	subject := doctor.Subject{Role: cfg.Role, Account: cfg.Account, Database: cfg.DatabaseURL.Reveal(), Temporal: cfg.Temporal}
	var open closers
	defer open.close()
	if err := subjectExchange(&subject, cfg, &open); err != nil {
		return doctor.Misconfigured(cfg.Role, err)
	}
	subjectModel(&subject, cfg, &open)
	return doctor.Examine(ctx, subject)
}

type closers []func()

func (c closers) close() {
	for _, end := range c {
		end()
	}
}

// subjectExchange gives the doctor what it may ask of the exchange: probes,
// which cannot move money, and never the clients that trade.
func subjectExchange(s *doctor.Subject, cfg config.WorkerConfig, open *closers) error {
	if cfg.Role == config.Proposals {
		return nil
	}
	reader, err := market.New(market.Config{URL: cfg.Exchange.URL})
	if err != nil {
		return err
	}
	*open = append(*open, reader.Close)
	s.Exchange = &doctor.Exchange{Exchange: cfg.Exchange, Clock: reader.Time}
	for _, held := range []struct {
		name  string
		trade bool
		key   config.Key
	}{{"trade key", true, cfg.Trade}, {"read-only key", false, cfg.Readonly}} {
		if held.key.Key == "" {
			continue
		}
		prober, err := bitvavo.NewProber(bitvavo.Config{
			URL: cfg.Exchange.URL, Key: held.key.Key.Reveal(), Secret: held.key.Secret.Reveal(), RequestTimeout: probeWithin,
		})
		if err != nil {
			return err
		}
		*open = append(*open, prober.Close)
		s.Exchange.Keys = append(s.Exchange.Keys, doctor.Key{Name: held.name, Trade: held.trade, Probe: probe{prober}})
	}
	return nil
}

// probeWithin leaves time for every question within one look.
const probeWithin = 3 * time.Second

// probe shows a prober's errors in the doctor's terms.
type probe struct{ *bitvavo.Prober }

// MayView reports whether the key may read the account.
func (p probe) MayView(ctx context.Context) (bool, error) {
	may, err := p.Prober.MayView(ctx)
	return may, renamed(err, bitvavo.ErrKey, doctor.ErrKey)
}

// MayTrade reports whether the key may place and cancel orders.
func (p probe) MayTrade(ctx context.Context) (bool, error) {
	may, err := p.Prober.MayTrade(ctx)
	return may, renamed(err, bitvavo.ErrKey, doctor.ErrKey)
}

// named is an error that is also another one, in the same words.
type named struct {
	error
	as error
}

func (n named) Unwrap() error { return n.as }

func renamed(err, from, to error) error {
	if errors.Is(err, from) {
		return named{err, to}
	}
	return err
}

func subjectModel(s *doctor.Subject, cfg config.WorkerConfig, open *closers) {
	if cfg.Role != config.Scans && cfg.Role != config.All {
		return
	}
	model := analyst.New(analyst.Config{BaseURL: cfg.Model.BaseURL, Key: cfg.Model.Key.Reveal(), Timeout: probeWithin})
	*open = append(*open, model.Close)
	s.Model = &doctor.Model{
		Named: cfg.Model.BaseURL != "" || cfg.Model.Key != "",
		Models: func(ctx context.Context) ([]string, error) {
			names, err := model.Models(ctx)
			return names, renamed(renamed(err, analyst.ErrKey, doctor.ErrKey), analyst.ErrNoList, doctor.ErrNoList)
		},
	}
}
