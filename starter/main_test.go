package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack"
	"interlock/internal/waittest"
)

// binaries holds starter and interlock-worker side by side, as they would be
// installed.
var binaries string

func TestMain(m *testing.M) { os.Exit(withBinaries(m)) }

func withBinaries(m *testing.M) int {
	dir, err := os.MkdirTemp("", "interlock-starter-test-")
	if err == nil {
		binaries = dir
		err = errors.Join(os.Chmod(dir, 0o755), build("starter", "."), build("interlock-worker", "../worker"))
	}
	if err == nil {
		_, err = devstack.FindTemporal(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "starter tests:", err, "(run make tools)")
		return 1
	}
	defer os.RemoveAll(dir)
	return m.Run()
}

func build(name, source string) error {
	out, err := exec.Command("go", "build", "-o", filepath.Join(binaries, name), source).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w: %s", name, err, out)
	}
	return nil
}

// command is one run of the starter that hears only of paths.
func command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, "starter"), args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()}
	return cmd
}

// timeout bounds what a test waits for, a whole campaign too; it judges
// nothing.
const timeout = 20 * time.Minute

// starter runs a command to its end.
func starter(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	require.NoError(t, ctx.Err(), "%v was not over in %s; it said:\n%s%s", args, timeout, &out, &errs)
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// stack is a running "starter up".
type stack struct {
	t    *testing.T
	dir  string
	cmd  *exec.Cmd
	logs *said
	done chan error
}

// said is what a process has said so far.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := devstack.TempStateDir()
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// up brings a stack up on dir and returns when it can be used.
func up(t *testing.T, dir string, more ...string) *stack {
	t.Helper()
	args := append([]string{"up", "--state", dir, "--api-port", "0", "--temporal-port", "0", "--ui-port", "0", "--exchange-port", "0", "--demo-scan=false"}, more...)
	s := &stack{t: t, dir: dir, cmd: command(context.WithoutCancel(t.Context()), args...), logs: &said{}, done: make(chan error, 1)}
	s.cmd.Stderr = s.logs
	require.NoError(t, s.cmd.Start())
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.lastWords())
		}
		s.stop(syscall.SIGKILL)
	})
	waittest.Until(t, "the stack to come up", func() error {
		select {
		case err := <-s.done:
			s.done <- err
			require.FailNow(t, "the stack ended", "%v", err) // its words follow
		default:
		}
		info, err := devstack.ReadInfo(dir)
		return errors.Join(err, waittest.Is(!info.Started.IsZero(), "it is still starting"))
	})
	return s
}

// lastWords is what the stack and each of its processes said last.
func (s *stack) lastWords() string {
	text := "the stack said:\n" + s.logs.String()
	logs, _ := filepath.Glob(filepath.Join(s.dir, "*", "*.log")) // fails on a bad pattern only
	for _, log := range logs {
		words, err := os.ReadFile(log)
		if err != nil {
			words = []byte(err.Error())
		}
		text += filepath.Base(log) + ": " + devstack.LastWords(words) + "\n"
	}
	return text
}

func (s *stack) urls() map[string]string {
	info, err := devstack.ReadInfo(s.dir)
	require.NoError(s.t, err)
	return info.URLs
}

// stop ends the stack and returns how it ended; a second one does nothing.
func (s *stack) stop(sig syscall.Signal) error {
	if s.cmd == nil {
		return nil
	}
	_ = s.cmd.Process.Signal(sig) // it may have ended
	select {
	case err := <-s.done:
		s.cmd = nil
		return err
	case <-time.After(timeout):
		return fmt.Errorf("the stack does not end %s after %v", timeout, sig)
	}
}

// run runs a command against the stack.
func (s *stack) run(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	return starter(s.t, append(args, "--state", s.dir)...)
}

// becomes runs a command until its exit code is as it should be.
func (s *stack) becomes(what string, ok func(code int) bool, args ...string) {
	s.t.Helper()
	waittest.Until(s.t, what, func() error {
		code, out, errs := s.run(args...)
		return waittest.Is(ok(code), "%v ends with %d: %s%s", args, code, out, errs)
	})
}

func (s *stack) must(args ...string) string {
	s.t.Helper()
	code, out, errs := s.run(args...)
	require.Zero(s.t, code, "%v: %s%s", args, out, errs)
	return out
}

// left lists processes that name dir on their command line.
func left(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	var found []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), dir) {
			found = append(found, file+" "+strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var value T
	require.NoError(t, json.Unmarshal([]byte(text), &value), text)
	return value
}
