// Command tools brings what the tests need and Go does not: it finds, fetches
// or builds the Temporal development server, and says what to install where
// PostgreSQL is missing and cannot be downloaded.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"interlock/internal/devstack"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	path, err := devstack.EnsureTemporal(ctx, os.Stderr)
	if err == nil {
		fmt.Println("temporal:", path)
	}
	return err
}
