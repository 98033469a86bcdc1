// Command runtests runs the tests of packages side by side and says at the end
// what a reader of a long run wants to know: how long each package and the
// slowest tests took, what did not run and why, and what failed. It decides
// which packages run together; what a test does is the test's own affair.
//
//	go run ./internal/runtests [-strict] [-- flags of go test]
//
// It ends with 1 when a test fails, when no test ran and, with -strict, when a
// test was skipped; with 2 for a wrong flag.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	strict := flag.Bool("strict", false, "a test that was skipped is a failure")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, ".", *strict, flag.Args(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "runtests:", err)
		stop()
		os.Exit(1)
	}
}

// run tests the module in dir.
func run(ctx context.Context, dir string, strict bool, flags []string, out io.Writer) error {
	packages, err := list(ctx, dir)
	if err != nil {
		return err
	}
	report, err := runBatches(ctx, dir, batches(packages), flags, out)
	if err != nil {
		return errors.Join(ctx.Err(), err)
	}
	report.print(out)
	return errors.Join(ctx.Err(), report.verdict(strict))
}
