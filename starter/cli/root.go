// Package cli is the command line. It decides how a command is spelled, what
// it prints and with which code it ends. It owns no rule of trading: commands
// of users go over HTTP, those of operators to the database, and what neither
// offers to the proposal's workflow.
package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"interlock/internal/devstack"
)

const exitCodes = `Exit codes:
  0  done
  1  failed, a guarantee of the demo did not hold, or the doctor found a failure
  2  the command line or the environment cannot be used
  3  blocked, or a reason or confirmation is missing
  4  a part of the stack cannot be reached
  5  the proposal is executing, executed, expired or cancelled already
  6  the exchange refused the order
  7  there is no such thing
  8  halted, but open orders are not known to be all cancelled yet`

// Main runs the command line of this process and returns its exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return Run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
}

// Run runs one command and returns its exit code. An error is one line on
// stderr. A command that cannot be taken back asks on stdin, if that is a
// terminal.
func Run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{getenv: getenv, in: stdin, out: stdout, progress: stderr}
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.running {
		err = usage(err)
	}
	return report(stderr, err)
}

// app is what every command works with.
type app struct {
	getenv   func(string) string
	in       io.Reader
	out      io.Writer
	progress io.Writer
	state    string
	json     bool
	yes      bool
	running  bool // the command line was understood
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "starter",
		Short: "Execute each trade proposal once or not at all",
		Long: `Interlock executes trade proposals on an exchange once or not at all.

Begin with "starter up": it brings up everything on this machine, with a paper
exchange, and says what to try next. Other commands find that stack through its
state folder, or through DATABASE_URL, TEMPORAL_ADDRESS, INTERLOCK_API_URL and
INTERLOCK_TOKEN.

` + exitCodes,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	dir, _ := devstack.DefaultStateDir() // without a home --state must be given
	root.PersistentFlags().StringVar(&a.state, "state", dir, "state folder of the stack")
	root.AddCommand(a.up(), a.demo(), a.chaos(), a.serve(), a.exchange(), a.analyst(), a.scan(), a.budget(), a.migrate(), a.importEarlier(), a.export(), a.account(), a.token(), a.notify(), a.halt(), a.resume(), a.audit(),
		a.policy(), a.propose(), a.execute(), a.override(), a.confirm(), a.cancel(), a.resolve(), a.status(), a.doctor())
	a.explain(root)
	return root
}

// does marks the command line as understood: what fails from here on is no
// usage error.
func (a *app) does(run func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.running = true
		return run(cmd.Context(), args)
	}
}

// printsJSON gives a command that prints a table its --json.
func (a *app) printsJSON(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON instead of a table")
	return cmd
}
