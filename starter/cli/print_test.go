package cli

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func printed(t *table) string {
	var out strings.Builder
	t.print(&out)
	return out.String()
}

func TestTableFitsATerminal(t *testing.T) {
	t.Parallel()
	x := &table{header: []string{"ID", "STATE", "DETAIL"}}
	x.add("p1", "BLOCKED", strings.Repeat("cooldown ", 20))
	x.add("p2", "EXECUTED", "")
	text := printed(x)
	for line := range strings.Lines(text) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), width)
	}
	require.Contains(t, text, "ID  STATE     DETAIL\n")
	require.Contains(t, text, "p2  EXECUTED\n")
	require.NotContains(t, text, "\x1b", "colours are for terminals only")
}

func TestTableLosesNoWord(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.StringMatching(`[a-z€]{1,30}`)).Draw(t, "words")
		lines := wrap(strings.Join(words, " "), rapid.IntRange(1, 40).Draw(t, "width"))
		require.Equal(t, words, append([]string{}, strings.Fields(strings.Join(lines, " "))...))
	})
}

func TestErrorIsOneLine(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	code := report(&out, ends(exitUsage, errors.Join(errors.New("one"), errors.New("two"))))
	require.Equal(t, exitUsage, code)
	require.Equal(t, "starter: one | two\n", out.String())
	require.Equal(t, exitBlocked, report(&out, answered(exitBlocked)))
	require.Equal(t, "starter: one | two\n", out.String(), "a printed answer is not repeated")
	require.Equal(t, exitFailed, report(&out, errors.New("plain")))
}
