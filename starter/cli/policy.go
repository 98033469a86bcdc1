package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"interlock/internal/trade"
)

// maxPolicy is far more than any policy needs.
const maxPolicy = 64 << 10

func (a *app) policy() *cobra.Command {
	cmd := &cobra.Command{Use: "policy", Short: "What may be traded: set, show", Args: cobra.NoArgs,
		RunE: a.does(func(ctx context.Context, _ []string) error { return a.showPolicy(ctx) })}
	cmd.AddCommand(
		&cobra.Command{
			Use: "set FILE", Short: "Set the policy from a JSON file; - is standard input", Args: cobra.ExactArgs(1),
			Long: "Sets the policy for the next execution. Every limit must be given, or knowingly\nbe \"unlimited\"; an unknown field is an error. The old version is kept.",
			RunE: a.does(func(ctx context.Context, args []string) error { return a.setPolicy(ctx, args[0]) }),
		},
		a.printsJSON(&cobra.Command{
			Use: "show", Short: "Show the policy in force, as policy set takes it", Args: cobra.NoArgs,
			RunE: a.does(func(ctx context.Context, _ []string) error { return a.showPolicy(ctx) }),
		}))
	return cmd
}

func (a *app) setPolicy(ctx context.Context, file string) error {
	text, err := readInput(file, maxPolicy)
	if err != nil {
		return ends(exitUsage, err)
	}
	// Checked here too, so that a typo is found without a stack.
	if _, err := trade.ParsePolicy(text); err != nil {
		return ends(exitUsage, fmt.Errorf("%s: %w", file, err))
	}
	r, err := a.remote()
	if err != nil {
		return err
	}
	reply, err := r.do(ctx, http.MethodPut, policyPath, json.RawMessage(text))
	if err != nil {
		return err
	}
	return a.printReply(reply)
}

func (a *app) showPolicy(ctx context.Context) error {
	r, err := a.remote()
	if err != nil {
		return err
	}
	reply, err := r.do(ctx, http.MethodGet, policyPath, nil)
	if err != nil {
		return err
	}
	if a.json {
		return a.printReply(reply)
	}
	var current struct {
		Version int             `json:"version"`
		Policy  json.RawMessage `json:"policy"`
	}
	if err := reply.into(&current); err != nil {
		return err
	}
	fmt.Fprintf(a.progress, "version %d\n", current.Version)
	return printJSON(a.out, current.Policy)
}

func (a *app) printReply(reply answer) error {
	var value json.RawMessage
	if err := reply.into(&value); err != nil {
		return err
	}
	return printJSON(a.out, value)
}

// readInput reads a small file, or standard input for "-".
func readInput(file string, most int64) ([]byte, error) {
	input := os.Stdin
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		input = opened
	}
	text, err := io.ReadAll(io.LimitReader(input, most+1))
	if err == nil && int64(len(text)) > most {
		err = errors.New(file + ": is too large")
	}
	return text, err
}
