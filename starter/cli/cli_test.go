package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"interlock/internal/devstack/devtest"
)

func TestMain(m *testing.M) {
	testscript.Main(servers{m}, map[string]func(){"starter": func() { os.Exit(Main()) }})
}

// servers are the tests with the databases that some of them need.
type servers struct{ m *testing.M }

func (s servers) Run() int { return devtest.Run(s.m) }

func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata", Setup: func(e *testscript.Env) error {
		e.Setenv("XDG_STATE_HOME", e.WorkDir)
		e.Setenv("NOSTACK", e.WorkDir+"/nostack")
		return nil
	}})
}

// run runs one command as a process would, with nothing but env.
func run(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(context.WithoutCancel(t.Context()), args, func(name string) string { return env[name] }, nil, &out, &errs)
	return code, out.String(), errs.String()
}

// commands are all that do something, with what leads to them.
func commands() map[string]*cobra.Command {
	all := map[string]*cobra.Command{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Runnable() && c.Name() != "help" && !strings.HasPrefix(c.CommandPath(), "starter completion") {
			all[c.CommandPath()] = c
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{getenv: os.Getenv}).root())
	return all
}

func TestEveryCommandExplainsItselfWithin80Columns(t *testing.T) {
	t.Parallel()
	all := commands()
	require.Greater(t, len(all), 35)
	for path, c := range all {
		code, out, _ := run(t, nil, append(strings.Fields(path)[1:], "--help")...)
		require.Zero(t, code, path)
		require.NotEmpty(t, c.Short, path)
		require.Contains(t, out, "Usage:", path)
		if !c.HasAvailableSubCommands() {
			require.Regexp(t, `Examples:\n  (\S+=\S+ )*starter `, out, path)
		}
		for line := range strings.Lines(out) {
			line = strings.TrimRight(line, "\n")
			require.LessOrEqual(t, utf8.RuneCountInString(line), width, "%s: %s", path, line)
		}
	}
}

// TestEveryExampleIsUnderstood: what help, README and documents show is
// accepted as it stands; only that it would be carried out is left out.
func TestEveryExampleIsUnderstood(t *testing.T) {
	t.Parallel()
	found := 0
	for _, text := range documents(t) {
		for _, line := range regexp.MustCompile(`(?m)^ +(?:\$ )?(?:[A-Z_]+=\S+ +)*(?:starter|go run \./starter) (.*)$`).FindAllStringSubmatch(text, -1) {
			found++
			understood(t, line[1])
		}
	}
	require.Greater(t, found, 80)
}

func TestEveryCommandHasAScript(t *testing.T) {
	t.Parallel()
	var scripts strings.Builder
	for _, pattern := range []string{"testdata/*.txtar", "../testdata/scripts/*.txtar"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			scripts.Write(text)
		}
	}
	for path, c := range commands() {
		if c.HasAvailableSubCommands() {
			continue
		}
		called := regexp.MustCompile(`starter (?:\d )?(?:--state \S+ )?` + strings.TrimPrefix(path, "starter ") + `\b`)
		require.Regexp(t, called, scripts.String(), path)
	}
}

func documents(t *testing.T) []string {
	t.Helper()
	var texts []string
	files, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	for _, file := range append(files, "../../README.md") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		texts = append(texts, strings.ReplaceAll(string(text), "\\\n", " "))
	}
	for _, c := range commands() {
		texts = append(texts, strings.ReplaceAll(c.Example, "\\\n", " ")+"\n")
	}
	return texts
}

func understood(t *testing.T, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, "  #")
	line, _, _ = strings.Cut(line, " | ")
	line, _, _ = strings.Cut(line, " > ")
	line, _, _ = strings.Cut(line, " < ")
	args := words(line)
	cmd, rest, err := (&app{getenv: os.Getenv}).root().Find(args)
	require.NoError(t, err, line)
	require.NoError(t, cmd.ParseFlags(rest), line)
	if help, _ := cmd.Flags().GetBool("help"); !help {
		require.NoError(t, cmd.ValidateArgs(cmd.Flags().Args()), line)
		require.NoError(t, cmd.ValidateRequiredFlags(), line)
		require.NoError(t, cmd.ValidateFlagGroups(), line)
	}
}

// words splits a line as a shell does, as far as the examples need it.
func words(line string) []string {
	var list []string
	for _, match := range regexp.MustCompile(`"([^"]*)"|'([^']*)'|(\S+)`).FindAllStringSubmatch(line, -1) {
		list = append(list, match[1]+match[2]+match[3])
	}
	return list
}

func TestTheShellCompletesWithoutAStackAndWithoutAWord(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"execute", "scan show", "status --status", "propose --side"} {
		code, out, errs := run(t, map[string]string{"HOME": t.TempDir()}, append(append([]string{"__complete", "--state", t.TempDir()}, strings.Fields(line)...), "")...)
		require.Zero(t, code, errs)
		require.Contains(t, out, ":4", "no files are offered for %s", line)
	}
	_, out, _ := run(t, nil, "__complete", "propose", "--side", "")
	require.Contains(t, out, "buy\nsell\n")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		code, out, _ := run(t, nil, "completion", shell)
		require.Zero(t, code)
		require.Contains(t, out, "starter")
	}
}
