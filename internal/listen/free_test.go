package listen

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFreePortsAreNotThoseThatTheSystemAssigns(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		t.Skipf("DID NOT RUN: %v: this system does not say which it assigns", err)
	}
	var first, last int
	_, err = fmt.Sscan(string(text), &first, &last)
	require.NoError(t, err)
	if first-lowestFree < fewest && highest-last < fewest {
		t.Skip("DID NOT RUN: this system assigns them all")
	}
	for range 20 {
		l, err := Free(t.Context(), "127.0.0.1")
		require.NoError(t, err)
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		require.True(t, port < first || port > last, "%d is among %d to %d", port, first, last)
		require.GreaterOrEqual(t, port, lowestFree)
	}
}

func TestAHostThatIsNotThisMachineIsAnError(t *testing.T) {
	t.Parallel()
	_, err := Free(t.Context(), "192.0.2.1")
	require.Error(t, err)
}
