package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"gotest.tools/gotestsum/testjson"
)

// module is the import path of this repository.
const module = "interlock"

// batch is what one go test process runs: packages packages at a time, and
// parallel tests of each.
type batch struct {
	packages []string
	together int
	parallel int
	race     bool
	timeout  time.Duration
}

// waiting are the packages whose tests start whole stacks of processes. They
// wait rather than compute, so more of them run at once than there are cores,
// and they begin first because they take longest.
//
// The tests of starter drive built binaries and share no memory with them, so
// the race detector would see nothing but the test's own text handling.
var waiting = []batch{
	{packages: []string{module + "/worker"}, together: 1, parallel: 3, race: true, timeout: time.Hour},
	{packages: []string{module + "/starter", module + "/starter/handover"}, together: 1, parallel: 2, timeout: time.Hour},
}

// batches deals packages out: those that wait by themselves, beside all others.
func batches(packages []string) []batch {
	var all []batch
	rest := batch{packages: packages, together: 1, race: true, timeout: time.Hour}
	for _, b := range waiting {
		isOne := func(p string) bool { return slices.Contains(b.packages, p) }
		b.packages = slices.DeleteFunc(slices.Clone(rest.packages), func(p string) bool { return !isOne(p) })
		rest.packages = slices.DeleteFunc(slices.Clone(rest.packages), isOne)
		if len(b.packages) > 0 {
			all = append(all, b)
		}
	}
	if len(rest.packages) > 0 {
		all = append(all, rest)
	}
	return all
}

// list names the packages of the module in dir that patterns match; without
// patterns, all.
func list(ctx context.Context, dir string, patterns []string) ([]string, error) {
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"list"}, patterns...)...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %v: %w", patterns, err)
	}
	return strings.Fields(string(out)), nil
}

func (b batch) args(flags []string) []string {
	args := []string{"test", "-json", "-timeout", b.timeout.String(), "-p", strconv.Itoa(b.together)}
	if b.race {
		args = append(args, "-race")
	}
	if b.parallel > 0 {
		args = append(args, "-parallel", strconv.Itoa(b.parallel))
	}
	return append(append(args, flags...), b.packages...)
}

// runBatches runs all at once and collects what they say. A test that fails is
// in the report; an error is a go test that could not be run or understood.
func runBatches(ctx context.Context, dir string, all []batch, flags []string, progress io.Writer) (*report, error) {
	r := &report{began: time.Now(), executions: make([]*testjson.Execution, len(all))}
	said := &lines{to: progress, began: r.began}
	var running sync.WaitGroup
	errs := make([]error, len(all))
	for i, b := range all {
		running.Go(func() { r.executions[i], errs[i] = b.run(ctx, dir, i, flags, said) })
	}
	running.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%v: %w", all[i].packages, err)
		}
	}
	return r, nil
}

// run is one go test. An interruption reaches its tests as well: go test itself
// only waits for them.
func (b batch) run(ctx context.Context, dir string, id int, flags []string, said *lines) (*testjson.Execution, error) {
	cmd := exec.CommandContext(ctx, "go", b.args(flags)...)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = time.Minute
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	errs, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	execution, err := testjson.ScanTestOutput(testjson.ScanConfig{
		RunID: id, Stdout: out, Stderr: errs, Handler: said, IgnoreNonJSONOutputLines: true,
	})
	ended := cmd.Wait()
	if err != nil {
		return nil, err
	}
	if ended != nil && len(execution.Failed()) == 0 && len(execution.Errors()) == 0 {
		return nil, fmt.Errorf("go test: %w", ended) // it failed, and no test says so
	}
	return execution, nil
}

// lines prints one line for each package that has ended and each test that has
// failed, as they happen.
type lines struct {
	mu    sync.Mutex
	to    io.Writer
	began time.Time
}

// Event hears everything that go test says.
func (l *lines) Event(event testjson.TestEvent, execution *testjson.Execution) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := short(event.Package)
	switch {
	case event.Test != "" && event.Action == testjson.ActionFail:
		fmt.Fprintf(l.to, "FAIL %s %s (%.1f s)\n", name, event.Test, event.Elapsed)
	case event.PackageEvent() && event.Action.IsTerminal() && !execution.Package(event.Package).IsEmpty():
		fmt.Fprintf(l.to, "%4.0f s  %-4s %-32s %5.0f s\n", time.Since(l.began).Seconds(), event.Action, name, event.Elapsed)
	}
	return nil
}

// Err hears what go test prints beside its tests, such as build errors.
func (l *lines) Err(text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.to, text)
	return nil
}

func short(pkg string) string { return strings.TrimPrefix(pkg, module+"/") }
