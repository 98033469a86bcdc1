package devstack

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A process that is being started shares every open file with its parent until
// its program begins.
func TestLockEndsWithCloseThoughAnotherProcessStillHasItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, err := tryLock(path)
	require.NoError(t, err)
	_, err = tryLock(path)
	require.ErrorIs(t, err, errHeld)
	copied, err := syscall.Dup(int(first.(held).file.Fd()))
	require.NoError(t, err)
	defer func() { require.NoError(t, syscall.Close(copied)) }()

	require.NoError(t, first.Close())

	second, err := tryLock(path)
	require.NoError(t, err)
	require.NoError(t, second.Close())
}
