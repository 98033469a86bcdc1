package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type guarantee struct {
	ID, Name, Did, Saw string
	Held               bool
}

func TestDemoHoldsEveryGuarantee(t *testing.T) {
	t.Parallel()
	code, out, progress := starter(t, "demo", "--json", "--state", filepath.Join(t.TempDir(), "none"))
	require.NotEmpty(t, out, progress)
	report := decode[map[string]json.RawMessage](t, out)
	require.Len(t, report, 1, "nothing but the guarantees is on standard output")
	guarantees := decode[[]guarantee](t, string(report["guarantees"]))
	require.GreaterOrEqual(t, len(guarantees), 18)
	for _, g := range guarantees {
		require.True(t, g.Held, "%s: %s", g.ID, g.Saw)
		require.NotEmpty(t, g.ID)
		require.NotEmpty(t, g.Name)
		require.NotEmpty(t, g.Did)
		require.NotEmpty(t, g.Saw)
	}
	require.Zero(t, code)

	first, _, _ := strings.Cut(progress, "\n")
	dir, found := strings.CutPrefix(first, "bringing up a stack in ")
	require.True(t, found, first)
	require.NoDirExists(t, dir)
	require.Empty(t, left(t, dir))
}
