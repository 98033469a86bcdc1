// Command runtests runs the tests of packages side by side and says at the end
// what a reader of a long run wants to know: how long each package and the
// slowest tests took, what did not run and why, and what failed. It decides
// which packages run together; what a test does is the test's own affair.
//
//	go run ./internal/runtests [-strict] [packages] [-- -name=value flags of go test]
//
// Without packages it runs all. It ends with 1 when a test fails, when no test
// ran and, with -strict, when a test was skipped; with 2 for a wrong flag.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	strict := flag.Bool("strict", false, "a test that was skipped is a failure")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, ".", *strict, flag.Args(), os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "runtests:", err)
		os.Exit(1)
	}
}

// run tests packages of the module in dir. Of args, what begins with a dash is
// handed to go test, and the rest names packages.
func run(ctx context.Context, dir string, strict bool, args []string, out io.Writer) error {
	var flags, patterns []string
	for _, arg := range args {
		switch {
		case arg == "--":
		case strings.HasPrefix(arg, "-"):
			flags = append(flags, arg)
		default:
			patterns = append(patterns, arg)
		}
	}
	packages, err := list(ctx, dir, patterns)
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
