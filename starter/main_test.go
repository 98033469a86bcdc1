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
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/devstack"
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

// patience bounds what a test waits for, a whole campaign too; it judges
// nothing.
const patience = 20 * time.Minute

// starter runs a command to its end.
func starter(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
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
	logs *bytes.Buffer
	done chan error
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
	s := &stack{t: t, dir: dir, cmd: command(context.WithoutCancel(t.Context()), args...), logs: &bytes.Buffer{}, done: make(chan error, 1)}
	s.cmd.Stderr = s.logs
	require.NoError(t, s.cmd.Start())
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() { s.stop(syscall.SIGKILL) })
	require.Eventually(t, func() bool {
		info, err := devstack.ReadInfo(dir)
		return len(s.done) > 0 || err == nil && !info.Started.IsZero()
	}, patience, 50*time.Millisecond)
	require.Empty(t, s.done, "the stack ended")
	return s
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
	err := <-s.done
	s.cmd = nil
	return err
}

// run runs a command against the stack.
func (s *stack) run(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	return starter(s.t, append(args, "--state", s.dir)...)
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
