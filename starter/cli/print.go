package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

// width is the widest line of a table.
const width = 80

// table prints rows under a header. The last column takes what room is left
// and is wrapped into it, so no line is wider than 80 characters.
type table struct {
	header []string
	rows   [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) print(w io.Writer) {
	widths := t.widths()
	if len(t.header) > 0 {
		printRow(w, t.header, widths, emphasis(w))
	}
	for _, row := range t.rows {
		printRow(w, row, widths, func(s string) string { return s })
	}
}

func (t *table) widths() []int {
	var widths []int
	for _, row := range append([][]string{t.header}, t.rows...) {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	used := 0
	for i := range max(len(widths)-1, 0) {
		used += widths[i] + 2
	}
	if last := len(widths) - 1; last >= 0 {
		widths[last] = min(widths[last], max(width-used, 16))
	}
	return widths
}

func printRow(w io.Writer, cells []string, widths []int, style func(string) string) {
	last := len(cells) - 1
	prefix := ""
	for i, cell := range cells[:last] {
		prefix += pad(cell, widths[i]) + "  "
	}
	for i, part := range wrap(cells[last], widths[last]) {
		if i > 0 {
			prefix = strings.Repeat(" ", utf8.RuneCountInString(prefix))
		}
		fmt.Fprintln(w, style(strings.TrimRight(prefix+part, " ")))
	}
}

func pad(text string, to int) string {
	return text + strings.Repeat(" ", max(to-utf8.RuneCountInString(text), 0))
}

// wrap breaks text at spaces; a word longer than a line gets a line.
func wrap(text string, to int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := len(lines) - 1
		switch {
		case lines[last] == "":
			lines[last] = word
		case utf8.RuneCountInString(lines[last])+1+utf8.RuneCountInString(word) <= to:
			lines[last] += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// emphasis is bold on a terminal and nothing elsewhere.
func emphasis(w io.Writer) func(string) string {
	if !onTerminal(w) {
		return func(s string) string { return s }
	}
	return func(s string) string { return "\x1b[1m" + s + "\x1b[0m" }
}

func onTerminal(w io.Writer) bool {
	f, isFile := w.(*os.File)
	return isFile && os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(f.Fd()))
}

// show prints value as JSON when asked to, else the table.
func (a *app) show(value any, t *table) error {
	if a.json {
		return printJSON(a.out, value)
	}
	t.print(a.out)
	return nil
}

func printJSON(w io.Writer, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}
