package listen

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const anyPort = "127.0.0.1:0"

// start is one start of a process that tells in file.
func start(t *testing.T, file string) (*Book, net.Listener) {
	t.Helper()
	b, err := In(file)
	require.NoError(t, err)
	l, err := b.Listen(t.Context(), HTTP, anyPort)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return b, l
}

func TestAddressesAreToldOnceAllAreBound(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "addresses.json")
	b, l := start(t, file)
	_, err := Read(file)
	require.ErrorIs(t, err, fs.ErrNotExist)
	page, err := b.Listen(t.Context(), Metrics, anyPort)
	require.NoError(t, err)
	defer page.Close()
	require.NoError(t, b.Tell())
	told, err := Read(file)
	require.NoError(t, err)
	require.Equal(t, Addresses{HTTP: l.Addr().String(), Metrics: page.Addr().String()}, told)
	require.NoFileExists(t, file+".new")
}

func TestAnotherStartComesBackAtTheSameAddress(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "addresses.json")
	b, l := start(t, file)
	require.NoError(t, b.Tell())
	was := l.Addr().String()
	require.NoError(t, l.Close())
	_, l = start(t, file)
	require.Equal(t, was, l.Addr().String())
	require.NoError(t, l.Close())

	taken, err := net.Listen("tcp", was)
	require.NoError(t, err)
	again, err := In(file)
	require.NoError(t, err)
	_, err = again.Listen(t.Context(), HTTP, anyPort)
	require.ErrorIs(t, err, syscall.EADDRINUSE, "it does not move silently")
	require.ErrorContains(t, err, "it listened there before")

	require.NoError(t, os.Remove(file))
	_, l = start(t, file)
	require.NotEqual(t, was, l.Addr().String(), "whoever wants new ports removes the file")
	require.NoError(t, taken.Close())
}

func TestAnAddressThatIsSaidIsTheOneThatIsBound(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "addresses.json")
	b, l := start(t, file)
	require.NoError(t, b.Tell())
	again, err := In(file)
	require.NoError(t, err)
	_, err = again.Listen(t.Context(), HTTP, l.Addr().String())
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	other, err := again.Listen(t.Context(), Metrics, anyPort)
	require.NoError(t, err, "what was not told before is new")
	defer other.Close()
	everywhere, err := again.Listen(t.Context(), HTTP, "[::1]:0")
	if err == nil { // there is IPv6
		require.NotEqual(t, l.Addr().String(), everywhere.Addr().String(), "another host is another address")
		everywhere.Close()
	}
}

func TestWithoutAFileNobodyIsTold(t *testing.T) {
	t.Parallel()
	b, _ := start(t, "")
	none, err := b.Listen(t.Context(), Metrics, "")
	require.NoError(t, err)
	require.Nil(t, none)
	require.NoError(t, b.Tell())
}

func TestAFileThatIsNoneOfOursIsSaid(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "addresses.json")
	require.NoError(t, os.WriteFile(file, []byte("[]"), 0o600))
	_, err := In(file)
	require.ErrorContains(t, err, file+" is not a JSON object of addresses: remove it")
	b, err := In(filepath.Join(file, "below"))
	require.Error(t, err)
	require.Nil(t, b)
}
