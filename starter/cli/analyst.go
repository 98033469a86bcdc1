package cli

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"interlock/internal/demoanalyst"
)

func (a *app) analyst() *cobra.Command {
	var port int
	cmd := &cobra.Command{
		Use: "analyst", Short: "Run a demo analyst; it is not a language model", Args: cobra.NoArgs,
		Long: `Runs an endpoint on 127.0.0.1 that speaks OpenAI's chat completions under /v1
and is not a language model: it buys what is above the mean of its last closes
and sells what is below. Its model is called ` + demoanalyst.ModelName + `.

POST /admin/mode {"mode": MODE, "count": N} makes the next N answers misbehave,
all of them without a count; an empty mode ends it. The modes are:
` + modes() + `.`,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.runAnalyst(ctx, port) }),
	}
	cmd.Flags().IntVar(&port, "port", 8095, "port on 127.0.0.1; 0 picks a free one")
	return cmd
}

func modes() string {
	names := make([]string, 0, len(demoanalyst.Modes()))
	for _, m := range demoanalyst.Modes() {
		names = append(names, string(m))
	}
	return strings.Join(wrap(strings.Join(names, ", "), width), "\n")
}

func (a *app) runAnalyst(ctx context.Context, port int) error {
	listener, measured, err := a.open(ctx, port, "analyst")
	if err != nil {
		return err
	}
	defer func() { _ = measured.Shutdown(context.WithoutCancel(ctx)) }()
	server := &http.Server{Handler: demoanalyst.New().Handler(), ReadHeaderTimeout: 5 * time.Second}
	fmt.Fprintf(a.out, "demo analyst, not a language model, on http://%s/v1\n", listener.Addr())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}
