package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"interlock/internal/paper"
)

// exchangeFlags are the settings of a paper exchange.
type exchangeFlags struct {
	port       int
	keys       string
	stateFile  string
	csv        string
	market     string
	from       string
	speed      int64
	seed       uint64
	replyDelay time.Duration
	budget     int
	admin      bool
	madeUp     int
	options    paper.Options
}

func (a *app) exchange() *cobra.Command {
	var f exchangeFlags
	cmd := &cobra.Command{
		Use:   "exchange",
		Short: "Run a paper exchange that speaks Bitvavo's REST and WebSocket API",
		Long: `Runs a paper exchange on 127.0.0.1 that speaks Bitvavo's REST API under /v2 and
its WebSocket API at /v2/.

--keys names a JSON file: [{"key", "secret", "account", "permissions": ["view",
"trade"]}]. Without it a trading key is made up and printed. Prices walk at
random from a seed, or follow the candles of a CSV file.

The official Go and Node clients cannot say everything that the exchange wants
by now; --lenient takes what they say, --always-lists is for the Go client
alone.`,
		Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.runExchange(ctx, f) }),
	}
	f.bind(cmd.Flags())
	return cmd
}

func (f *exchangeFlags) bind(flags *pflag.FlagSet) {
	flags.IntVar(&f.port, "port", 8090, "port on 127.0.0.1; 0 picks a free one")
	flags.StringVar(&f.keys, "keys", "", "JSON file with the API keys")
	flags.StringVar(&f.stateFile, "state-file", "", "file that keeps orders and balances over a restart")
	flags.StringVar(&f.csv, "csv", "", "CSV file of candles to replay")
	flags.StringVar(&f.market, "csv-market", "BTC-EUR", "market that the candles are of; others move in proportion")
	flags.StringVar(&f.from, "csv-from", "", "date at which the replay begins, like 2024-01-31; earlier candles are the past")
	flags.Int64Var(&f.speed, "speed", 1, "seconds of the recording that pass in one second")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of the random walk and of the chances of faults")
	flags.DurationVar(&f.replyDelay, "reply-delay", 0, "time between carrying an order out and answering")
	flags.IntVar(&f.budget, "weight-per-minute", 0, "request weight a key may use per minute; 0 never refuses")
	flags.BoolVar(&f.admin, "admin", false, "serve /admin (faults, prices, the ledger) to this machine")
	flags.IntVar(&f.madeUp, "made-up-markets", 0, "more markets, X1-EUR and on, of assets that exist nowhere else")
	flags.BoolVar(&f.options.Lenient, "lenient", false, "take operatorId and booleans as text, and a cancel without operatorId")
	flags.BoolVar(&f.options.AlwaysLists, "always-lists", false, "answer a list also where one market or asset is asked for")
	flags.IntVar(&f.options.ClosedCode, "closed-code", 240, "error code for changing or cancelling a closed order: 240 or 233")
	flags.BoolVar(&f.options.ExclusivePaging, "exclusive-paging", false, "leave the order or trade that a page is bounded by out of it")
}

// mostMadeUp keeps a slip of the keyboard from starting a million markets.
const mostMadeUp = 200

func (a *app) runExchange(ctx context.Context, f exchangeFlags) error {
	cfg, err := f.config()
	if err != nil {
		return ends(exitUsage, err)
	}
	listener, measured, err := a.open(ctx, f.port, "exchange")
	if err != nil {
		return err
	}
	defer func() { _ = measured.Shutdown(context.WithoutCancel(ctx)) }()
	if len(cfg.Keys) == 0 {
		cfg.Keys = []paper.Key{paper.NewKey("paper", paper.View, paper.Trade)}
		fmt.Fprintf(a.out, "BITVAVO_TRADE_KEY=%s\nBITVAVO_TRADE_SECRET=%s\n", cfg.Keys[0].Key, cfg.Keys[0].Secret)
	}
	exchange, err := paper.New(cfg)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	fmt.Fprintf(a.out, "paper exchange on http://%s/v2\n", listener.Addr())
	return exchange.Serve(ctx, listener)
}

func (f exchangeFlags) config() (paper.Config, error) {
	cfg := paper.Config{
		Seed: f.seed, StateFile: f.stateFile, ReplyDelay: f.replyDelay, WeightPerMinute: f.budget, Admin: f.admin,
		Options: f.options,
	}
	prices, priceErr := f.prices()
	keys, keyErr := readKeys(f.keys)
	cfg.Prices, cfg.Keys = prices, keys
	var countErr error
	if f.madeUp < 0 || f.madeUp > mostMadeUp {
		countErr = fmt.Errorf("--made-up-markets: %d is not usable; write a number from 0 to %d", f.madeUp, mostMadeUp)
	}
	var codeErr error
	if code := f.options.ClosedCode; code != 240 && code != 233 {
		codeErr = fmt.Errorf("--closed-code: %d is not usable; write 240 or 233", code)
	}
	return cfg.WithMadeUp(max(f.madeUp, 0)), errors.Join(priceErr, keyErr, countErr, codeErr)
}

func (f exchangeFlags) prices() (paper.Prices, error) {
	if f.csv == "" {
		return paper.RandomWalk{}, nil
	}
	file, err := os.Open(f.csv)
	if err != nil {
		return nil, fmt.Errorf("--csv: %w", err)
	}
	defer file.Close()
	candles, err := paper.ReadCandles(file)
	if err != nil {
		return nil, fmt.Errorf("--csv: %w", err)
	}
	replay := paper.Replay{Candles: candles, Market: f.market, Speed: f.speed}
	if f.from != "" {
		if replay.From, err = time.Parse(time.DateOnly, f.from); err != nil {
			return nil, fmt.Errorf("--csv-from: %q is not a date; write it like 2024-01-31", f.from)
		}
	}
	return replay, nil
}

func readKeys(file string) ([]paper.Key, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--keys: %w", err)
	}
	var keys []paper.Key
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("--keys: %s: %w", file, err)
	}
	return keys, nil
}
