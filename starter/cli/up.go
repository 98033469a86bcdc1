package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"interlock/internal/config"
	"interlock/internal/devstack"
	"interlock/starter/stack"
)

// upFlags are the settings of a stack.
type upFlags struct {
	candles      string
	candleMarket string
	candlesFrom  string
	speed        int64
	apiPort      int
	temporalPort int
	uiPort       int
	exchangePort int
	demoScan     bool
}

func (a *app) up() *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up everything on this machine, with a paper exchange",
		Long: `Brings up PostgreSQL, Temporal with its Web UI, a paper exchange, a demo analyst
(not a language model), one worker process per role and the HTTP API, and stays
until Ctrl-C. Data survives a restart. A demo job scans three markets of the
paper exchange and trades small amounts: see "scan show demo".
 As root PostgreSQL runs as an unprivileged user.

DATABASE_URL, TEMPORAL_ADDRESS and BITVAVO_REST_URL replace the embedded parts
one by one. For an exchange of others, name the files with the keys in
BITVAVO_TRADE_KEY_FILE, BITVAVO_TRADE_SECRET_FILE, BITVAVO_READONLY_KEY_FILE and
BITVAVO_READONLY_SECRET_FILE: workers read them, this program does not.
OPENAI_BASE_URL and OPENAI_API_KEY_FILE name a model server instead of the demo
analyst; then add jobs of your own with "scan add".`,
		Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.runUp(ctx, f) }),
	}
	flags := cmd.Flags()
	flags.StringVar(&f.candles, "candles", "", "CSV file of candles for the paper exchange to replay")
	flags.StringVar(&f.candleMarket, "candles-market", "BTC-EUR", "market that the candles are of")
	flags.StringVar(&f.candlesFrom, "candles-from", "", "date at which the replay begins, like 2024-01-31")
	flags.Int64Var(&f.speed, "speed", 1, "seconds of the recording that pass in one second")
	const usual = "; 0 picks a free one, -1 the usual one if it is free"
	flags.IntVar(&f.apiPort, "api-port", stack.Usual, "port of the HTTP API"+usual)
	flags.IntVar(&f.temporalPort, "temporal-port", stack.Usual, "port of Temporal"+usual)
	flags.IntVar(&f.uiPort, "ui-port", stack.Usual, "port of Temporal's Web UI"+usual)
	flags.IntVar(&f.exchangePort, "exchange-port", stack.Usual, "port of the paper exchange, kept for ever after"+usual)
	flags.BoolVar(&f.demoScan, "demo-scan", true, "make the demo's scan job; it trades small amounts on the paper exchange")
	return cmd
}

func (f upFlags) exchangeArgs() ([]string, error) {
	if f.candles == "" {
		return nil, nil
	}
	path, err := filepath.Abs(f.candles)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return nil, ends(exitUsage, fmt.Errorf("--candles: %w", err))
	}
	args := []string{"--csv", path, "--csv-market", f.candleMarket, "--speed", strconv.FormatInt(f.speed, 10)}
	if f.candlesFrom != "" {
		args = append(args, "--csv-from", f.candlesFrom)
	}
	return args, nil
}

func (a *app) runUp(ctx context.Context, f upFlags) error {
	opts, err := a.stackOptions(f)
	if err != nil {
		return err
	}
	s, err := stack.Up(ctx, opts)
	switch {
	case err != nil && ctx.Err() != nil:
		return answered(exitFailed) // Ctrl-C while it starts needs no explanation
	case err != nil:
		return notUp(err)
	}
	a.announce(s)
	err = s.Wait(ctx)
	fmt.Fprintln(a.progress, "stopping; what runs is drained first")
	return errors.Join(err, s.Stop())
}

func (a *app) stackOptions(f upFlags) (stack.Options, error) {
	cfg, err := config.Starter(a.getenv)
	if err != nil {
		return stack.Options{}, ends(exitUsage, err)
	}
	args, err := f.exchangeArgs()
	if err != nil {
		return stack.Options{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return stack.Options{}, err
	}
	dir, err := filepath.Abs(a.state)
	if err != nil || a.state == "" {
		return stack.Options{}, ends(exitUsage, errors.New("--state: name a folder; there is no home to put one into"))
	}
	return stack.Options{
		Dir: dir, Config: cfg, Getenv: a.getenv, Self: self, Progress: a.progress, ExchangeArgs: args,
		NoScans: !f.demoScan, APIPort: f.apiPort, TemporalPort: f.temporalPort, UIPort: f.uiPort, ExchangePort: f.exchangePort,
	}, nil
}

// notUp says where the stack is that runs already.
func notUp(err error) error {
	var running *devstack.LockedError
	if errors.As(err, &running) && running.Info.URLs[stack.API] != "" {
		return fmt.Errorf("%w; its API is %s", err, running.Info.URLs[stack.API])
	}
	return err
}

func (a *app) announce(s *stack.Stack) {
	urls := s.URLs()
	t := &table{}
	t.add("API", urls[stack.API]+"/api, described in /openapi.json")
	if urls[stack.WebUI] != "" {
		t.add("Web UI", urls[stack.WebUI])
	}
	t.add("Temporal", urls[stack.Temporal])
	t.add("exchange", urls[stack.Exchange])
	if urls[stack.Analyst] != "" {
		t.add("analyst", urls[stack.Analyst]+", a rule and not a language model")
	}
	for _, name := range []string{"exchange", "api", stack.WorkerName("proposals", 1), stack.WorkerName("orders", 1), stack.WorkerName("scans", 1)} {
		if url := urls[stack.Metrics+name]; url != "" {
			t.add("metrics", url+" ("+name+")")
		}
	}
	if urls[stack.Token] != "" {
		t.add("user", stack.FirstUser+"; this command line finds its token in the state folder")
	}
	if s.NewToken != "" {
		t.add("token", s.NewToken+" (shown once)")
	}
	t.add("state", a.state)
	fmt.Fprintln(a.out)
	t.print(a.out)
	fmt.Fprint(a.out, a.nextCommands())
}

// nextCommands are worth trying first; they name the state folder when it is
// not the usual one.
func (a *app) nextCommands() string {
	where := ""
	if dir, err := devstack.DefaultStateDir(); err != nil || dir != a.state {
		where = " --state " + a.state
	}
	return fmt.Sprintf(`
Try next, in another terminal:
  go run ./starter%[1]s propose --id first --market BTC-EUR --side buy \
      --quote 25 --confidence 0.9
  go run ./starter%[1]s execute first
  go run ./starter%[1]s status first
  go run ./starter%[1]s scan show demo

Ctrl-C stops everything. Started %[2]s.
`, where, time.Now().Format(time.TimeOnly))
}
