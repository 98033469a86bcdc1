package cli

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"starter": func() { os.Exit(Main()) }})
}

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
	code = Run(context.WithoutCancel(t.Context()), args, func(name string) string { return env[name] }, &out, &errs)
	return code, out.String(), errs.String()
}

func TestEveryCommandExplainsItself(t *testing.T) {
	t.Parallel()
	commands := (&app{getenv: os.Getenv}).root().Commands()
	require.Greater(t, len(commands), 12)
	for _, c := range commands {
		code, out, _ := run(t, nil, c.Name(), "--help")
		require.Zero(t, code, c.Name())
		require.NotEmpty(t, c.Short, c.Name())
		require.Contains(t, out, "Usage:", c.Name())
	}
}
