package devtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFolderOfADeadTestProcessIsSwept(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dead := exec.Command("/bin/true")
	require.NoError(t, dead.Run())
	gone := filepath.Join(os.TempDir(), fmt.Sprintf("%s%d-1", dirPrefix, dead.Process.Pid))
	mine := filepath.Join(os.TempDir(), fmt.Sprintf("%s%d-1", dirPrefix, os.Getpid()))
	other := filepath.Join(os.TempDir(), dirPrefix+"notes")
	for _, dir := range []string{gone, mine, other} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "postgres"), 0o700))
	}
	sweep()
	require.NoDirExists(t, gone)
	require.DirExists(t, mine)
	require.DirExists(t, other)
}

func TestDatabaseNameReplacesThePathOnly(t *testing.T) {
	t.Parallel()
	require.Equal(t, "postgres://u:p@127.0.0.1:1/test?sslmode=disable",
		withDatabase("postgres://u:p@127.0.0.1:1/postgres?sslmode=disable", "test"))
}
