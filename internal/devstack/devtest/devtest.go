// Package devtest gives tests a real PostgreSQL and a real Temporal. It owns
// one server of each per test process, started at first use and gone with the
// process however that ends; a test gets its own database, task queue or
// namespace on it. It refuses to download or build anything: that does not
// belong inside a test's time limit.
//
//	func TestMain(m *testing.M) { devtest.Main(m) }
package devtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const (
	dirPrefix = "interlock-devtest-"

	// PostgreSQL's own user passes through our folders.
	reachable os.FileMode = 0o711
)

// shared is what the tests of this process use together.
var shared struct {
	mu      sync.Mutex
	dir     string // empty outside Main
	stops   []func() error
	servers []server
}

// server is one that may end before its time.
type server interface {
	Done() <-chan struct{}
	Ended() error
}

// watch remembers a server whose end is a reason for others' failures.
func watch(s server) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.servers = append(shared.servers, s)
}

// fail ends tb, and says which of the shared servers is gone.
func fail(tb testing.TB, err error) {
	tb.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	for _, s := range shared.servers {
		select {
		case <-s.Done():
			tb.Errorf("devtest: the shared %T: %v", s, s.Ended())
		default:
		}
	}
	tb.Fatalf("devtest: %v", err)
}

// Main runs the tests, stops what they started, and exits. Call it from
// TestMain, and nothing after it.
func Main(m *testing.M) {
	os.Exit(Run(m))
}

// Run is Main for a TestMain that has more to do: it returns the exit code.
func Run(m *testing.M) (code int) {
	sweep()
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", dirPrefix, os.Getpid()))
	if err == nil {
		err = os.Chmod(dir, reachable)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "devtest:", err)
		return 1
	}
	shared.dir = dir
	defer func() {
		if err := stopAll(); err != nil {
			fmt.Fprintln(os.Stderr, "devtest:", err)
			code = 1
		}
	}()
	return m.Run()
}

func stopAll() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	var errs []error
	for _, stop := range shared.stops {
		errs = append(errs, stop())
	}
	shared.stops = nil
	return errors.Join(append(errs, os.RemoveAll(shared.dir))...)
}

// sweep removes what test processes that were killed could not.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*")) // fails on a bad pattern only
	for _, dir := range left {
		number, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		pid, err := strconv.Atoi(number)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir) // another user's: theirs to remove
		}
	}
}

// lazily runs start once and gives every caller its result; stop is remembered.
func lazily[T any](start func(dir string) (T, func() error, error)) func() (T, error) {
	return sync.OnceValues(func() (T, error) {
		if shared.dir == "" {
			var none T
			return none, errors.New("call devtest.Main from TestMain")
		}
		value, stop, err := start(shared.dir)
		if err == nil {
			shared.mu.Lock()
			shared.stops = append(shared.stops, stop)
			shared.mu.Unlock()
		}
		return value, err
	})
}

// folder is a private, reachable folder below the shared one.
func folder(tb testing.TB, kind string) string {
	tb.Helper()
	if shared.dir == "" {
		tb.Fatal("call devtest.Main from TestMain")
	}
	dir, err := os.MkdirTemp(shared.dir, kind+"-") //nolint:usetesting // TempDir is closed to PostgreSQL's user
	if err == nil {
		err = os.Chmod(dir, reachable)
	}
	if err != nil {
		fail(tb, err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) }) // what stays goes with the shared folder
	return dir
}
