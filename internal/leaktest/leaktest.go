// Package leaktest tells whether tests left goroutines running. It decides how
// long one may take to end, which is the machine's affair; what counts as one
// is goleak's.
//
//	func TestMain(m *testing.M) { leaktest.Main(m) }
package leaktest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// timeout is for a machine that stands still; a goroutine that ends does so at
// once.
const timeout = time.Minute

// Main runs the tests and exits, with 1 when a goroutine of theirs goes on.
func Main(m *testing.M) {
	code := m.Run()
	if err := left(timeout); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "leaktest:", err)
		code = 1
	}
	os.Exit(code)
}

// None fails tb when a goroutine that is not among before goes on.
func None(tb testing.TB, before goleak.Option) {
	tb.Helper()
	if err := left(timeout, before); err != nil {
		tb.Errorf("leaktest: %v", err)
	}
}

// left looks again until nothing is left, or the time is over. Find itself
// looks for less than a second.
func left(within time.Duration, options ...goleak.Option) error {
	for ends := time.Now().Add(within); ; {
		if err := goleak.Find(options...); err == nil || time.Now().After(ends) {
			return err
		}
	}
}
