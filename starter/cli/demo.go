package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"interlock/internal/config"
	"interlock/internal/devstack"
	"interlock/starter/demo"
	"interlock/starter/stack"
)

func (a *app) demo() *cobra.Command {
	return a.printsJSON(&cobra.Command{
		Use: "demo", Short: "Try every guarantee on a real stack", Args: cobra.NoArgs,
		Long: `Tries every guarantee as a user would, and prints what was done, what happened
and whether it held. It uses the stack that runs on the state folder, if that
has a paper exchange of its own, and then kills its orders worker once and halts
its account for a moment. Without one it brings up its own in a temporary
folder. Exit code 1 means that a guarantee did not hold.`,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.runDemo(ctx) }),
	})
}

func (a *app) runDemo(ctx context.Context) (err error) {
	s, stop, err := a.demoStack(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	report, err := demo.Run(ctx, s, a.progress)
	if err != nil {
		return unavailable(err)
	}
	t := &table{header: []string{"GUARANTEE", "HELD", "DID AND SAW"}}
	for _, g := range report.Guarantees {
		held := "yes"
		if !g.Held {
			held = "NO"
		}
		t.add(g.ID, held, g.Name+": "+g.Did+". Saw: "+g.Saw)
	}
	if err := a.show(report, t); err != nil {
		return err
	}
	if !report.Held() {
		return answered(exitFailed)
	}
	return nil
}

// demoStack uses the stack that runs, else brings up its own.
func (a *app) demoStack(ctx context.Context) (demo.Stack, func() error, error) {
	info, err := devstack.ReadInfo(a.state)
	switch {
	case errors.Is(err, devstack.ErrNotRunning) || a.state == "":
		return a.ownStack(ctx)
	case err != nil:
		return demo.Stack{}, nil, err
	case info.URLs[stack.Admin] == "":
		return demo.Stack{}, nil, ends(exitUsage, fmt.Errorf("--state: the stack on %s starts, or trades at an exchange that is not its own; the demo breaks things, so name a free folder", a.state))
	}
	fmt.Fprintln(a.progress, "using the stack on", a.state)
	s, err := describe(ctx, a.state, info.URLs)
	s.Kill = func(name string) error { return killOf(a.state, name) }
	return s, func() error { return nil }, err
}

// ownStack brings up a stack that hears of no environment but paths, so that
// it can neither touch another database nor another exchange.
func (a *app) ownStack(ctx context.Context) (demo.Stack, func() error, error) {
	dir, err := devstack.TempStateDir()
	if err != nil {
		return demo.Stack{}, nil, err
	}
	remove := func() error { return os.RemoveAll(dir) }
	self, err := os.Executable()
	if err != nil {
		return demo.Stack{}, nil, errors.Join(err, remove())
	}
	cfg, err := config.Starter(func(string) string { return "" })
	if err != nil {
		return demo.Stack{}, nil, errors.Join(err, remove())
	}
	fmt.Fprintln(a.progress, "bringing up a stack in", dir)
	up, err := stack.Up(ctx, stack.Options{
		Dir: dir, Config: cfg, Getenv: a.pathsOnly, Self: self, Progress: a.progress, NoScans: true, Workers: map[config.Role]int{config.Scans: 2},
	})
	if err != nil {
		return demo.Stack{}, nil, errors.Join(unavailable(err), a.leave(ctx, dir))
	}
	stop := func() error { return errors.Join(up.Stop(), remove()) }
	s, err := describe(ctx, dir, up.URLs())
	s.Kill = up.Kill
	if err != nil {
		return s, nil, errors.Join(err, stop())
	}
	return s, stop, nil
}

func (a *app) pathsOnly(name string) string {
	switch name {
	case "PATH", "HOME", "TMPDIR":
		return a.getenv(name)
	}
	return ""
}

func describe(ctx context.Context, dir string, urls map[string]string) (demo.Stack, error) {
	readonly, err := stack.ReadonlyKey(dir)
	cli := urls[stack.CLI]
	if err == nil && cli == "" { // Temporal is somebody else's
		cli, err = devstack.FindTemporal(ctx)
	}
	return demo.Stack{
		API: urls[stack.API], Exchange: urls[stack.Exchange], Admin: urls[stack.Admin], Database: urls[stack.Database],
		Temporal: urls[stack.Temporal], Namespace: urls[stack.Namespace], TemporalCLI: cli,
		Analyst: strings.TrimSuffix(urls[stack.Analyst], "/v1"), ScanWorkers: scanWorkers(urls),
		Worker: urls[stack.Worker], Account: urls[stack.Account],
		ReadonlyKey: readonly.Key, ReadonlySecret: readonly.Secret,
	}, err
}

// scanWorkers counts the processes that serve scans.
func scanWorkers(urls map[string]string) (n int) {
	for urls[stack.PID+stack.WorkerName(string(config.Scans), n+1)] != "" {
		n++
	}
	return n
}

// killOf ends a child of another process's stack, which starts it again.
func killOf(dir, name string) error {
	info, err := devstack.ReadInfo(dir)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(info.URLs[stack.PID+name])
	if err != nil {
		return fmt.Errorf("%s: its process is not known", name)
	}
	// The number may be another's by now: only what runs our worker is killed.
	command, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil || !strings.HasPrefix(string(command), info.URLs[stack.Worker]+"\x00") {
		return fmt.Errorf("%s: process %d is not surely it", name, pid)
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}
