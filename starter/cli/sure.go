package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// asks gives a command that cannot be taken back its --yes.
func (a *app) asks(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVarP(&a.yes, "yes", "y", false, "do it without asking")
	return cmd
}

// sure asks on a terminal whether to go on, naming what will happen. Without a
// terminal nobody can answer: then only --yes will do.
func (a *app) sure(ctx context.Context, format string, args ...any) error {
	if a.yes {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	in, isFile := a.in.(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		return ends(exitBlocked, fmt.Errorf("this %s; add --yes if that is meant", what))
	}
	fmt.Fprintf(a.progress, "This %s. Go on? [y/N] ", what)
	answer, err := readAnswer(ctx, in)
	if err != nil || !strings.EqualFold(answer, "y") && !strings.EqualFold(answer, "yes") {
		return ends(exitBlocked, errors.Join(err, errors.New("nothing was done")))
	}
	return nil
}

// readAnswer reads one line, unless Ctrl-C comes first. The reader is left
// behind then: the process ends.
func readAnswer(ctx context.Context, in io.Reader) (string, error) {
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(in).ReadString('\n') // no line is no
		line <- strings.TrimSpace(text)
	}()
	select {
	case text := <-line:
		return text, nil
	case <-ctx.Done():
		return "", errors.New("interrupted")
	}
}
