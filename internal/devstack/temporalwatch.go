package devstack

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

const (
	watchPause = 5 * time.Second

	// brokenAnswers in a row are no query that was given up in between.
	brokenAnswers = 3
)

// watch ends a server whose database answers nothing but "interrupted" any
// more. SQLite refuses every statement while one that was interrupted is not
// closed, and the development server, whose only connection it is, then never
// closes it: seen on a machine that was far too busy. A restart cures it, and
// is whoever waits for Done's affair.
func (t *Temporal) watch(ctx context.Context, child *process, pause time.Duration, ask func(context.Context) error) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for broken := 0; broken < brokenAnswers; {
		select {
		case <-child.done:
			return
		case <-tick.C:
		}
		if child.exited() { // both may have been ready
			return
		}
		if isInterrupted(ask(ctx)) {
			broken++
		} else {
			broken = 0
		}
	}
	fmt.Fprintln(t.cfg.Progress, "Temporal: its database is stuck (interrupted), ending it")
	_ = child.kill() // it has ended by itself, then
}

func isInterrupted(err error) bool {
	return err != nil && strings.Contains(strings.ToLower(err.Error()), "interrupted (9)")
}

// describe asks the server's database for one row.
func (t *Temporal) describe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := client.NewLazyClient(client.Options{
		HostPort: t.Address(), Namespace: t.cfg.Namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: t.cfg.Namespace})
	return err
}
