package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tableOf reads the table of docs/failures.md whose first column is headed so.
// What the tests do is what the document says: they read it.
func tableOf(t *testing.T, heading string) []map[string]string {
	t.Helper()
	text, err := os.ReadFile("../docs/failures.md")
	require.NoError(t, err)
	var columns []string
	var rows []map[string]string
	for line := range strings.Lines(string(text)) {
		cells := cellsOf(line)
		switch {
		case columns == nil && len(cells) > 1 && cells[0] == heading:
			columns = cells
		case columns != nil && cells == nil:
			return rows
		case columns != nil && !strings.HasPrefix(cells[0], "---"):
			require.Len(t, cells, len(columns), line)
			rows = append(rows, rowOf(columns, cells))
		}
	}
	require.NotEmpty(t, rows, "no table begins with %q", heading)
	return rows
}

func cellsOf(line string) []string {
	inner, isRow := strings.CutPrefix(strings.TrimSpace(line), "|")
	if !isRow {
		return nil
	}
	cells := strings.Split(strings.TrimSuffix(inner, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

func rowOf(columns, cells []string) map[string]string {
	row := map[string]string{}
	for i, name := range columns {
		row[name] = cells[i]
	}
	return row
}
