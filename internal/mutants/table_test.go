package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

func TestEveryMutantStillFitsTheSource(t *testing.T) {
	t.Parallel()
	for _, m := range table {
		source, err := os.ReadFile(filepath.Join(root, m.file))
		require.NoError(t, err, m.name)
		mutated, err := m.apply(string(source))
		require.NoError(t, err)
		require.NotEqual(t, string(source), mutated, m.name)
	}
}

func TestEveryMutantNamesATestThatExists(t *testing.T) {
	t.Parallel()
	for _, m := range table {
		out, err := exec.Command("grep", "-rl", "func "+m.test+"(", filepath.Join(root, m.pkg)).Output()
		require.NoError(t, err, "%s: no test %s in %s", m.name, m.test, m.pkg)
		require.NotEmpty(t, out)
	}
}

func TestMutantThatFitsTwiceIsRefused(t *testing.T) {
	t.Parallel()
	_, err := mutant{name: "x", file: "f", old: "a"}.apply("a a")
	require.ErrorContains(t, err, "2 times")
}
