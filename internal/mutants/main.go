// Command mutants takes the locks of the order protocol away, one at a time,
// in a copy of the source, and demands that a named test notices. It decides
// nothing about the protocol: the table says which line is which lock. A lock
// that no test misses is the program's failure.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"interlock/internal/devstack"
	"interlock/internal/devstack/devtest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run() error {
	only := flag.String("only", "", "try only mutants of files whose path contains this")
	flag.Parse()
	ctx, done := signal.NotifyContext(context.Background(), os.Interrupt)
	defer done()
	copied, err := copyTree(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(copied) }()
	stop, err := shareDatabase(ctx)
	if err != nil {
		return err
	}
	return errors.Join(tryAll(ctx, copied, *only), stop())
}

// shareDatabase starts one server for the tests of all mutants: most of them
// need one for less time than it takes to start.
func shareDatabase(ctx context.Context) (stop func() error, err error) {
	dir, err := devstack.TempStateDir()
	if err != nil {
		return nil, err
	}
	server, err := devstack.StartPostgres(ctx, devstack.PostgresConfig{Dir: dir, Fast: true})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	stop = func() error { return errors.Join(server.Stop(), os.RemoveAll(dir)) }
	if err := os.Setenv(devtest.DatabaseVariable, server.URL()); err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

func tryAll(ctx context.Context, copied, only string) error {
	var missed []error
	for _, m := range table {
		if !strings.Contains(m.file, only) {
			continue
		}
		began := time.Now()
		err := m.try(ctx, copied)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		word := "caught"
		if err != nil {
			word = "MISSED"
			missed = append(missed, err)
		}
		fmt.Printf("%-6s %5.1fs  %-46s %s\n", word, time.Since(began).Seconds(), m.name, m.test)
	}
	if len(missed) > 0 {
		return errors.Join(missed...)
	}
	fmt.Println("each mutant was caught by its test")
	return nil
}

// try runs the mutant's test on the mutated source. Only that very test
// failing counts: source that no longer compiles catches nothing.
func (m mutant) try(ctx context.Context, root string) error {
	path := filepath.Join(root, m.file)
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	after, err := m.apply(string(before))
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(after), 0o600); err != nil {
		return err
	}
	defer func() { _ = os.WriteFile(path, before, 0o600) }()
	test := exec.CommandContext(ctx, "go", "test", "-count=1", "-run", "^"+m.test+"$", m.pkg)
	test.Dir = root
	out, err := test.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--- FAIL: "+m.test) {
		return fmt.Errorf("%s: %s did not fail:\n%s", m.name, m.test, out)
	}
	return nil
}

func (m mutant) apply(source string) (string, error) {
	if n := strings.Count(source, m.old); n != 1 {
		return "", fmt.Errorf("%s: its line is in %s %d times, want once", m.name, m.file, n)
	}
	return strings.Replace(source, m.old, m.new, 1), nil
}

// copyTree copies what git knows of the working folder, with its changes.
func copyTree(ctx context.Context) (string, error) {
	list, err := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return "", fmt.Errorf("git ls-files: %w", err)
	}
	root, err := os.MkdirTemp("", "interlock-mutants-")
	if err != nil {
		return "", err
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		if err := copyFile(name, filepath.Join(root, name)); err != nil {
			return root, errors.Join(err, os.RemoveAll(root))
		}
	}
	return root, nil
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil // deleted, and git does not know yet
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}
