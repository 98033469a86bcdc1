package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// moduleOf writes a module of one test file per package.
func moduleOf(t *testing.T, tests map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module "+module+"\n\ngo 1.26\n"), 0o600))
	for name, body := range tests {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o750))
		text := "package " + filepath.Base(name) + "\n\nimport \"testing\"\n\n" + body + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "x_test.go"), []byte(text), 0o600))
	}
	return dir
}

const passing = `func TestHolds(t *testing.T) {}`

func ranIn(t *testing.T, dir string, strict bool) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), dir, strict, nil, &out)
	return out.String(), err
}

// A test that is broken on purpose turns the run red wherever it stands, and
// the last lines say which.
func TestAFailureInAnyBatchIsNamedInTheLastLines(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"worker", "starter", "internal/a"} {
		tests := map[string]string{"worker": passing, "starter": passing, "internal/a": passing}
		tests[broken] = `func TestIsBroken(t *testing.T) { t.Error("on purpose") }`
		out, err := ranIn(t, moduleOf(t, tests), false)
		require.ErrorContains(t, err, "1 failed", out)
		require.Contains(t, out, "on purpose")
		require.True(t, strings.HasSuffix(out, "FAILED: "+broken+" TestIsBroken\n2 passed, 1 failed, 0 skipped\n"), out)
	}
}

func TestWhatDidNotRunIsSaidWithItsReasonAndRefusedWhenStrict(t *testing.T) {
	t.Parallel()
	dir := moduleOf(t, map[string]string{"a": passing, "b": `func TestNeedsNode(t *testing.T) { t.Skip("node is not on the PATH: install it") }`})
	out, err := ranIn(t, dir, false)
	require.NoError(t, err, out)
	require.Contains(t, out, "DID NOT RUN:\n  node is not on the PATH: install it (b: TestNeedsNode)\n")
	require.True(t, strings.HasSuffix(out, "1 passed, 0 failed, 1 skipped\n"), out)
	_, err = ranIn(t, dir, true)
	require.ErrorContains(t, err, "1 did not run")
}

func TestOnlyTheNamedPackagesRunWithTheFlagsGiven(t *testing.T) {
	t.Parallel()
	dir := moduleOf(t, map[string]string{"a": passing + "\nfunc TestOther(t *testing.T) {}", "b": passing})
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), dir, true, []string{"./a", "--", "-run=Holds"}, &out), out.String())
	require.True(t, strings.HasSuffix(out.String(), "\n1 passed, 0 failed, 0 skipped\n"), out.String())
	require.Error(t, run(t.Context(), dir, true, []string{"./missing"}, &out))
}

func TestSlowestTestsAndEachPackagesTimeAreListed(t *testing.T) {
	t.Parallel()
	out, err := ranIn(t, moduleOf(t, map[string]string{"worker": passing, "internal/a": passing}), false)
	require.NoError(t, err, out)
	require.Contains(t, out, "The 2 slowest tests:\n")
	require.Regexp(t, `(?m)^ +\d+\.\d s  worker TestHolds$`, out)
	require.Regexp(t, `(?m)^ +\d+\.\d s  internal/a$`, out)
}

// What is no test's failure is still no success.
func TestARunThatCannotTestIsNoSuccess(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no longer compiles":  `func TestX(t *testing.T) { undefined() }`,
		"panics outside":      `func init() { panic("early") }` + "\n" + passing,
		"ends without a word": "func TestMain(m *testing.M) { println(m) }",
		"has no test":         "var _ testing.TB",
	} {
		out, err := ranIn(t, moduleOf(t, map[string]string{"a": body}), false)
		require.Error(t, err, name+"\n"+out)
	}
}

// An interrupted run ends at once, as a failure that names what was running.
func TestAnInterruptedRunEndsAsAFailure(t *testing.T) {
	t.Parallel()
	began := filepath.Join(t.TempDir(), "began")
	require.NoError(t, syscall.Mkfifo(began, 0o600))
	dir := moduleOf(t, map[string]string{"a": `func TestWaits(t *testing.T) { f, err := os.Create("` + began + `"); println(f, err); select {} }`})
	source := filepath.Join(dir, "a", "x_test.go")
	text, err := os.ReadFile(source)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(source, bytes.Replace(text, []byte(`import "testing"`), []byte("import (\n\"os\"\n\"testing\"\n)"), 1), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, dir, false, nil, &out) }()
	_, err = os.Open(began) // returns when the test has opened its end
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Contains(t, out.String(), "FAILED: a TestWaits\n")
}

func TestEveryPackageIsInExactlyOneBatch(t *testing.T) {
	t.Parallel()
	packages, err := list(t.Context(), "../..", []string{"./..."})
	require.NoError(t, err)
	var dealt []string
	for _, b := range batches(packages) {
		dealt = append(dealt, b.packages...)
	}
	require.ElementsMatch(t, packages, dealt)
	require.Greater(t, len(batches(packages)), 2, "the packages of stacks are still called so")
}
