package cli

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"
)

// The exit codes, as the help documents them.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitBlocked     = 3
	exitUnavailable = 4
	exitClosed      = 5
	exitRefused     = 6
	exitUnknown     = 7
	exitIncomplete  = 8
)

// exitError is an error with the code to end with. A silent one has said
// everything already.
type exitError struct {
	code   int
	silent bool
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func ends(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code: code, err: err}
}

func usage(err error) error {
	var known *exitError
	if errors.As(err, &known) {
		return err
	}
	return ends(exitUsage, fmt.Errorf("%w; see --help", err))
}

func unavailable(err error) error { return ends(exitUnavailable, err) }

// answered is the end of a command whose answer was printed.
func answered(code int) error {
	if code == 0 {
		return nil
	}
	return &exitError{code: code, silent: true, err: fmt.Errorf("exit code %d", code)}
}

// report prints an error as one line and returns the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return 0
	}
	var e *exitError
	if !errors.As(err, &e) || !e.silent {
		fmt.Fprintln(stderr, "starter: "+harmless(oneLine(err.Error())))
	}
	return exitCode(err)
}

// exitCode is the code that err ends with.
func exitCode(err error) int {
	var e *exitError
	if errors.As(err, &e) {
		return e.code
	}
	return exitFailed
}

var (
	tokenText = regexp.MustCompile(`ilk_[A-Za-z0-9_-]*`)
	overlong  = regexp.MustCompile(`(\S{200})\S+`)
)

// harmless keeps what was typed in the wrong place from being repeated whole:
// a token, or what would write over the terminal.
func harmless(text string) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return unicode.ReplacementChar
	}, text)
	return overlong.ReplaceAllString(tokenText.ReplaceAllString(text, "ilk_…"), "$1…")
}

// oneLine joins the lines of a joined error.
func oneLine(text string) string {
	var parts []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			parts = append(parts, line)
		}
	}
	return strings.Join(parts, " | ")
}
