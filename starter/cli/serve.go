package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"interlock/internal/api"
	"interlock/internal/config"
	"interlock/internal/identity"
	"interlock/internal/listen"
	"interlock/internal/postgres"
	"interlock/internal/telemetry"
	"interlock/migrations"
)

func (a *app) serve() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Serve the HTTP API", Args: cobra.NoArgs,
		Long: `Serves the HTTP API on INTERLOCK_API_ADDR (default ` + config.DefaultAPIAddr + `), with
DATABASE_URL, TEMPORAL_*, INTERLOCK_METRICS_ADDR and INTERLOCK_ADDRESS_FILE. It
holds no exchange key.
Beside tokens it believes JWTs of one issuer, when INTERLOCK_JWT_SECRET or
INTERLOCK_JWKS_URL, and INTERLOCK_JWT_ISSUER, say so.`,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.runServe(ctx) }),
	}
}

func (a *app) runServe(ctx context.Context) error {
	cfg, err := config.API(a.getenv)
	if err != nil {
		return ends(exitUsage, err)
	}
	log := telemetry.Logger(os.Stderr, "interlock-api")
	book, err := listen.In(cfg.AddressFile)
	if err != nil {
		return err
	}
	measured, err := a.measure(ctx, book, cfg.MetricsAddr, "interlock-api")
	if err != nil {
		return err
	}
	defer func() { _ = measured.Shutdown(context.WithoutCancel(ctx)) }()
	store, err := postgres.Open(ctx, cfg.DatabaseURL.Reveal())
	if err != nil {
		return unavailable(err)
	}
	defer store.Close()
	if err := served(ctx, store); err != nil {
		return err
	}
	options := cfg.Temporal
	options.MetricsHandler, options.Logger = measured.Handler(), log
	// A lazy client: a Temporal that is down is 503, not a process that ends.
	temporal, err := client.NewLazyClient(options)
	if err != nil {
		return fmt.Errorf("temporal: %w", err)
	}
	defer temporal.Close()
	handler := api.New(api.Config{
		Store: store, Temporal: api.NewExecutor(temporal), Metrics: measured.Metrics(), Log: log,
		JWTs: believed(cfg.JWT), RPS: float64(cfg.RPS), FailuresPerMinute: cfg.Failures, Origins: cfg.Origins,
	})
	listener, err := book.Listen(ctx, listen.HTTP, cfg.Addr)
	if err != nil {
		return unavailable(fmt.Errorf("INTERLOCK_API_ADDR: %w", err))
	}
	if err := book.Tell(); err != nil {
		return errors.Join(err, listener.Close())
	}
	return serveOnSchema(ctx, store, func(ctx context.Context) error { return serveHTTP(ctx, api.NewServer(handler), listener, log) })
}

// serveOnSchema serves until ctx ends, or the schema no longer serves this
// program.
func serveOnSchema(ctx context.Context, store *postgres.Store, serve func(context.Context) error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() { end(migrations.Watch(ctx, schemaEvery, store.Schema)) }()
	err := serve(ctx)
	if moved := context.Cause(ctx); errors.Is(moved, migrations.ErrOtherSchema) {
		return ends(exitFailed, moved)
	}
	return err
}

// schemaEvery is how soon somebody's migration is noticed.
const schemaEvery = 15 * time.Second

// believed is nil when no JWT is.
func believed(j config.JWT) api.Tokens {
	if !j.On() {
		return nil
	}
	return identity.New(identity.Config{
		Secret: j.Secret.Reveal(), KeysURL: j.KeysURL, Issuer: j.Issuer, Audience: j.Audience,
		RoleClaim: j.RoleClaim, AccountClaim: j.AccountClaim, Account: j.Account,
	})
}

// farewell is how long running requests may take to finish: longer than the
// longest execute.
const farewell = 20 * time.Second

func serveHTTP(ctx context.Context, server *http.Server, listener net.Listener, log *slog.Logger) error {
	log.Info("serving", "address", listener.Addr().String())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := server.Shutdown(stopping); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}
