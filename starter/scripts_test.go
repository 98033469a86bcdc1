package main

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestEveryCommandDoesWhatItsScriptSays runs the scripts against one stack, one
// after another in the order of their names: they act on the same account.
func TestEveryCommandDoesWhatItsScriptSays(t *testing.T) {
	t.Parallel()
	s := up(t, stateDir(t))
	testscript.RunT(scripted{t}, testscript.Params{
		Dir: "testdata/scripts", RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"starter": runStarter},
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", binaries+string(os.PathListSeparator)+os.Getenv("PATH"))
			e.Setenv("STATE", s.dir)
			e.Setenv("OWNER", s.urls()["owner"])
			return nil
		},
	})
}

// runStarter is "starter CODE ARGS": the command on the stack, and the code
// that it must end with.
func runStarter(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("starter", append(args[1:], "--state", ts.Getenv("STATE"))...)
	got := 0
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		got = ended.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// scripted runs a script at once, not beside the others.
type scripted struct{ *testing.T }

func (s scripted) Parallel() {}

func (s scripted) Run(name string, f func(testscript.T)) {
	s.T.Run(name, func(t *testing.T) { f(scripted{t}) })
}

func (s scripted) Verbose() bool { return testing.Verbose() }
