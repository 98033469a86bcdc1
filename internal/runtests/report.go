package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gotest.tools/gotestsum/testjson"
)

// slowest is how many tests are listed by the time they took.
const slowest = 20

// report is what all batches together have said.
type report struct {
	began      time.Time
	executions []*testjson.Execution
}

// print writes times first and failures last: a long run is read from its end.
func (r *report) print(out io.Writer) {
	r.printPackages(out)
	r.printSlowest(out)
	r.printSkipped(out)
	r.printFailed(out)
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", r.passed(), len(r.failed()), len(r.skipped()))
}

func (r *report) printPackages(out io.Writer) {
	type row struct {
		name string
		took time.Duration
	}
	var rows []row
	for _, e := range r.executions {
		for _, name := range e.Packages() {
			if p := e.Package(name); !p.IsEmpty() {
				rows = append(rows, row{short(name), p.Elapsed()})
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.took, a.took) })
	fmt.Fprintf(out, "\nPackages (%.0f s in all, side by side):\n", time.Since(r.began).Seconds())
	for _, row := range rows {
		fmt.Fprintf(out, "%7.1f s  %s\n", row.took.Seconds(), row.name)
	}
}

func (r *report) printSlowest(out io.Writer) {
	var tests []testjson.TestCase
	for _, e := range r.executions {
		for _, name := range e.Packages() {
			tests = append(tests, e.Package(name).TestCases()...)
		}
	}
	slices.SortStableFunc(tests, func(a, b testjson.TestCase) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	fmt.Fprintf(out, "\nThe %d slowest tests:\n", min(slowest, len(tests)))
	for _, t := range tests[:min(slowest, len(tests))] {
		fmt.Fprintf(out, "%7.1f s  %s %s\n", t.Elapsed.Seconds(), short(t.Package), t.Test)
	}
}

// printSkipped gives one line to each reason for which tests of a package did
// not run.
func (r *report) printSkipped(out io.Writer) {
	var whys []string
	names := map[string][]string{}
	for _, e := range r.executions {
		for _, t := range e.Skipped() {
			why := reason(e.OutputLines(t)) + " (" + short(t.Package) + ": "
			if names[why] == nil {
				whys = append(whys, why)
			}
			names[why] = append(names[why], t.Test.Name())
		}
	}
	if len(whys) > 0 {
		fmt.Fprintln(out, "\nDID NOT RUN:")
	}
	for _, why := range whys {
		tests := strings.Join(names[why], ", ")
		if n := len(names[why]); n > 3 {
			tests = fmt.Sprintf("%s and %d more", strings.Join(names[why][:3], ", "), n-3)
		}
		fmt.Fprintf(out, "  %s%s)\n", why, tests)
	}
}

// reason is the text of a skip, without the source line that go test puts first.
func reason(output []string) string {
	for _, line := range output {
		text := strings.TrimSpace(line)
		if _, why, found := strings.Cut(text, ".go:"); found && !strings.HasPrefix(text, "---") {
			_, why, _ = strings.Cut(why, ": ")
			return why
		}
	}
	return "no reason given"
}

func (r *report) printFailed(out io.Writer) {
	fmt.Fprintln(out)
	for _, e := range r.executions {
		for _, t := range e.Failed() {
			for _, line := range e.OutputLines(t) {
				fmt.Fprint(out, line)
			}
		}
		for _, text := range e.Errors() {
			fmt.Fprintln(out, text)
		}
	}
	for _, t := range r.failed() {
		fmt.Fprintf(out, "FAILED: %s %s\n", short(t.Package), t.Test)
	}
}

func (r *report) failed() (all []testjson.TestCase) {
	for _, e := range r.executions {
		all = append(all, e.Failed()...)
	}
	return all
}

func (r *report) skipped() (all []testjson.TestCase) {
	for _, e := range r.executions {
		all = append(all, e.Skipped()...)
	}
	return all
}

func (r *report) passed() (n int) {
	for _, e := range r.executions {
		for _, name := range e.Packages() {
			n += len(e.Package(name).Passed)
		}
	}
	return n
}

// verdict is nil when every test that should run has run and passed.
func (r *report) verdict(strict bool) error {
	var errs []error
	if n := len(r.failed()); n > 0 {
		errs = append(errs, fmt.Errorf("%d failed", n))
	}
	for _, e := range r.executions {
		if len(e.Errors()) > 0 {
			errs = append(errs, errors.New("go test reported errors"))
		}
	}
	if r.passed() == 0 {
		errs = append(errs, errors.New("no test ran"))
	}
	if n := len(r.skipped()); strict && n > 0 {
		errs = append(errs, fmt.Errorf("%d did not run; all must", n))
	}
	return errors.Join(errs...)
}
